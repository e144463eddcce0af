"""The command that draws: plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tracking.cli.columns import ExperimentArgument, FilterOption
from tracking.cli.search import runs_of
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.cli.toolkit.targets import writing_output
from tracking.errors import TrackingError, UnknownRunError
from tracking.extras import require
from tracking.metrics.history import read_history
from tracking.objective import At, Direction, Objective
from tracking.plots import Along, Kind, Look, PictureFormat, draw, heading, misfit, with_metric, write_figure
from tracking.records import RunRecord
from tracking.store.store import Store
from tracking.values.names import composed

SPELT = {"params": "--param", "log_x": "--log-x"}  # options that are not spelt as their names

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
    options = {"smooth": smooth, "x": along, "params": params, "at": at, "log_x": log_x}
    wrong = misfit(kind, options)
    if wrong:
        option, why = wrong
        raise typer.BadParameter(f"{SPELT.get(option, f'--{option}')} {why}")
    require("plots")
    place = Store(store)
    path = _target(place, kind, metric, picture, target)
    runs = runs_of(place, experiment, query)
    chosen = _named(place, experiment, metric, runs, run_ids) if run_ids else runs
    drawn = with_metric(metric, chosen, repr(experiment))
    figure, drawn = draw(
        Objective.of(metric, mode, at or At.BEST),
        drawn,
        kind,
        Look(heading(metric, drawn, kind), best, smooth or 0.0, log_x, log_y),
        read=lambda run: read_history(place.paths.run(run.run_id)).get(metric, []),
        warn=output.warn,
        along=along,
        params=params or (),
    )
    with writing_output(store, target):
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


def _named(
    place: Store, experiment: str, metric: str, runs: Sequence[RunRecord], run_ids: Sequence[str]
) -> list[RunRecord]:
    """Return the runs that are named; warn of those that lack the metric."""
    known = {run.run_id: run for run in runs}
    for run_id in run_ids:
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
    return [known[run_id] for run_id in dict.fromkeys(run_ids)]
