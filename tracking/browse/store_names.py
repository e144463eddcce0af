"""The names in a store, and the columns that a table begins with."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from tracking.errors import InvalidValueError, QueryError
from tracking.objective import At, Objective, by_interest, is_of_test, objectives_of, usual_direction
from tracking.repeats import REPEAT
from tracking.search.index import View
from tracking.search.query import Field, FieldKind, MetricPart, Names, parse_field, resolve
from tracking.values.names import natural_key

MOST_METRICS = 2  # in a table whose columns are not chosen
MOST_PARAMS = 8
MOST_TRIED = 200  # names that are looked at: each that all runs share is read to its end
LATEST = 50  # runs whose sweeps say what the store is about


def names_of(view: View, experiment: str | None) -> dict[str, Any]:
    """Return the names of all runs or of one experiment, the experiments, and the suggested columns."""
    names = view.names(experiment)
    known = names if experiment is None else view.names()
    experiments = view.experiments()
    leading, metrics = told_by(view, names, experiment)
    return {
        "params": sorted(names.params, key=natural_key),
        "metrics": sorted(names.metrics, key=natural_key),
        "tags": sorted(names.tags, key=natural_key),
        "experiments": [{"name": name, "runs": runs} for name, runs in experiments.items()],
        "total": sum(experiments.values()),
        "varying": [short_name(field, known) for field in varying(view, names, experiment, MOST_TRIED)],
        "suggested": suggested(view, names, experiment, metrics),
        "leading": leading and {**leading.named, "column": short_name(metrics[0], known)},
    }


def suggested(
    view: View, names: Names, experiment: str | None = None, metrics: Sequence[Field] | None = None
) -> list[str]:
    """Return the columns of a table: fields of runs, the metrics that say most, parameters that differ."""
    known = names if experiment is None else view.names()
    heads = ["status", *(["experiment"] if experiment is None else []), "created_at", "duration_s"]
    told = told_by(view, names, experiment)[1] if metrics is None else metrics
    fields = [*told[:MOST_METRICS], *varying(view, names, experiment, MOST_PARAMS)]
    return [*heads, *(short_name(field, known) for field in fields)]


def told_by(view: View, names: Names, experiment: str | None) -> tuple[Objective | None, list[Field]]:
    """Return what runs are judged by, and the metrics that say most, that one first.

    It is what the latest sweeps rank by, else a metric whose name tells which way is better; never one of the test, which
    would no longer be a test, and never one that is the same in all runs.
    """
    metrics = by_interest(names.metrics)
    judged = ([name for name in metrics if not name.startswith("train")] or metrics)[:MOST_TRIED]
    judged = [name for name in judged if not view.same_in_all(name, experiment)] or judged
    wanted = [each for each in objectives(view, experiment) if each.metric in names.metrics]
    usual = (Objective.of(name, direction) for name in judged if (direction := usual_direction(name)))
    fields = {each.metric: _field(each) for each in wanted}
    leading = wanted[0] if wanted else next((each for each in usual if not is_of_test(each.label)), None)
    if leading is not None:
        fields.setdefault(leading.metric, _field(leading))
    return leading, [*fields.values(), *(_best(name) for name in judged if name not in fields)]


def varying(view: View, names: Names, experiment: str | None, most: int) -> list[Field]:
    """Return up to `most` parameters that differ between runs, seeds and folds after others, and lists last.

    What is wide comes last, as a table has no room beside it.
    """
    latest = view.records(view.page(experiment, 0, 1, descending=True))
    lists = {
        name for run in latest for name, value in run.params.items() if isinstance(value, list | tuple | dict)
    }
    params = sorted(
        names.params, key=lambda name: (name in lists, REPEAT.fullmatch(name) is not None, natural_key(name))
    )
    found = (name for name in params[:MOST_TRIED] if view.varies(name, experiment))
    return [Field(FieldKind.PARAM, name) for name in islice(found, most)]


def objectives(view: View, experiment: str | None) -> list[Objective]:
    """Return what the sweeps of the latest runs rank by first, the latest first, each metric once."""
    found: dict[str | None, Objective] = {}
    for entry in view.entries(view.page(experiment, 0, LATEST, descending=True)):
        sweep = entry.get("sweep")
        raw = sweep.get("objective") if isinstance(sweep, dict) else None
        try:
            first = objectives_of(raw)[0] if isinstance(raw, dict) else None
        except (KeyError, TypeError, InvalidValueError):
            continue  # of other code
        if first is not None and isinstance(first.metric, str):
            found.setdefault(first.metric, first)
    return list(found.values())


def short_name(field: Field, names: Names) -> str:
    """Return how a filter may write a field among these names: without its kind where that is clear."""
    tail = "" if field.part in (None, MetricPart.LAST) else f".{field.part}"
    short = f"{field.name}{tail}"
    try:
        return short if resolve(parse_field(short), names) == field else str(field)
    except QueryError:
        return str(field)


def _field(objective: Objective) -> Field:
    part = MetricPart.LAST if objective.at is At.LAST else MetricPart(objective.mode.value)
    return Field(FieldKind.METRIC, objective.label, part)


def _best(metric: str) -> Field:
    direction = usual_direction(metric)
    return Field(
        FieldKind.METRIC, metric, MetricPart.LAST if direction is None else MetricPart(direction.value)
    )
