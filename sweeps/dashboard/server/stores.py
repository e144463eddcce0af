"""The stores that a dashboard shows, by their numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking import TrackingError
from tracking.files import refuse_link
from tracking.values.names import check_component

if TYPE_CHECKING:
    from tracking.browse.reader import StoreReader


FOLDERS = ("runs", "sweeps")  # one of them is what makes a folder a store


class UnknownPlaceError(TrackingError, LookupError):
    """A store, a sweep or a job that a request names is not there."""


class GoneStoreError(TrackingError, LookupError):
    """A folder that was a store when the dashboard looked before is none any more."""


@dataclass
class OpenStore:
    """A store, with what reads it."""

    number: int
    name: str
    path: Path
    reader: "StoreReader"
    _was_there: bool = False

    def require(self) -> "OpenStore":
        """Return the store; raise GoneStoreError if it was there before and is no more. One that is still to come has no runs."""
        is_there = any((self.path / folder).is_dir() for folder in FOLDERS)
        if self._was_there and not is_there:
            raise GoneStoreError(
                f"the store {self.path} is gone: it was moved or deleted; it is shown again when it is back"
            )
        self._was_there = is_there
        return self

    def sweep_folder(self, sweep: str) -> Path:
        """Return the folder of a sweep by its id; raise UnknownPlaceError if there is none, or only a link to one."""
        parent = self.path / "sweeps"
        folder = parent / check_component("sweep", sweep)
        refuse_link(parent, folder)
        plan = folder / "plan.json"
        if not plan.is_file() or plan.is_symlink():
            raise UnknownPlaceError(f"{self.name} has no sweep {sweep}")
        return folder

    def as_plain(self) -> dict[str, Any]:
        """Return what pages show of the store."""
        return {"number": self.number, "name": self.name, "path": str(self.path)}


def open_stores(paths: Sequence[Path]) -> list[OpenStore]:
    """Return the stores in these folders, each with a name that tells it from the others; nothing is read yet."""
    from tracking.browse.reader import StoreReader

    absolute = [path.absolute() for path in paths]
    return [
        OpenStore(number, name, path, StoreReader(path)).require()
        for number, (name, path) in enumerate(zip(names_of(absolute), absolute, strict=True))
    ]


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the last folders of each path, as many as tell them apart."""
    deepest = max((len(path.parts) for path in paths), default=0)
    for parts in range(1, deepest + 1):
        names = ["/".join(path.parts[-parts:]).replace("//", "/") for path in paths]
        if max(Counter(names).values()) == 1:
            return names
    return [str(path) for path in paths]
