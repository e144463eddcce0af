"""Commands that find runs: list, search. Other commands find the runs of an experiment here."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from tracking.cli.columns import (
    RUN_ID,
    ColumnsOption,
    ExperimentOption,
    FilterArgument,
    LimitOption,
    SortOption,
    cells,
    chosen,
    labels,
    not_shown,
    usual,
    warn_unknown,
)
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError, TrackingError
from tracking.records import RunRecord, RunStatus
from tracking.search.catalog import Catalog
from tracking.search.query import parse_order, parse_query
from tracking.store.store import Store
from tracking.values.names import WITHOUT_RANK, composed

MOST_IDS = 100  # that a pipe gets one by one; of more, neighbours are written as a range


def list_experiments(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", callback=composed, help="List its runs.")
    ] = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List all experiments and their runs.

    With an experiment, list its runs, a row each, in the given columns and order.

    Example: python -m tracking list ctr_model --columns seed,val_auc
    """
    catalog = Catalog(Store(store))
    if experiment is not None:
        check_known(catalog, experiment)
        search(experiment=experiment, columns=columns, sort=sort, limit=limit, store=store, as_json=as_json)
        return
    if columns or sort or limit is not None:
        raise InvalidValueError("--columns, --sort and --limit list runs; name the experiment too")
    groups: dict[str, tuple[list[str], Counter[str]]] = {}
    unranked = catalog.without_rank()
    for run in catalog.rows():
        run_ids, statuses = groups.setdefault(run.experiment_name, ([], Counter()))
        run_ids.append(run.run_id)
        statuses[unranked.get(run.run_id, run.status)] += 1
    if as_json:
        told = {
            name: {**_counts(statuses, _shown(statuses)), "run_ids": run_ids}
            for name, (run_ids, statuses) in groups.items()
        }
        output.say_json(told)
        return
    if not groups:
        output.say(f"No runs in {store!r} yet.")
        return
    output.title("ALL EXPERIMENTS")
    if sys.stdout.isatty():
        shown = _shown(sum((statuses for _, statuses in groups.values()), Counter()))
        rows = [
            [name, *_counts(statuses, shown).values(), output.ranges(run_ids, whole=False)]
            for name, (run_ids, statuses) in groups.items()
        ]
        tables.say_rows(["experiment", "runs", *shown, "run ids"], rows, wraps=True)
        return
    for name, (run_ids, statuses) in groups.items():
        output.say(f"\n{name}:")
        for status, count in _counts(statuses, _shown(statuses)).items():
            output.say(f"  {'Total runs' if status == 'total' else status.capitalize()}: {count}")
        output.say(f"  Run IDs: {output.ranges(run_ids, whole=len(run_ids) <= MOST_IDS)}")


def search(
    text: FilterArgument = None,
    *,
    experiment: ExperimentOption = None,
    columns: ColumnsOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Find runs by a filter.

    \b
    fields   status, experiment, run_id, created_at, duration_s, sweep, error
             params.NAME, tags.NAME, metrics.NAME, or NAME where it is clear
             of a metric .last .min .max .best .count .last_step and the like
    compare  == != < <= > >= in, contains, is None, is nan; 0.1 < x < 0.5
    join     and, or, not, parentheses
    times    '2024-11-15', '2024-11-15T10:30', today, yesterday, ago('7d')

    Example: python -m tracking search "val_auc.max > 0.8 and seed in [1, 2]"
    """
    catalog = Catalog(Store(store))
    # Of all experiments, so that a filter on a name that only another one has is empty rather than an error.
    names = catalog.names()
    query = parse_query(text or "").resolved(names)
    named = [*query.fields, *(parse_order(order).resolved(names).field for order in sort or ())]
    usual_names = catalog.names(experiment)  # other names would give empty columns
    if columns:
        fields = chosen(columns, names, first=[RUN_ID])
    else:
        fields = usual(usual_names, named, experiment, as_json=as_json)
    warn_unknown({*fields, *named}, names)
    notes: list[str] = []
    run_ids, values = catalog.columns(
        fields, text=text or "", experiment_name=experiment, order_by=sort, limit=limit, notes=notes
    )
    for note in dict.fromkeys(notes):
        output.warn(note)
    if not run_ids and not as_json:
        where = f" of {experiment!r}" if experiment else ""
        output.say(f"No run{where} in {store!r} passes." if text else f"No runs{where} in {store!r}.")
    titles = labels(fields)
    rows = list(zip(*(values[field] for field in fields), strict=True))
    if as_json:
        output.say_json([dict(zip(titles, row, strict=True)) for row in rows])
    elif rows:
        unranked = catalog.without_rank()
        told = zip(run_ids, rows, strict=True)
        tables.say_rows(titles, [cells(fields, row, without_rank=unranked.get(run)) for run, row in told])
        if not columns and (rest := not_shown(usual_names, fields)):
            output.say(rest)


def runs_of(store: Store, experiment: str, text: str | None = None) -> list[RunRecord]:
    """Return the runs of an experiment that pass a filter; raise TrackingError when there are none.

    The log names the runs that cannot be read; where there are only such, return none.
    """
    catalog = Catalog(store)
    notes: list[str] = []
    runs = (
        catalog.search(text, experiment_name=experiment, notes=notes) if text else catalog.records(experiment)
    )
    if not runs:
        check_known(catalog, experiment)
        if text:
            why = "".join(f"; {note}" for note in dict.fromkeys(notes))
            raise TrackingError(f"no run of {experiment!r} passes the filter{why}")
    return runs


def check_known(catalog: Catalog, experiment: str) -> None:
    """Raise TrackingError, which lists the experiments, when no run is of this one; a damaged run may be of any."""
    damaged: list[CorruptFileError] = []
    known = list(dict.fromkeys(row.experiment_name for row in catalog.rows(None, damaged.append)))
    if experiment not in known and not damaged:
        raise TrackingError(
            f"no runs of an experiment {experiment!r} in {str(catalog.store.paths.named)!r}; "
            f"known: {', '.join(known) or 'none'}"
        )


def _shown(statuses: Counter[str]) -> list[str]:
    """Return the statuses that some run has, and completed in any case; one without a rank counts as that alone."""
    states = [status.value for status in RunStatus if statuses[status] or status is RunStatus.COMPLETED]
    return [*states, *(word for word in WITHOUT_RANK.values() if statuses[word])]


def _counts(statuses: Counter[str], shown: Sequence[str]) -> dict[str, int]:
    return {"total": statuses.total(), **{status: statuses[status] for status in shown}}
