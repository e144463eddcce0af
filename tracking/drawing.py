"""Runs of a store as a picture: find them, read their histories, and draw them. Importing this loads no matplotlib."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from tracking import plots
from tracking.errors import InvalidValueError, quoted
from tracking.metrics.history import read_history
from tracking.objective import At, Objective
from tracking.paths import RunPaths
from tracking.records import RunRecord
from tracking.store.store import Store
from tracking.values.checks import check_choice
from tracking.values.names import check_label, composed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger("tracking")


def records_of(store: Store, runs: Iterable[Any]) -> list[RunRecord]:
    """Return the records of runs that are given as records, ids, handles or dicts; raise UnknownRunError for an unknown id."""
    if isinstance(runs, str) or not isinstance(runs, Iterable):
        raise InvalidValueError(
            f"runs is {quoted(runs)}; pass a list of ids or records, such as ['run_001'] or search_runs(...)"
        )
    if "run_id" in getattr(runs, "columns", ()):  # a DataFrame of runs
        runs = cast("Any", runs)["run_id"]
    found: dict[str, RunRecord] = {}
    for run in runs:
        if not isinstance(run, RunRecord):
            run_id: Any = run.get("run_id") if isinstance(run, dict) else getattr(run, "run_id", run)
            run = store.scan.record(store.require(run_id))
        found.setdefault(run.run_id, run)
    if not found:
        raise InvalidValueError("runs is empty: no run is there to draw")
    return list(found.values())


def draw_runs(
    metric: str,
    runs: Sequence[RunRecord],
    kind: str,
    *,
    mode: str | None,
    at: str | None,
    x: str | None,
    params: Sequence[str],
    title: str | None,
    **look: Any,
) -> "Figure":
    """Return the picture of a metric of runs; those without it, or with a damaged history, are left out."""
    check_label("metric", metric)
    if isinstance(params, str):
        raise InvalidValueError(
            f"params is {quoted(params)}; pass a list of names, such as [{quoted(params)}]"
        )
    if not isinstance(look["smooth"], int | float):
        raise InvalidValueError(f"smooth is {quoted(look['smooth'])}; allowed is a number from 0 to below 1")
    check_choice("kind", kind, *map(str, plots.Kind))
    check_choice("x", x or "step", *map(str, plots.Along))
    kind = plots.Kind(kind)
    wrong = plots.misfit(
        kind, {"smooth": look["smooth"], "x": x, "params": params, "at": at, "log_x": look["log_x"]}
    )
    if wrong:
        raise InvalidValueError(" ".join(wrong))
    metric = composed(metric)
    drawn = plots.with_metric(metric, runs, f"the {len(runs)} runs")
    figure, _ = plots.draw(
        Objective.of(metric, mode, at or At.BEST),
        drawn,
        kind,
        plots.Look(plots.heading(metric, drawn, kind) if title is None else title, **look),
        read=lambda run: read_history(RunPaths(run.run_dir)).get(metric, []),
        warn=lambda text: log.warning("%s", text),
        along=plots.Along(x) if x else None,
        params=params,
    )
    return figure
