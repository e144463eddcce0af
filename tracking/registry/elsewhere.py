"""Looks at the same rows that the history of a model does not count: about other models, and in stores that versions came from.

They make nothing stricter. A verdict says them, so that a new name for old models is seen.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import CorruptFileError, TrackingError
from tracking.paths import ModelPaths
from tracking.registry.events import read_events
from tracking.registry.judgements import is_foreign
from tracking.registry.looks import Look, earlier_at
from tracking.registry.model_records import EventKind, Verdict

if TYPE_CHECKING:
    from tracking.registry.reading import RegistryReader


@dataclass(frozen=True)
class Brought:
    """The look of a verdict that came with an imported version: at the same rows, or at rows of which that is not known."""

    version: int
    model: str  # its name there
    look: int
    is_same: bool


@dataclass(frozen=True)
class Elsewhere:
    """Looks that are not counted: of other models of the store by name, and those that imported versions tell of.

    `is_part` says that some of them were at rows that are the same in part. `unread` are the models whose history cannot be read.
    """

    looks: Mapping[str, int] = field(default_factory=dict)
    is_part: bool = False
    brought: tuple[Brought, ...] = ()
    unread: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any] | None:
        """Return what a verdict keeps of them; None of none."""
        if not (self.looks or self.brought or self.unread):
            return None
        brought = [
            {"version": each.version, "name": each.model, "look": each.look, "same_rows": each.is_same}
            for each in self.brought
        ]
        return {"models": dict(self.looks), "imported": brought, "unread": list(self.unread)}


def found_elsewhere(
    registry: "RegistryReader", models: Path, name: str, look: Look, versions: Iterable[int]
) -> Elsewhere:
    """Return the looks that `RegistryReader.looks_elsewhere` promises; `models` is the folder of all models."""
    looks: dict[str, int] = {}
    known, unread, is_part = set[str | None](), list[str](), False
    for model in registry.models_ever():
        paths = ModelPaths(models / model)
        try:
            events = read_events(paths)
            if not events and paths.events.stat().st_size:
                raise CorruptFileError(f"{paths.events} has no line that can be read")
        except (CorruptFileError, OSError):
            unread.append(model)
            continue
        looked = [event for event in events if event.kind is EventKind.LOOKED and event.split]
        known |= {event.key for event in looked}
        if model != name and (earlier := earlier_at(looked, look)).count:
            looks[model] = earlier.count
            is_part = is_part or (earlier.share is not None and round(earlier.share, 2) < 1)
    brought = tuple(_brought(registry, name, look.split, set(versions), known - {None}))
    return Elsewhere(looks, is_part, brought, tuple(unread))


def _brought(
    registry: "RegistryReader",
    name: str,
    split: str,
    versions: set[int],
    known: set[str | None],
) -> Iterator[Brought]:
    """Yield the latest look that each imported version brought along, but for those that a history of the store has."""
    imported = [event.version for event in registry.history(name) if event.kind is EventKind.IMPORTED]
    for number in dict.fromkeys(imported):
        try:
            version = registry.version(name, number)
            verdicts = [each.verdict for each in registry.verdicts(name, number)]
        except TrackingError:
            continue  # it is removed, or lost
        told = [each for verdict in verdicts if is_foreign(verdict, version) for each in _look_of(verdict)]
        new = [each for each in told if each[2] not in known]
        same = [each for each in new if each[0] == split]
        chosen = same or (new if number in versions else [])
        if chosen:
            model = str((version.origin or {}).get("name"))
            yield Brought(number, model, max(each[1] for each in chosen), bool(same))


def _look_of(verdict: Verdict) -> Iterator[tuple[str, int, str | None]]:
    """Yield the split, the number and the key of the look of a verdict, which may hold anything; nothing without one."""
    look, split, key = (verdict.facts.get(each) for each in ("look", "split", "key"))
    if isinstance(look, Mapping) and isinstance(split, Mapping):
        number, digest = look.get("number"), split.get("hash")
        if type(number) is int and number > 0 and isinstance(digest, str):
            yield digest, number, key if isinstance(key, str) else None
