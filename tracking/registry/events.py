"""The history of one model: an append-only list of events that determines its champion and its aliases.

aliases.json is a view of it for people and other programs, and can be deleted.
"""

import logging
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import append, atomic, regular
from tracking.paths import ModelPaths
from tracking.process.identity import login
from tracking.registry.model_records import EventKind, ModelEvent
from tracking.values import timestamps
from tracking.values.secrets import masked_text

MAX_VERSION = 10**18 - 1  # more digits would not be read back as the name of a folder
CHAMPION = "champion"  # the alias that promotions and rollbacks move

log = logging.getLogger("tracking")


def read_events(paths: ModelPaths) -> list[ModelEvent]:
    """Return all events, oldest first; log and skip damaged lines. Raise CorruptFileError if no line can be read."""
    events = []
    try:
        for line in append.read_lines(paths.events):
            try:
                events.append(_event(line))
            except (KeyError, TypeError, ValueError, OverflowError):
                log.warning("left out: %s: a line that is not an event: %.80r", paths.events, line)
    except OSError as error:  # a folder in its place, or a file of another user
        raise CorruptFileError(
            f"{paths.events} cannot be read ({error.strerror or error}); restore the file"
        ) from None
    return events


def champions(events: list[ModelEvent]) -> list[int]:
    """Return the champions that rollbacks can return to, the current one last.

    An event also says what was true beside it, which makes up for a line that is damaged.
    """
    stack: list[int] = []
    for event in events:
        if event.kind is EventKind.PROMOTED:
            if event.before is not None and stack[-1:] != [event.before]:
                _return_to(stack, event.before)
            stack.append(event.version)
        elif event.kind is EventKind.ROLLED_BACK:
            del stack[-1:]
            _return_to(stack, event.version)
        elif event.kind is EventKind.REMOVED:
            stack = [version for version in stack if version != event.version]
    return stack


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
    try:
        alias = atomic.read_object(paths.aliases).get(CHAMPION)
    except (FileNotFoundError, CorruptFileError):
        return None
    changes = [event for event in events if event.kind in (EventKind.PROMOTED, EventKind.ROLLED_BACK)]
    made = {number for event in changes for number in (event.version, event.before)} | removed(events)
    if type(alias) is not int or alias in made or not regular.is_file(paths.manifest(alias)):
        return None
    return alias


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
        elif event.kind is EventKind.REMOVED:
            aliases = {alias: version for alias, version in aliases.items() if version != event.version}
    return {**({CHAMPION: now[-1]} if now else {}), **dict(sorted(aliases.items()))}


def registrations(events: list[ModelEvent]) -> dict[int, str | None]:
    """Return the registered versions that were not removed, each with its run where the event says it."""
    found: dict[int, str | None] = {}
    for event in events:
        if event.kind is EventKind.REGISTERED:
            # version 0.1.0 says it in words alone
            found[event.version] = event.run_id or event.reason.removeprefix("from ") or None
    gone = removed(events)
    return {version: run_id for version, run_id in found.items() if version not in gone}


def removed(events: list[ModelEvent]) -> set[int]:
    """Return the numbers of the versions that were removed."""
    return {event.version for event in events if event.kind is EventKind.REMOVED}


def add_event(
    paths: ModelPaths,
    kind: EventKind,
    *versions: int,
    reason: str,
    by: str | None,
    run_id: str | None = None,
    alias: str | None = None,
) -> None:
    """Append an event for each version durably and rewrite aliases.json; the caller holds the model's lock."""
    before = standing(paths)
    more = {"run_id": run_id, "alias": alias}
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
    append.append_lines(paths.events, lines, durable=True)  # first: aliases.json can be written from it again
    write_aliases(paths)


def _event(line: Any) -> ModelEvent:
    """Return the event of a line; raise KeyError, TypeError or ValueError when it is none."""
    numbers = (int(line["version"]), line.get("before"))
    texts = (line.get("by", ""), line.get("reason", ""), line.get("run_id") or "", line.get("alias") or "")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(texts)
    if not all(number is None or (type(number) is int and 0 < number <= MAX_VERSION) for number in numbers):
        raise ValueError(numbers)
    return ModelEvent(
        kind=EventKind(line["event"]),
        version=int(line["version"]),
        at=timestamps.parse(line["at"]),
        by=texts[0],
        reason=texts[1],
        before=line.get("before"),
        run_id=line.get("run_id"),
        alias=line.get("alias"),
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
