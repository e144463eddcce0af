"""Commands that rank the runs of an experiment: compare, best."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from tracking.cli.columns import (
    RUN_ID,
    ColumnsOption,
    ExperimentArgument,
    ExperimentOrVersion,
    FilterOption,
    LimitOption,
    OtherArgument,
    SortOption,
    cells,
    chosen,
    labels,
)
from tracking.cli.ranking import Ranking, rank
from tracking.cli.search import runs_of
from tracking.cli.show import facts, say_params
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError, TrackingError
from tracking.objective import At, Objective
from tracking.records import RunRecord, RunStatus
from tracking.search.comparison import MISSING, Columns, Comparison
from tracking.search.query import Field, FieldKind, MetricPart, arrange, names_in, parse_order, value_of
from tracking.store.store import Store
from tracking.values.names import natural_key
from tracking.values.units import counted

MetricOption = Annotated[
    str | None, typer.Option("--metric", help="Sort by this metric, not by the best available.")
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="last|best",
        help="Rank by the last value or the best; else as their sweep, or by the last.",
    ),
]
ModeOption = Annotated[
    str | None, typer.Option("--mode", help="max or min; by default what suits the metric.")
]
DifferingOption = Annotated[bool, typer.Option("--differing", help="Only columns in which runs differ.")]
GroupedOption = Annotated[
    bool,
    typer.Option("--grouped", help="A row per group of completed runs that differ only in the seed."),
]


def compare(
    experiment: ExperimentOrVersion,
    other: OtherArgument = None,
    *,
    metric: MetricOption = None,
    mode: ModeOption = None,
    at: AtOption = None,
    text: FilterOption = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    differing: DifferingOption = False,
    grouped: GroupedOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Compare the runs of an experiment, or two versions of models.

    Runs: best first, and the best one in full below. Without --metric the objective of their sweep decides, else the first
    available one: test_auc, val_auc, any AUC, accuracy, loss. --grouped shows the mean of each metric over the seeds, its sample standard deviation, and
    the number of runs.

    Versions: what differs in their metrics, parameters, config, data, code, environment and verdicts.

    \b
    Example: python -m tracking compare ctr_model --metric val_loss --differing
             python -m tracking compare ctr_model@3 ctr_model@champion
    """
    if other is not None:
        from tracking.cli.registry.origins import say_compared  # runs need no registry

        say_compared(store, experiment, other, as_json=as_json)
        return
    runs = runs_of(Store(store), experiment, text)
    ranking = rank(runs, metric, mode, at)
    if grouped:
        if columns or sort:
            raise InvalidValueError("--grouped sets columns and order; leave out --columns and --sort")
        _say_groups(experiment, ranking, limit=limit, differing=differing, as_json=as_json)
        return
    rows = _arranged(ranking.runs, sort)[:limit]
    names = names_in(runs)
    fields = chosen(columns, names, first=[RUN_ID]) if columns else _usual(rows, ranking.objective)
    if differing:
        fields = [field for field in fields if field == RUN_ID or _differs(rows, field)]
    titles = labels(fields)
    values = [[value_of(run, field) for field in fields] for run in rows]
    if as_json:
        plain = [{**facts(run), "value": ranking.objective.value(run)} for run in rows]
        told = [dict(zip(titles, row, strict=True)) for row in values] if columns or differing else plain
        output.say_json({**ranking.outcome(experiment), "runs": told})
        return
    output.say(f"Found {counted(len(runs), 'run')} for {experiment!r}\n")
    output.title(f"EXPERIMENT COMPARISON: {experiment}")
    tables.say_rows(
        titles,
        [cells(fields, row, without_rank=run.without_rank) for run, row in zip(rows, values, strict=True)],
        keep=min(3, len(fields)),
    )
    _say_winner(ranking)


def best(
    experiment: ExperimentArgument,
    metric: MetricOption = None,
    mode: ModeOption = None,
    *,
    at: AtOption = None,
    text: FilterOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the best run of an experiment, with its parameters and final metrics.

    Example: python -m tracking best ctr_model --metric val_loss --mode min --at best
    """
    runs = runs_of(Store(store), experiment, text)
    ranking = rank(runs, metric, mode, at)
    objective = ranking.objective
    if ranking.best is None:
        raise TrackingError(f"no run of {experiment!r} has a finite value of {metric or 'any metric'}")
    if as_json:
        value = objective.value(ranking.best)
        output.say_json({**vars(objective), "value": value, **facts(ranking.best)})
    else:
        _say_best(ranking.best, ranking)


def _arranged(runs: list[RunRecord], sort: Sequence[str] | None) -> list[RunRecord]:
    names = names_in(runs)
    return arrange(runs, [parse_order(order).resolved(names) for order in sort or ()], value_of)


def _decider(objective: Objective) -> Field | None:
    """Return the field whose value decided: the extreme of the metric in a run, or its last value."""
    if objective.metric is None:
        return None
    part = MetricPart(objective.mode) if objective.at is At.BEST else MetricPart.LAST
    return Field(FieldKind.METRIC, objective.metric, part)


def _usual(runs: Sequence[RunRecord], objective: Objective) -> list[Field]:
    """Return the fields by importance: id, status, what decided, parameters that differ, metrics, the rest."""
    params = dict.fromkeys(Field(FieldKind.PARAM, name) for run in runs for name in run.params)
    differ = [field for field in params if _differs(runs, field)]
    names = dict.fromkeys(name for run in runs for name in run.summary)
    decider = _decider(objective)  # a column even if none of the first rows has it
    ranked_by = [objective.metric] if objective.metric else []
    in_order = [*ranked_by, *sorted(names, key=lambda name: not name.startswith("test"))]
    metrics = [Field(FieldKind.METRIC, name, MetricPart.LAST) for name in in_order]
    head = [RUN_ID, Field(FieldKind.RUN, "status"), *([decider] if decider else [])]
    return list(dict.fromkeys([*head, *differ, *metrics, *params]))


def _differs(runs: Sequence[RunRecord], field: Field) -> bool:
    return len({repr(value_of(run, field)) for run in runs}) > 1  # a list has no hash, and 1 equals True


def _say_winner(ranking: Ranking) -> None:
    output.say()
    if ranking.best:
        _say_best(ranking.best, ranking)
    else:
        output.say("No run has a metric with a finite value yet.")


def _say_best(run: RunRecord, ranking: Ranking) -> None:
    objective = ranking.objective
    output.title("BEST RUN:")
    status = None if run.status is RunStatus.COMPLETED else run.status.value  # expected, so not worth a line
    seeds = ", the mean over its seeds or folds" if ranking.is_by_seeds else ""
    by = f"the {objective.at} {objective.label} ({objective.mode}){seeds}"
    about = {"Run ID": run.run_id, "Status": status, f"Best {objective.label}": objective.value(run)}
    output.say_facts({**about, "Ranked by": by})
    say_params(run)
    output.say_facts(run.last_values, "Final Metrics")


def _say_groups(
    experiment: str, ranking: Ranking, *, limit: int | None, differing: bool, as_json: bool
) -> None:
    """Write the groups, the one with the best mean first."""
    # Groups keep the order of their oldest runs.
    own = [run for run in ranking.runs if run.rerun_of is None]
    oldest_first = sorted(own, key=lambda run: natural_key(run.run_id))
    objective, decider = ranking.objective, _decider(ranking.objective)
    name = labels([decider])[0] if decider else objective.label
    comparison = Comparison.of_runs([(vars(run), run) for run in oldest_first])
    if decider and name != objective.metric and name in comparison.metrics:
        name = str(decider)  # a metric may be called loss.max
    if objective.at is At.BEST:  # the comparison has the last values alone
        counted_values = [
            MISSING if (value := objective.value(run)) is None else value for run in oldest_first
        ]
        comparison = replace(comparison, metrics={name: counted_values, **comparison.metrics})
    comparison = comparison.grouped()
    about = comparison.about
    means = comparison.metrics.get(name, [MISSING] * len(about["n"]))
    places = {run.run_id: place for place, run in enumerate(ranking.runs)} if ranking.is_by_seeds else {}

    def key(row: int) -> tuple[Any, ...]:  # a candidate that lacks a seed is ranked behind, whatever its mean
        first = min((places[run_id] for run_id in about["run_ids"][row]), default=0) if places else 0
        return first, objective.key(_known(means[row]))

    best_first = sorted(range(len(means)), key=key)
    table = comparison.differing() if differing else comparison
    columns = {"n": about["n"], **_group_columns(table, name), "run_ids": about["run_ids"]}
    numbers = {"n", *table.titles()[1].values()}
    rows = [{name: _known(column[row]) for name, column in columns.items()} for row in best_first[:limit]]
    if as_json:
        output.say_json({**ranking.decided_by(experiment), "groups": rows})
        return
    output.title(f"EXPERIMENT COMPARISON: {experiment}, by seeds")
    if not rows:  # running and failed runs are in no group
        output.say("No run is completed yet.")
        return

    def cell(name: str, value: Any) -> Any:
        if name == "run_ids":
            return output.ranges(value, whole=False)
        return value if name in numbers else output.param(value)

    tables.say_rows(list(columns), [[cell(*each) for each in row.items()] for row in rows], keep=2)


def _group_columns(table: Comparison, metric: str) -> Columns:
    """Return the columns by importance: the metric of the ranking, what differs, the other metrics, the rest."""
    params, metrics = table.titles()
    columns = {name: column for name, column in table.columns().items() if name not in table.about}
    first = [metrics[name] for name in (metric, f"{metric}_std") if name in metrics]
    differ = [params[name] for name in table.differing().params]
    return {name: columns[name] for name in dict.fromkeys([*first, *differ, *metrics.values(), *columns])}


def _known(value: Any) -> Any:
    return None if value is MISSING else value
