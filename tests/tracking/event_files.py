"""Event files of TensorBoard that tests write and import."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tracking import ExperimentTracker
from tracking.transfer import Imported, follow_source, import_source, open_source
from tracking.transfer.formats import SourceFormat
from tracking.transfer.tensorboard.event_folders import EventFolders
from tracking.transfer.tensorboard.event_messages import scalar_event, version_event
from tracking.transfer.tensorboard.frames import framed

START = 1_700_000_000.25


def begin(folder: Path, name: str = "events.out.tfevents.1700000000.host.1.0", *, at: float = START) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(framed(version_event(at)))
    return path


def add(path: Path, step: int, values: Mapping[str, float], *, at: float | None = None) -> None:
    with path.open("ab") as file:
        file.write(framed(scalar_event(START + step if at is None else at, step, values)))


def values(tracker: ExperimentTracker, run_id: str, name: str) -> list[tuple[Any, Any]]:
    run = tracker.get_run(run_id)
    assert run is not None
    return [(point["step"], point["value"]) for point in run["metrics"][name]]


def take(base: Path, logs: Path, **options: Any) -> Imported:
    return import_source(base, open_source(str(logs), SourceFormat.TENSORBOARD), **options)


def looks(*between: Callable[[], object]) -> Callable[[], bool]:
    """Do something after each look at the source; the last one ends the following."""
    left = [*between]

    def wait() -> bool:
        if not left:
            return False
        left.pop(0)()
        return True

    return wait


def follow(base: Path, logs: Path, *between: Callable[[], object]) -> list[Imported]:
    """Follow a folder, doing something after each look; return what each look brought."""
    told: list[Imported] = []
    follow_source(base, EventFolders(logs), wait=looks(*between), tell=told.append)
    return told


def nothing() -> None:
    """Let a look pass."""


def statuses(tracker: ExperimentTracker) -> dict[str, str]:
    """Return the runs of a store with their statuses."""
    return {record.run_id: record.status.value for record in tracker.records()}


def steps(tracker: ExperimentTracker, run_id: str, name: str = "loss") -> list[Any]:
    """Return the steps of a metric."""
    return [step for step, _ in values(tracker, run_id, name)]


def add_to_each(files: list[Path]) -> None:
    """Add a point, at a step that is new, to each file."""
    for path in files:
        add(path, len(path.read_bytes()), {"loss": 1.0})
