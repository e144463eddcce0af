"""Event files of TensorBoard that tests write and import."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracking import ExperimentTracker
from tracking.transfer import Imported, import_source, open_source
from tracking.transfer.formats import SourceFormat
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
