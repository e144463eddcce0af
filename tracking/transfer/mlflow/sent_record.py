"""What an export sent of a run, as a file among its artifacts: `podium/sent.json`.

The next export reads which files have not changed since, which tags are ours to take away, and which number each step
has; an import reads steps and the names of files as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import atomic, regular
from tracking.transfer.mlflow.steps import StepNumbers
from tracking.transfer.mlflow.translation import FILES

NAME = "sent.json"
PLACE = f"{FILES}/{NAME}"
MOST_POINTS = 100_000_000  # of one metric without a step, so that a damaged file fills no memory

Stamp = tuple[int, int]  # bytes, time of change in nanoseconds


@dataclass
class SentRecord:
    """What MLflow has of a run: files with their stamps, tags, files under other names, numbers of steps by metric."""

    files: dict[str, Stamp] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)  # of files in MLflow -> here
    steps: dict[str, StepNumbers] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the record as a file."""
        steps = {name: each.to_json() for name, each in self.steps.items() if each}
        told = {"files": self.files, "tags": self.tags, "names": self.names, "steps": steps}
        atomic.write_json(path, told)

    @classmethod
    def read(cls, path: Path) -> "SentRecord | None":
        """Return the record in a file; None without one, or if it cannot be read."""
        if not regular.is_file(path):
            return None
        try:
            told = atomic.read_object(path)
        except CorruptFileError:
            return None
        files = {
            name: (stamp[0], stamp[1])
            for name, stamp in _items(told.get("files"))
            if isinstance(stamp, list) and len(stamp) == 2 and all(isinstance(each, int) for each in stamp)
        }
        tags = told.get("tags")
        return cls(
            files,
            [name for name in tags if isinstance(name, str)] if isinstance(tags, list) else [],
            {name: here for name, here in _items(told.get("names")) if isinstance(here, str)},
            {name: StepNumbers.from_json(each, MOST_POINTS) for name, each in _items(told.get("steps"))},
        )


def put_back(folder: Path, names: Mapping[str, str]) -> None:
    """Give files below a folder the names that they had before; a name that leads out of it is left alone."""
    for sent, name in names.items():
        source, target = folder / sent, folder / name
        if (
            not (_is_inside(sent) and _is_inside(name))
            or not regular.is_file(source)
            or regular.exists(target)
        ):
            continue
        with atomic.writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def _items(told: Any) -> list[tuple[str, Any]]:
    return list(told.items()) if isinstance(told, dict) else []
