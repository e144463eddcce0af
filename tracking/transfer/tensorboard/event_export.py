"""Runs as folders that TensorBoard shows: `tensorboard --logdir FOLDER`. TensorBoard need not be installed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.metrics.history import read_history
from tracking.metrics.sources import History, count_points, moment_of
from tracking.records import RunRecord
from tracking.store.store import Store
from tracking.transfer.growing import lines_of_history
from tracking.transfer.mlflow.steps import StepNumbers, number_steps
from tracking.transfer.tensorboard.event_messages import hparams_event, scalar_event, version_event
from tracking.transfer.tensorboard.frames import framed


@dataclass
class Written:
    """The result of an export: the event file of each run, the points of all, and why others were left out.

    `numbered` are the runs with metrics whose steps are missing or no whole numbers, which got numbers.
    """

    files: dict[str, str] = field(default_factory=dict)
    points: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    numbered: list[str] = field(default_factory=list)


def export_to_tensorboard(store: Store, runs: Sequence[RunRecord], folder: Path) -> Written:
    """Write each run into a subfolder that is named by its id, with its parameters and all points.

    TensorBoard keeps values as 32-bit floats and steps as whole numbers: points without a step come after the last one, and
    the steps of a metric with fractions are numbered from 0. A file that an earlier export wrote is replaced.
    """
    found = Written()
    for run in runs:
        try:
            history, is_numbered = _with_whole_steps(read_history(store.paths.run(run.run_id)))
        except CorruptFileError as error:
            found.left_out[run.run_id] = str(error)
            continue
        place = folder / run.run_id
        regular.refuse_link(folder, place)
        folders.make_dir(place)
        path = place / f"events.out.tfevents.{run.created_at.timestamp():.0f}.podium.{run.run_id}"
        atomic.write_pieces(path, map(framed, _events(run, history)))
        found.files[run.run_id] = str(path)
        found.points += count_points(history)
        found.numbered += [run.run_id] if is_numbered else []
    return found


def _with_whole_steps(history: History) -> tuple[History, bool]:
    found: History = {}
    is_numbered = False
    for name, points in history.items():
        numbers, told = number_steps([point["step"] for point in points], StepNumbers(), is_new=True)
        is_numbered = is_numbered or bool(told)
        found[name] = [{**point, "step": step} for point, step in zip(points, numbers, strict=True)]
    return found, is_numbered


def _events(run: RunRecord, history: History) -> Iterator[bytes]:
    begun = run.created_at.timestamp()
    yield version_event(begun)
    if run.params:
        yield hparams_event(begun, run.params)
    for step, stamp, metrics in lines_of_history(history):
        yield scalar_event(moment_of(stamp).timestamp(), int(step or 0), metrics)
