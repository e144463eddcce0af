"""Read the folder that older versions of MLflow record into (mlruns), which newer ones no longer open."""

import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tracking.errors import CorruptFileError, quoted
from tracking.files import folders, regular
from tracking.records import RunStatus
from tracking.transfer.mlflow.flat_yaml import read_flat
from tracking.transfer.mlflow.foreign import MAX_TEXT, RUN_ID, ForeignContent, ForeignRun, MlflowPoint
from tracking.transfer.mlflow.translation import FROM_MLFLOW

META = "meta.yaml"
TRASH = ".trash"
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")  # numbered from 1 in meta.yaml
NOT_RUNS = {"tags", "models", "traces", "datasets", "assessments"}  # folders beside the runs of an experiment


class FileStore:
    """A `ForeignStore` in a folder: EXPERIMENT/RUN/{meta.yaml, params, metrics, tags, artifacts}."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.damaged: dict[str, str] = {}
        regular.refuse_link(place)

    def runs(self) -> Iterator[ForeignRun]:
        """Yield all runs by their start."""
        found: list[ForeignRun] = []
        trash = self.place / TRASH
        for folder in (*_subfolders(self.place), *(_subfolders(trash) if regular.is_folder(trash) else ())):
            if not regular.exists(folder / META):
                continue
            try:
                meta = _read_meta(folder)
            except CorruptFileError as error:
                self.damaged[f"experiment {folder.name}"] = str(error)
                continue
            is_deleted = folder.parent.name == TRASH or meta.get("lifecycle_stage") == "deleted"
            found += self._runs_of(folder, meta.get("name") or folder.name, is_deleted=is_deleted)
        yield from sorted(found, key=lambda run: (run.start or 0, run.run_id))

    def _runs_of(self, experiment: Path, name: str, *, is_deleted: bool) -> Iterator[ForeignRun]:
        for folder in _subfolders(experiment):
            if folder.name in NOT_RUNS or not RUN_ID.fullmatch(folder.name):
                continue
            try:
                meta = _read_meta(folder)
                yield ForeignRun(
                    folder.name,
                    meta.get("run_name") or "",
                    name,
                    experiment.name,
                    _status(meta.get("status")),
                    _whole(meta.get("start_time")),
                    _whole(meta.get("end_time")),
                    is_deleted or meta.get("lifecycle_stage") == "deleted",
                    meta.get("artifact_uri") or "",
                    folder,
                )
            except (CorruptFileError, FileNotFoundError, ValueError) as error:
                self.damaged[folder.name] = (
                    f"{folder} has no {META}" if isinstance(error, FileNotFoundError) else str(error)
                )

    def content(self, run: ForeignRun) -> ForeignContent:
        """Return the parameters, tags and metrics of a run."""
        found = ForeignContent()
        folder = run.folder or self.place
        for kind, values in (("params", found.params), ("tags", found.tags)):
            for path, name in _files(folder / kind, found.damaged):
                try:
                    values[name] = regular.read_bytes(path, MAX_TEXT).decode()
                except (CorruptFileError, OSError, UnicodeDecodeError) as error:
                    found.damaged.append(f"{kind} {quoted(name)} ({error})")
        for path, name in _files(folder / "metrics", found.damaged):
            try:
                found.points[name] = list(_points(path, name, found.damaged))
            except (CorruptFileError, OSError) as error:
                found.damaged.append(f"metric {quoted(name)} ({error})")
        return found

    def artifacts(self, run: ForeignRun) -> Path | None:
        """Return the folder of a run's artifacts, which lies in that of the run wherever the store was moved to.

        An empty one is that of a run whose artifacts are elsewhere, unless their address is that of this folder.
        """
        place = (run.folder or self.place) / "artifacts"
        if not regular.is_folder(place):
            return None
        is_here = PurePosixPath(run.artifact_uri).parts[-3:] == place.absolute().parts[-3:]
        is_local = run.artifact_uri.startswith("file:") or "://" not in run.artifact_uri
        return place if (is_here and is_local) or any(place.iterdir()) else None

    def close(self) -> None:
        """Do nothing: no file stays open."""


def is_file_store(folder: Path) -> bool:
    """Return whether a folder holds the experiments of MLflow."""
    return any(regular.is_file(each / META) for each in _subfolders(folder))


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder; links are none."""
    try:
        with regular.reading(folder):
            return sorted(each for each in folder.iterdir() if stat.S_ISDIR(each.lstat().st_mode))
    except FileNotFoundError:
        return []


def _read_meta(folder: Path) -> dict[str, str | None]:
    path = folder / META
    try:
        return read_flat(regular.read_bytes(path, MAX_TEXT).decode())
    except CorruptFileError:
        raise
    except ValueError as error:  # also of text that is no UTF-8
        raise CorruptFileError(f"{path} cannot be read: {error}; repair it") from None


def _files(folder: Path, damaged: list[str]) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder with the names that they stand for; name links in `damaged`."""
    if regular.exists(folder) and not regular.is_folder(folder):
        damaged.append(f"{folder.name} (no folder)")
    for path in sorted(folders.walk(folder)):
        name = path.relative_to(folder).as_posix()
        if regular.is_file(path):
            yield path, name
        else:
            damaged.append(f"{folder.name} {quoted(name)} (no file)")


def _points(path: Path, name: str, damaged: list[str]) -> Iterator[MlflowPoint]:
    """Yield the points in a file of lines `time value step`; the step may be missing."""
    with regular.open_file(path) as file:
        for line in regular.lines_of(file):
            words = line.split()
            try:
                moment, value, step = int(words[0]), float(words[1]), int(words[2]) if len(words) > 2 else 0
            except (ValueError, IndexError):
                damaged.append(f"a point of the metric {quoted(name)}")
            else:
                yield step, moment, value


def _status(text: str | None) -> RunStatus:
    number = _whole(text)
    if text in STATUSES:
        return FROM_MLFLOW[text]
    if number is None or not 1 <= number <= len(STATUSES):
        raise ValueError(f"its status is {quoted(text)}, which MLflow does not have")
    return FROM_MLFLOW[STATUSES[number - 1]]


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.lstrip("-").isdigit() and len(text) < 20 else None
