"""One picture of a metric of many runs, of any kind: which runs it shows, which options suit it, and its drawing."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tracking.errors import CorruptFileError, TrackingError
from tracking.objective import Objective
from tracking.plots.curve import Along, Curve, Points, curve_of
from tracking.plots.curves import draw_bands, draw_curves, seed_groups
from tracking.plots.parallel import draw_parallel
from tracking.plots.scatter import draw_scatter
from tracking.plots.sheet import Look
from tracking.records import RunRecord, RunStatus
from tracking.values.names import natural_key

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.figure import Figure


class Kind(StrEnum):
    """The kinds of picture."""

    CURVES = "curves"
    BANDS = "bands"
    SCATTER = "scatter"
    PARALLEL = "parallel"


LINES = (Kind.CURVES, Kind.BANDS)
BY_PARAMETER = (Kind.SCATTER, Kind.PARALLEL)
# the kinds of picture for the options that do not apply to all of them
SUITS: dict[str, tuple[Kind, ...]] = {
    "smooth": LINES,
    "x": (Kind.CURVES,),
    "params": BY_PARAMETER,
    "at": BY_PARAMETER,
    "log_x": (Kind.CURVES, Kind.BANDS, Kind.SCATTER),
}


def misfit(kind: Kind, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first option that is given and does not apply to a kind, and what is wrong with it; None without any."""
    for option, kinds in SUITS.items():
        if options.get(option) and kind not in kinds:
            return option, f"is for {' and '.join(kinds)}, not for {kind}"
    return None


def heading(metric: str, runs: Sequence[RunRecord], kind: Kind) -> str:
    """Return the title of a picture: the experiment if there is one alone, the metric, and what it is drawn by."""
    experiments = {run.experiment_name for run in runs}
    about = f"{experiments.pop()}: {metric}" if len(experiments) == 1 else metric
    return f"{about} by parameter" if kind in BY_PARAMETER else about


def with_metric(metric: str, runs: Sequence[RunRecord], of: str) -> list[RunRecord]:
    """Return the runs that have a metric; raise TrackingError if there is none."""
    found = [run for run in runs if metric in run.summary]
    if not found:
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run to draw has the metric {metric!r}; metrics of {of}: {', '.join(names) or 'none'}"
        )
    return found


def draw(
    objective: Objective,
    runs: Sequence[RunRecord],
    kind: Kind,
    look: Look,
    *,
    read: Callable[[RunRecord], Points],
    warn: Callable[[str], None],
    along: Along | None = None,
    params: Sequence[str] = (),
) -> tuple["Figure", list[RunRecord]]:
    """Draw the objective's metric of runs; return the figure, and the runs in it.

    `read` returns the points of a run. A run whose history is damaged is left out, and named to `warn`.
    """
    if kind in BY_PARAMETER:
        figure = (draw_scatter if kind is Kind.SCATTER else draw_parallel)(objective, runs, look, params)
        return figure, list(runs)
    along = along or Along.STEP
    curves: dict[str, Curve] = {}
    for run in runs:
        try:
            curves[run.run_id] = curve_of(run.run_id, read(run), along, run.created_at)
        except CorruptFileError as error:
            warn(f"left out: {error}")
    drawn = [run for run in runs if run.run_id in curves]
    if not drawn:
        raise TrackingError(f"no run to draw has points of {objective.label!r} that can be read")
    if kind is Kind.CURVES:
        by_time = along is Along.TIME
        return draw_curves(objective, list(curves.values()), look, by_time=by_time), drawn
    # A failed run ends early and distorts the mean.
    groups = seed_groups([run for run in drawn if run.status is not RunStatus.FAILED] or drawn)
    bands = {label: [curves[run.run_id] for run in members] for label, members in groups.items()}
    return draw_bands(objective, bands, look), drawn
