"""Which version may become the champion, and which may be archived or removed; and the event of a registration."""

import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from types import EllipsisType

from tracking.errors import (
    ChampionChangedError,
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    ModelLoadError,
    UnknownModelError,
    quoted,
)
from tracking.files import atomic, regular
from tracking.paths import ModelPaths
from tracking.process.program import command
from tracking.registry.events import (
    CHAMPION,
    add_event,
    aliases_of,
    archived,
    read_events,
    refresh_aliases,
    removed,
)
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion
from tracking.registry.versions import verify
from tracking.values.names import check_component

log = logging.getLogger("tracking")

ARRIVALS = (EventKind.REGISTERED, EventKind.IMPORTED)
_LIKE_A_VERSION = re.compile(r"[vV][0-9]+")
SUCCESSIONS = (EventKind.PROMOTED, EventKind.ROLLED_BACK)


def intact_before(name: str, past: Sequence[int], version_of: Callable[[int], ModelVersion]) -> ModelVersion:
    """Return the newest champion of `past` before the last that can be loaded; log those that it steps over."""
    refused = f"model {name!r} cannot be rolled back"
    if not past:
        raise UnknownModelError(f"{refused}: it has no champion")
    earlier = [number for number in dict.fromkeys(reversed(past)) if number != past[-1]]
    faults = []
    for number in earlier:
        try:
            version = version_of(number)
            verify(version)
        except (CorruptFileError, ModelLoadError, UnknownModelError) as error:
            faults.append(f"version {number} cannot be the champion of {name!r}: {error}")
            continue
        for fault in faults:
            log.warning("stepped over: %s", fault)
        return version
    raise UnknownModelError(f"{refused}: {'; '.join(faults) or f'version {past[-1]} is the first champion'}")


def check_was_champion(name: str, version: int, events: Sequence[ModelEvent]) -> None:
    """Raise UnknownModelError for a version that no event made the champion."""
    made = {number for each in events if each.kind in SUCCESSIONS for number in (each.version, each.before)}
    if version not in made:
        raise UnknownModelError(
            f"version {version} of {name!r} never was its champion; to make it that: {command(f'promote {name}@{version} --why WHY')}"
        )


def check_live(name: str, version: int, events: list[ModelEvent]) -> None:
    """Raise UnknownModelError for a removed version, and InvalidValueError for one that is archived."""
    if version in removed(events):
        raise UnknownModelError(f"version {version} of {name!r} was removed")
    if version in archived(events):
        raise InvalidValueError(
            f"version {version} of {name!r} is archived; take it back first: {command(f'unarchive {name}@{version}')}"
        )


def check_replaces(
    name: str, version: int, now: Sequence[int], instead_of: int | EllipsisType | None
) -> None:
    """Raise ChampionChangedError if a version would replace another champion than `instead_of`; any if that is `...`."""
    expected = [] if instead_of is None else [instead_of]
    if instead_of is not ... and now not in (expected, [version]):
        is_now, was = (f"version {each[-1]}" if each else "none" for each in (now, expected))
        raise ChampionChangedError(
            f"the champion of {name!r} is {is_now}, not {was}: judge version {version} again"
        )


def check_unnamed(paths: ModelPaths, version: int, events: list[ModelEvent]) -> None:
    """Raise InvalidValueError for a version that is the champion or has an alias."""
    held = [alias for alias, number in aliases_of(paths, events).items() if number == version]
    if held:
        aliases = ", ".join(quoted(each) for each in held if each != CHAMPION)
        is_held = ["is its champion"] if CHAMPION in held else []
        is_held += [f"has the alias {aliases}"] if aliases else []
        ways = ["promote or roll back to another version"] if CHAMPION in held else []
        ways += ["let the alias name another version or nothing"] if aliases else []
        raise InvalidValueError(
            f"version {version} of {paths.folder.name!r} {' and '.join(is_held)}; {', '.join(ways)}, or remove the whole model"
        )


def check_alias(alias: str) -> None:
    """Raise InvalidNameError or InvalidValueError for an alias that would be misread."""
    check_component("alias", alias, example="staging")
    if alias == CHAMPION:
        raise InvalidValueError(
            "the alias 'champion' is moved by promote and rollback alone; choose another name"
        )
    if alias.isdecimal():
        raise InvalidValueError(
            f"alias {alias!r} reads like the number of a version; choose a name such as 'staging'"
        )


def _may_stand_in(char: str) -> bool:
    """Return whether an alias may hold a character: letters and digits of any script, with the marks that some scripts put on them."""
    return char.isalnum() or char in "._-" or unicodedata.category(char).startswith("M")


def check_new_alias(alias: str) -> None:
    """Raise as `check_alias`, and for those that older versions of podium allowed: v2, and two words."""
    check_alias(alias)
    unfit = next((each for each in alias if not _may_stand_in(each)), None)
    if unfit is not None:
        raise InvalidNameError(
            f"alias {quoted(alias)} holds {quoted(unfit)}; use letters, digits, '_', '-' and '.', such as 'staging'"
        )
    if _LIKE_A_VERSION.fullmatch(alias):
        raise InvalidValueError(
            f"alias {alias!r} reads like a version, as 2, v2 and V2 do; choose a name such as 'staging'"
        )


def note_registration(paths: ModelPaths, version: ModelVersion, by: str | None = None) -> None:
    """Add the event of a registration or an import unless it is there; the caller holds the model's lock.

    A killed process may have left it or aliases.json out.
    """
    number, run_id, origin = version.version, version.run_id, version.origin
    if any(each.kind in ARRIVALS and each.version == number for each in read_events(paths)):
        refresh_aliases(paths)
        return
    kind, reason = EventKind.REGISTERED, f"from {run_id}"
    if origin is not None:
        kind = EventKind.IMPORTED
        reason = (
            f"from version {origin.get('version')} of {origin.get('name')!r} in another store, run {run_id}"
        )
    key, verdict = atomic.sha256(paths.manifest(number)), None
    if origin is not None and regular.is_file(paths.verdict(number)):
        verdict = atomic.sha256(paths.verdict(number))
    add_event(paths, kind, number, reason=reason, by=by, run_id=run_id, key=key, verdict=verdict)
