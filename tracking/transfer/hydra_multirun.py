"""Jobs of Hydra from the folders that it left: `multirun/DATE/TIME/JOB`, also `outputs/DATE/TIME`.

Hydra writes what a job was given (`.hydra/`) and its log, and not how it ended: such a run is `ended`. The sweepers that
optimise write the parameters of their best job and its value into optimization_results.yaml; only that job is known to have
completed, unless several have these parameters. Event files of TensorBoard in the folder of a job give its metrics.
"""

import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError
from tracking.extras import require
from tracking.files import regular
from tracking.records import RunStatus
from tracking.transfer.found_runs import FoundRun, Item, Point
from tracking.transfer.key_references import settled
from tracking.transfer.origin import Origin
from tracking.transfer.tensorboard.event_folders import EventFolders, event_files
from tracking.values import yamltext
from tracking.values.jsontext import readable
from tracking.values.plain import flat
from tracking.values.returned import OBJECTIVE

CONFIG, OVERRIDES, SETTINGS = ".hydra/config.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml"
RESULTS, SWEEP = "optimization_results.yaml", "multirun.yaml"
MAX_YAML_BYTES = 1 << 22
MOST_LEVELS = 5  # from the folder of a job up to that of its sweep
FOLDER_TAG = "hydra.folder"
NO_STATUS = "Hydra keeps no status; the run has the status ended"
TRACKED = "podium has tracked the job as it ran; this is a second run of it"

_STAMP = re.compile(
    rb"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})\]"
)  # begins each line of Hydra's own log format


@dataclass(frozen=True)
class _Best:
    """The best job of a sweep with its value, where its results tell one; else what of them cannot be read."""

    folder: Path | None = None
    value: float = math.nan
    damaged: list[str] = field(default_factory=list)


class HydraJobs:
    """A `Source`: all folders of jobs below one. No link is followed, and no resolver of a config is run."""

    def __init__(self, place: Path) -> None:
        require("sweeps")
        self._root = place
        self._folders: dict[str, Path] = {}
        self._tracked: set[str] = set()  # the jobs that podium tracked as they ran
        self._best: dict[Path, _Best] = {}  # by the folder of a sweep
        place = place.resolve()
        is_job = regular.is_file(place / CONFIG)  # which then has its own name, as in the folder around it
        self.place = str(place.parent if is_job else place)
        self.damaged: dict[str, str] = {}

    def items(self) -> Iterator[Item]:
        """Yield the jobs by the names of their folders, 2 before 10."""
        for folder in job_folders(self._root):
            name = (
                folder.relative_to(self._root).as_posix() if folder != self._root else folder.resolve().name
            )
            try:
                texts = [_text(folder / each) for each in (CONFIG, OVERRIDES, SETTINGS)]
                settings = _plain_yaml(folder / SETTINGS)
                settings = settings.get("hydra") or {}
                job, callbacks = (settings.get("job") or {}).get("name"), settings.get("callbacks")
            except CorruptFileError as error:
                self.damaged[name] = str(error)
                continue
            except AttributeError:
                self.damaged[name] = f"{folder / SETTINGS} does not hold the settings of Hydra"
                continue
            self._folders[name] = folder
            if isinstance(callbacks, Mapping) and "podium" in callbacks:
                self._tracked.add(name)
            known = hashlib.sha256(
                "\n".join(texts).encode()
            )  # hydra.yaml names the folder that Hydra gave the job
            yield Item(
                name,
                Origin(readable(name), known.hexdigest()[:16]),
                job if isinstance(job, str) and job else "hydra",
            )

    def read(self, item: Item) -> FoundRun:
        """Return a whole job."""
        folder = self._folders[item.name]
        logs = sorted(path for path in folder.glob("*.log") if regular.is_file(path))
        begun, ended = _times(folder, logs)
        found = FoundRun(item, begun, ended, tags={FOLDER_TAG: item.name})
        found.config = _text(folder / CONFIG)
        found.params = flat(_parameters(folder / CONFIG))
        found.overrides = _overrides(folder)
        found.files = {path.name: path for path in logs}
        _add_events(found, folder)
        if item.name in self._tracked:
            found.notes.append(TRACKED)
        self._add_value(found, folder)
        return found

    def _add_value(self, found: FoundRun, folder: Path) -> None:
        """Add the objective to the best job of a sweep, which has completed; note of any other that its end is not known."""
        best = _Best()
        if sweep := _sweep_of(folder):
            best = self._best[sweep] = self._best.get(sweep) or _best_of(sweep)
        found.damaged += best.damaged
        if best.folder == folder:
            found.status = RunStatus.COMPLETED
            found.points[OBJECTIVE] = [Point(None, best.value, found.finished)]
        else:
            found.notes.append(NO_STATUS)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def job_folders(root: Path) -> Iterator[Path]:
    """Yield the folders below one that Hydra made for a job, in the order of their names."""
    for place, folders, _ in os.walk(root):
        if regular.is_file(Path(place, CONFIG)) and regular.is_folder(Path(place, ".hydra")):
            folders.clear()  # nothing in the folder of a job is one of another
            yield Path(place)
        folders[:] = sorted((each for each in folders if each != ".hydra"), key=_order)


def _order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _text(path: Path) -> str:
    try:
        return regular.read_bytes(path, MAX_YAML_BYTES).decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{path} is no text: {error}") from None


def _plain_yaml(path: Path, otherwise: Any = None) -> Any:
    """Return the values of a YAML file as they are written; raise CorruptFileError for what is none."""
    try:
        found = yamltext.decode(_text(path))
    except ValueError as error:
        raise CorruptFileError(f"{path} cannot be read: {error}") from None
    return ({} if otherwise is None else otherwise) if found is None else found


def _parameters(path: Path) -> dict[str, Any]:
    """Return a config with the values of other keys filled in; what a resolver gave stays as it is written."""
    values = _plain_yaml(path)
    if not isinstance(values, dict):
        raise CorruptFileError(f"{path} is no config: it holds no keys")
    try:
        return settled(values)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is no config: {error}") from None


def _times(folder: Path, logs: list[Path]) -> tuple[int, int]:
    """Return when a job began and ended, by its log; by the times of its files where that tells none."""
    stamps = [stamp for path in logs for stamp in _stamps(path)]
    if stamps:
        return min(stamps), max(stamps)
    written = [
        path.lstat().st_mtime for path in (folder / CONFIG, *folder.iterdir()) if regular.is_file(path)
    ]
    return round(min(written) * 1000), round(max(written) * 1000)


def _stamps(path: Path) -> Iterator[int]:
    with suppress(CorruptFileError, OSError), regular.open_file(path) as file:
        for line in regular.lines_of(file):
            if told := _STAMP.match(line):
                with suppress(ValueError, OverflowError):
                    moment = datetime.strptime(told[1].decode(), "%Y-%m-%d %H:%M:%S").astimezone()
                    yield round(moment.timestamp()) * 1000 + int(told[2])


def _add_events(found: FoundRun, folder: Path) -> None:
    """Add the points of event files; a tag of several folders, as `add_scalars` makes them, has its folder before it."""
    if next(event_files(folder), None) is None:
        return
    events = EventFolders(folder)
    read = [events.read(item) for item in events.items()]
    folders = Counter(tag for each in read for tag in each.points)
    for each in read:
        for tag, points in each.points.items():
            is_alone = folders[tag] == 1 or each.item.name == "."
            name = tag if is_alone else f"{each.item.name}/{tag}"
            found.points.setdefault(name, []).extend(points)
        found.damaged += each.damaged
        found.notes += [note for note in each.notes if note not in found.notes]


def _overrides(folder: Path) -> list[str]:
    given = _plain_yaml(folder / OVERRIDES, otherwise=[])
    return [str(each) for each in given] if isinstance(given, list) else []


def _sweep_of(folder: Path) -> Path | None:
    """Return the folder of the sweep of a job if its sweeper left results; None for any other."""
    for place in [*folder.parents][:MOST_LEVELS]:
        if regular.is_file(place / RESULTS):
            return place
        if regular.is_file(place / SWEEP):
            return None
    return None


def _best_of(sweep: Path) -> _Best:
    """Return the job that the results of a sweep name as the best: by its parameters, which only one job may have."""
    try:
        results = _plain_yaml(sweep / RESULTS)
    except CorruptFileError as error:
        return _Best(damaged=[str(error)])
    results = results if isinstance(results, dict) else {}
    # of the sweepers for Optuna and Nevergrad; that for Ax writes no value
    for params, value in (("best_params", "best_value"), ("best_evaluated_params", "best_evaluated_result")):
        best, number = results.get(params), results.get(value)
        if isinstance(best, dict) and isinstance(number, int | float):
            fitting = [folder for folder in job_folders(sweep) if _has_parameters(folder, best)]
            return _Best(fitting[0], number) if len(fitting) == 1 else _Best()
    return _Best()


def _has_parameters(folder: Path, params: Mapping[str, Any]) -> bool:
    with suppress(CorruptFileError):
        return _is_given(params, _overrides(folder))
    return False


def _is_given(params: Mapping[str, Any], overrides: list[str]) -> bool:
    """Return whether the overrides of a job give these parameters."""
    given = {}
    for each in overrides:
        name, _, text = each.partition("=")
        with suppress(ValueError):
            given[name.lstrip("+")] = yamltext.decode(text)
    missing = object()
    return bool(params) and all(_same(given.get(name, missing), value) for name, value in params.items())


def _same(given: Any, value: Any) -> bool:
    with suppress(TypeError, ValueError, OverflowError):
        return float(given) == float(value)  # YAML takes 1e-3 for a text
    return bool(given == value)
