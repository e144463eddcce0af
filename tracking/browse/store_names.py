"""The names in a store, and the columns that a table begins with."""

from itertools import islice
from typing import Any

from tracking.errors import QueryError
from tracking.objective import by_interest, usual_direction
from tracking.repeats import REPEAT
from tracking.search.index import View
from tracking.search.query import Field, FieldKind, MetricPart, Names, parse_field, resolve
from tracking.values.names import natural_key

MOST_METRICS = 4  # in a table that nobody has chosen columns for
MOST_PARAMS = 8
MOST_TRIED = 200  # names that are looked at: each that all runs share is read to its end
LATEST = 50  # runs whose sweeps say what the store is about


def names_of(view: View, experiment: str | None) -> dict[str, Any]:
    """Return the names of all runs or of one experiment, the experiments, and the suggested columns."""
    names = view.names(experiment)
    experiments = view.experiments()
    return {
        "params": sorted(names.params, key=natural_key),
        "metrics": sorted(names.metrics, key=natural_key),
        "tags": sorted(names.tags, key=natural_key),
        "experiments": [{"name": name, "runs": runs} for name, runs in experiments.items()],
        "total": sum(experiments.values()),
        "suggested": suggested(view, names, experiment),
    }


def suggested(view: View, names: Names, experiment: str | None = None) -> list[str]:
    """Return the columns of a table: fields of runs, the metrics that say most, parameters that differ."""
    heads = ["status", *(["experiment"] if experiment is None else []), "created_at", "duration_s"]
    metrics = by_interest(names.metrics)
    judged = ([name for name in metrics if not name.startswith("train")] or metrics)[:MOST_TRIED]
    judged = [name for name in judged if not view.same_in_all(name, experiment)] or judged
    wanted = [name for name in objectives(view, experiment) if name in names.metrics]
    judged = list(dict.fromkeys([*wanted, *judged]))
    params = sorted(names.params, key=lambda name: (REPEAT.fullmatch(name) is not None, natural_key(name)))
    varying = islice((name for name in params[:MOST_TRIED] if view.varies(name, experiment)), MOST_PARAMS)
    fields = [_best(name) for name in judged[:MOST_METRICS]]
    fields += [Field(FieldKind.PARAM, name) for name in varying]
    known = view.names() if experiment is not None else names
    return [*heads, *(short_name(field, known) for field in fields)]


def objectives(view: View, experiment: str | None) -> list[str]:
    """Return the metrics that the sweeps of the latest runs are about, the latest first."""
    found = []
    for entry in view.entries(view.page(experiment, 0, LATEST, descending=True)):
        sweep = entry.get("sweep")
        objective = sweep.get("objective") if isinstance(sweep, dict) else None
        metric = objective.get("metric") if isinstance(objective, dict) else None
        if isinstance(metric, str):
            found.append(metric)
    return list(dict.fromkeys(found))


def short_name(field: Field, names: Names) -> str:
    """Return how a filter may write a field among these names: without its kind where that is clear."""
    tail = "" if field.part in (None, MetricPart.LAST) else f".{field.part}"
    short = f"{field.name}{tail}"
    try:
        return short if resolve(parse_field(short), names) == field else str(field)
    except QueryError:
        return str(field)


def _best(metric: str) -> Field:
    direction = usual_direction(metric)
    return Field(
        FieldKind.METRIC, metric, MetricPart.LAST if direction is None else MetricPart(direction.value)
    )
