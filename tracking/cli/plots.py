"""The command that draws: plot."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracking.cli.columns import ExperimentArgument, FilterOption
from tracking.cli.search import runs_of
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, TrackingError, UnknownRunError
from tracking.metrics.history import read_history
from tracking.metrics.sources import Point
from tracking.objective import At, Direction, Objective
from tracking.plots import (
    Along,
    Curve,
    Look,
    PictureFormat,
    curve_of,
    draw_bands,
    draw_curves,
    draw_parallel,
    draw_scatter,
    seed_groups,
    write_figure,
)
from tracking.records import RunRecord, RunStatus
from tracking.store.store import Store
from tracking.values.names import composed, natural_key

if TYPE_CHECKING:  # matplotlib is only loaded by those who draw
    from matplotlib.figure import Figure


class Kind(StrEnum):
    """The kinds of picture."""

    CURVES = "curves"
    BANDS = "bands"
    SCATTER = "scatter"
    PARALLEL = "parallel"


# the kinds of picture for the options that do not apply to all of them
SUITS: dict[str, tuple[Kind, ...]] = {
    "--smooth": (Kind.CURVES, Kind.BANDS),
    "--x": (Kind.CURVES,),
    "--param": (Kind.SCATTER, Kind.PARALLEL),
    "--at": (Kind.SCATTER, Kind.PARALLEL),
    "--log-x": (Kind.CURVES, Kind.BANDS, Kind.SCATTER),
}

Metric = Annotated[str, typer.Argument(callback=composed, help="The metric to draw.")]
Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="The runs; by default all that have the metric."),
]
KindOption = Annotated[
    Kind,
    typer.Option(
        "--kind",
        help="curves by step; bands: mean and deviation over seeds; scatter: each parameter against the metric; "
        "parallel: an axis per parameter.",
    ),
]
BestOption = Annotated[
    int | None,
    typer.Option("--best", metavar="N", help="Colour only the best N; the others are grey."),
]
ModeOption = Annotated[
    Direction | None,
    typer.Option("--mode", help="Which values are better; by default decided by the metric's name."),
]
AtOption = Annotated[
    At | None,
    typer.Option("--at", help="Which value of a run counts in scatter and parallel; by default its best."),
]
SmoothOption = Annotated[
    float | None,
    typer.Option(
        "--smooth", metavar="WEIGHT", help="Moving average with this weight on the past, 0 to below 1."
    ),
]
AlongOption = Annotated[Along | None, typer.Option("--x", help="The x axis of curves; by default the step.")]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME",
        callback=lambda names: names and list(map(composed, names)),
        help="A parameter to draw, repeatable; by default all that differ.",
    ),
]
LogXOption = Annotated[bool, typer.Option("--log-x", help="A logarithmic x axis.")]
LogYOption = Annotated[bool, typer.Option("--log-y", help="A logarithmic axis of the metric.")]
FormatOption = Annotated[
    PictureFormat | None, typer.Option("--format", help="The format of the file; by default png.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="The file to write; ends in .png, .svg or .pdf."),
]


def plot(
    experiment: ExperimentArgument,
    metric: Metric,
    run_ids: Runs = None,
    *,
    kind: KindOption = Kind.CURVES,
    query: FilterOption = None,
    best: BestOption = None,
    mode: ModeOption = None,
    at: AtOption = None,
    smooth: SmoothOption = None,
    along: AlongOption = None,
    params: ParamOption = None,
    log_x: LogXOption = False,
    log_y: LogYOption = False,
    picture: FormatOption = None,
    target: OutputOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Draw a metric of many runs.

    The picture is metric_comparison_METRIC.png in the store, or metric_KIND_METRIC.png for other kinds than curves.

    Example: python -m tracking plot ctr_model val_auc run_001 run_002

    Example: python -m tracking plot ctr_model val_auc --kind parallel --filter "params.batch_size > 64"
    """
    options = {"--smooth": smooth, "--x": along, "--param": params, "--at": at, "--log-x": log_x}
    for option, kinds in SUITS.items():
        if options[option] and kind not in kinds:
            raise typer.BadParameter(f"{option} is for {' and '.join(kinds)}, not for {kind}")
    title = f"{experiment}: {metric}" + (" by parameter" if kind in SUITS["--param"] else "")
    look = Look(title, best, smooth or 0.0, log_x, log_y)
    place = Store(store)
    path = _target(place, kind, metric, picture, target)
    runs = runs_of(place, experiment, query)
    drawn = _with_metric(place, experiment, metric, runs, run_ids)
    histories: dict[str, list[Point]] = {}
    if kind in (Kind.CURVES, Kind.BANDS):
        drawn, histories = _with_points(place, metric, drawn)
    objective = Objective.of(metric, mode, at or At.BEST)
    figure = _figure(histories, drawn, objective, kind, look, along=along or Along.STEP, params=params or ())
    write_figure(path, figure)
    shown = place.paths.named / path.name if target is None else path  # as the store was named, not resolved
    if as_json:
        output.say_json({"path": str(shown), "kind": kind, "runs": [run.run_id for run in drawn]})
    else:
        output.say(f"Wrote {shown}")


def _target(
    place: Store, kind: Kind, metric: str, picture: PictureFormat | None, target: Path | None
) -> Path:
    if target is None:
        what = "comparison" if kind is Kind.CURVES else kind.value
        return place.paths.plot(metric, what, picture or PictureFormat.PNG)
    if picture not in (None, PictureFormat.of(target)):
        raise typer.BadParameter(f"--output {target} and --format {picture} contradict each other")
    if not target.parent.is_dir():
        raise TrackingError(f"the folder of the picture {str(target)!r} does not exist; make it first")
    return target


def _with_metric(
    place: Store, experiment: str, metric: str, runs: Sequence[RunRecord], run_ids: Sequence[str] | None
) -> list[RunRecord]:
    """Return the runs to draw: those that are named, else all, without those that lack the metric."""
    known = {run.run_id: run for run in runs}
    for run_id in run_ids or ():
        if run_id not in known:
            entry = place.require(run_id)
            other = entry["experiment_name"]
            if other == experiment:
                place.scan.record(entry)  # raises if it is missing because it is damaged
                raise UnknownRunError(f"run {run_id!r} does not pass the filter")
            raise UnknownRunError(
                f"run {run_id!r} belongs to the experiment {other!r}, not to {experiment!r}"
            )
        if metric not in known[run_id].summary:
            output.warn(f"{run_id} has no metric {metric!r}; it is left out")
    drawn = [known[run_id] for run_id in dict.fromkeys(run_ids or known) if metric in known[run_id].summary]
    if not drawn:
        names = sorted({name for run in runs for name in run.summary}, key=natural_key)
        raise TrackingError(
            f"no run to draw has the metric {metric!r}; metrics of {experiment!r}: {', '.join(names) or 'none'}"
        )
    return drawn


def _with_points(
    place: Store, metric: str, runs: Sequence[RunRecord]
) -> tuple[list[RunRecord], dict[str, list[Point]]]:
    """Return the runs whose history can be read, and the points of each; name the others."""
    drawn, histories = [], {}
    for run in runs:
        try:
            histories[run.run_id] = read_history(place.paths.run(run.run_id)).get(metric, [])
        except CorruptFileError as error:
            output.warn(f"left out: {error}")
        else:
            drawn.append(run)
    if not drawn:
        raise TrackingError(f"no run to draw has points of {metric!r} that can be read")
    return drawn, histories


def _figure(
    histories: Mapping[str, list[Point]],
    runs: Sequence[RunRecord],
    objective: Objective,
    kind: Kind,
    look: Look,
    *,
    along: Along,
    params: Sequence[str],
) -> "Figure":
    def curve(run: RunRecord) -> Curve:
        return curve_of(run.run_id, histories[run.run_id], along, run.created_at)

    match kind:
        case Kind.CURVES:
            return draw_curves(objective, [curve(run) for run in runs], look, by_time=along is Along.TIME)
        case Kind.BANDS:
            # A failed run ends early and distorts the mean.
            groups = seed_groups([run for run in runs if run.status is not RunStatus.FAILED] or runs)
            curves = {label: [curve(run) for run in members] for label, members in groups.items()}
            return draw_bands(objective, curves, look)
        case Kind.SCATTER:
            return draw_scatter(objective, runs, look, params)
        case Kind.PARALLEL:
            return draw_parallel(objective, runs, look, params)
