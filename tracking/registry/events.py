"""The history of one model: an append-only list of events that determines its champion and its aliases.

aliases.json is a view of it for people and other programs, and can be deleted.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, quoted
from tracking.files import append, atomic, regular
from tracking.paths import ModelPaths, StorePaths, is_conflict
from tracking.process.identity import login
from tracking.registry.model_records import EventKind, ModelEvent
from tracking.values import jsontext, timestamps
from tracking.values.names import is_component
from tracking.values.secrets import masked_text
from tracking.values.units import counted

MAX_VERSION = 10**18 - 1  # more digits would not be read back as the name of a folder
CHAMPION = "champion"  # the alias that promotions and rollbacks move
GONE = (EventKind.REMOVED, EventKind.ARCHIVED)  # after these a version is no champion and has no alias
_TEXTS = ("run_id", "alias", "split", "key", "verdict", "of", "rows")  # fields of some kinds of events

log = logging.getLogger("tracking")


def read_events(paths: ModelPaths) -> list[ModelEvent]:
    """Return all events, oldest first; log and skip damaged lines. Raise CorruptFileError if no line can be read.

    Events that only a version of the file has, which a sync program kept beside it, are among them.
    """
    try:
        events = [event for _, event in _events_of(paths.events)]
        more = lines_beyond(paths)
    except OSError as error:  # a folder in its place, or a file of another user
        raise CorruptFileError(
            f"{paths.events} cannot be read ({error.strerror or error}); restore the file"
        ) from None
    return sorted(events + [_event(line) for line in more], key=lambda event: event.at) if more else events


def history_stamp(store: Path, name: str) -> str:
    """Return a text that changes with the champion of a model; costs one look at a file. A model that is none has none."""
    if not is_component(name):
        return ""
    try:
        found = ModelPaths(StorePaths(store).models / name).events.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}"


def models_stamp(store: Path) -> str:
    """Return a text that changes with any model of a store: its history, its versions, their verdicts; costs some microseconds a version."""
    root, parts = StorePaths(store).models, list[str]()
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208 - names alone
    except OSError:
        names = []
    for name in filter(is_component, names):
        parts.append(f"{name} {history_stamp(store, name)}")
        try:
            with os.scandir(root / name) as entries:  # a verdict is put into the folder of its version
                parts += sorted(f"{each.name} {each.stat().st_mtime_ns}" for each in entries if each.is_dir())
        except OSError:
            parts.append("-")
    return hashlib.blake2b("\n".join(parts).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def lines_beyond(paths: ModelPaths) -> list[Any]:
    """Return the lines of events that conflict copies of a history have and it lacks."""
    copies = conflicts(paths.folder, "events")
    known = [event for _, event in _events_of(paths.events)] if copies else []
    more = []
    for copy in copies:
        try:
            for line, event in _events_of(copy):
                if event not in known:
                    known.append(event)
                    more.append(line)
        except OSError as error:
            log.warning("left out: %s", error)
    return more


def conflicts(folder: Path, start: str = "") -> list[Path]:
    """Return the files of a folder that a sync program kept beside another version, of names with this start."""
    try:
        with regular.reading(folder):
            names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names) if name.startswith(start) and is_conflict(name)]


def merge_copies(paths: ModelPaths) -> str:
    """Write a history with what its conflict copies have beyond it, by time; return what came of it."""
    known = [line for line, _ in _events_of(paths.events)]
    lines = sorted(known + lines_beyond(paths), key=lambda line: _event(line).at)
    atomic.write_bytes(paths.events, b"".join(jsontext.encode(line) + b"\n" for line in lines))
    write_aliases(paths)
    return f"{counted(len(known), 'event')} before, {len(lines)} after"


def _events_of(path: Path) -> Iterator[tuple[Any, ModelEvent]]:
    for line in append.read_lines(path):
        try:
            yield line, _event(line)
        except (KeyError, TypeError, ValueError, OverflowError):
            log.warning("left out: %s: a line that is not an event: %.80r", path, line)


def champions(events: list[ModelEvent]) -> list[int]:
    """Return the champions that rollbacks can return to, the current one last.

    An event also says what was true beside it, which makes up for a line that is damaged.
    """
    stack: list[int] = []
    for event in events:
        _follow(stack, event)
    return stack


def _follow(stack: list[int], event: ModelEvent) -> None:
    """Bring the champions that rollbacks can return to up to an event."""
    if event.kind is EventKind.PROMOTED:
        if event.before is not None and stack[-1:] != [event.before]:
            _return_to(stack, event.before)
        stack.append(event.version)
    elif event.kind is EventKind.ROLLED_BACK:
        del stack[-1:]
        _return_to(stack, event.version)
    elif event.kind in GONE:
        stack[:] = [version for version in stack if version != event.version]


def reigns(events: list[ModelEvent]) -> list[tuple[ModelEvent, int, ModelEvent | None]]:
    """Return each time that a version was the champion, oldest first: since which event, which version, until which."""
    found: list[tuple[ModelEvent, int, ModelEvent | None]] = []
    stack: list[int] = []
    for event in events:
        before = stack[-1:]
        _follow(stack, event)
        if stack[-1:] != before:
            if before:
                found[-1] = (*found[-1][:2], event)
            if stack:
                found.append((event, stack[-1], None))
    return found


def standing(paths: ModelPaths, events: list[ModelEvent] | None = None) -> list[int]:
    """Return the champions that rollbacks can return to, the current one last.

    They follow from the events, which are read unless they are given. A champion of aliases.json that no event made one
    is the last: its event was lost.
    """
    events = read_events(paths) if events is None else events
    stack, alias = champions(events), lost_champion(paths, events)
    return stack if alias is None else [*stack, alias]


def lost_champion(paths: ModelPaths, events: list[ModelEvent]) -> int | None:
    """Return the champion that aliases.json names and no event ever made one; None without."""
    return lost_aliases(paths, events).get(CHAMPION)


def lost_aliases(paths: ModelPaths, events: list[ModelEvent]) -> dict[str, int]:
    """Return the aliases of aliases.json that no event ever gave to their version: the events were lost."""
    try:
        held = atomic.read_object(paths.aliases)
    except (FileNotFoundError, CorruptFileError):
        return {}
    changes = [event for event in events if event.kind in (EventKind.PROMOTED, EventKind.ROLLED_BACK)]
    made = {(CHAMPION, number) for event in changes for number in (event.version, event.before)}
    made |= {(event.alias, event.version) for event in events if event.alias}
    gone = removed(events) | archived(events)
    return {
        alias: number
        for alias, number in held.items()
        if type(number) is int
        and (alias, number) not in made
        and number not in gone
        and regular.is_file(paths.manifest(number))
    }


def aliases_of(paths: ModelPaths, events: list[ModelEvent] | None = None) -> dict[str, int]:
    """Return the version of each alias, the champion first; as `standing`."""
    events = read_events(paths) if events is None else events
    now = standing(paths, events)
    aliases: dict[str, int] = {}
    for event in events:
        if event.kind is EventKind.ALIASED and event.alias:
            aliases[event.alias] = event.version
        elif event.kind is EventKind.UNALIASED and event.alias:
            aliases.pop(event.alias, None)
        elif event.kind in GONE:
            aliases = {alias: version for alias, version in aliases.items() if version != event.version}
    lost = lost_aliases(paths, events)
    aliases.update((alias, number) for alias, number in lost.items() if alias != CHAMPION)
    return {**({CHAMPION: now[-1]} if now else {}), **dict(sorted(aliases.items()))}


def registrations(events: list[ModelEvent]) -> dict[int, str | None]:
    """Return the registered versions that were not removed, each with its run where the event says it."""
    found: dict[int, str | None] = {}
    for event in events:
        if event.kind is EventKind.IMPORTED:
            found[event.version] = event.run_id
        elif event.kind is EventKind.REGISTERED:
            # version 0.1.0 says it in words alone
            found[event.version] = event.run_id or event.reason.removeprefix("from ") or None
    gone = removed(events)
    return {version: run_id for version, run_id in found.items() if version not in gone}


def removed(events: list[ModelEvent]) -> set[int]:
    """Return the numbers of the versions that were removed."""
    return {event.version for event in events if event.kind is EventKind.REMOVED}


def archived(events: list[ModelEvent]) -> set[int]:
    """Return the numbers of the versions that are archived now."""
    found: set[int] = set()
    for event in events:
        if event.kind is EventKind.ARCHIVED:
            found.add(event.version)
        elif event.kind is EventKind.UNARCHIVED:
            found.discard(event.version)
    return found


def add_event(
    paths: ModelPaths,
    kind: EventKind,
    *versions: int,
    reason: str,
    by: str | None,
    **more: str | float | None,
) -> None:
    """Append an event for each version durably and rewrite aliases.json; the caller holds the model's lock.

    `more` are the fields of ModelEvent that only some kinds have; those that are None are left out. Raise InvalidValueError
    for values that would not be read back.
    """
    events = read_events(paths)
    before = standing(paths, events)
    if kind is EventKind.PROMOTED and lost_champion(paths, events) in versions:
        before.pop()  # it is the same
    lines = [
        {
            "format": 1,
            "event": kind.value,
            "version": version,
            "at": timestamps.now(),
            "by": by or login(),
            "reason": masked_text(reason),
            "before": before[-1] if before else None,
            **{name: value for name, value in more.items() if value is not None},
        }
        for version in versions
    ]
    for line in lines:
        try:
            _event(line)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidValueError(f"a history cannot keep {quoted(line)}: {error}") from None
    append.append_chained(
        paths.events, lines, durable=True
    )  # first: aliases.json can be written from it again
    write_aliases(paths)


def _event(line: Any) -> ModelEvent:
    """Return the event of a line; raise KeyError, TypeError or ValueError when it is none."""
    version = int(line["version"])
    counts = {name: line.get(name) for name in ("before", "look", "planned", "splits")}
    shares = {name: line.get(name) for name in ("alpha", "overlap")}
    texts = (line.get("by", ""), line.get("reason", ""), *(line.get(name) or "" for name in _TEXTS))
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(texts)
    if not all(
        number is None or (type(number) is int and 0 < number <= MAX_VERSION)
        for number in (version, *counts.values())
    ):
        raise ValueError(counts)
    if not all(
        share is None or (type(share) in (int, float) and 0 <= share <= 1) for share in shares.values()
    ):
        raise ValueError(shares)
    return ModelEvent(
        kind=EventKind(line["event"]),
        version=version,
        at=timestamps.parse(line["at"]),
        by=texts[0],
        reason=texts[1],
        **counts,
        **shares,
        **{name: line.get(name) for name in _TEXTS},
    )


def _return_to(stack: list[int], version: int) -> None:
    """Make a version the last of a stack: cut what came after it, or add it."""
    if version in stack:
        while stack[-1] != version:
            stack.pop()
    else:
        stack.append(version)


def write_aliases(paths: ModelPaths) -> None:
    """Write aliases.json from the events."""
    atomic.write_json(paths.aliases, aliases_of(paths))


def refresh_aliases(paths: ModelPaths) -> None:
    """Write aliases.json from the events where it differs from them: a process may have been killed in between."""
    if not aliases_agree(paths):
        write_aliases(paths)


def aliases_agree(paths: ModelPaths) -> bool:
    """Return whether aliases.json says what the events say; without an alias it may be missing."""
    expected = aliases_of(paths)
    try:
        return atomic.read_object(paths.aliases) == expected
    except FileNotFoundError:
        return not expected
    except CorruptFileError:
        return False
