"""The history of one model: an append-only list of events that determines its champion.

aliases.json is a view of it for people and other programs, and can be deleted.
"""

import logging

from tracking.errors import CorruptFileError
from tracking.files import append, atomic
from tracking.paths import ModelPaths
from tracking.process.identity import login
from tracking.registry.model_records import EventKind, ModelEvent
from tracking.values import timestamps

log = logging.getLogger("tracking")


def read_events(paths: ModelPaths) -> list[ModelEvent]:
    """Return all events, oldest first; log and skip damaged lines."""
    events = []
    for line in append.read_lines(paths.events):
        try:
            events.append(
                ModelEvent(
                    kind=EventKind(line["event"]),
                    version=int(line["version"]),
                    at=timestamps.parse(line["at"]),
                    by=line.get("by", ""),
                    reason=line.get("reason", ""),
                    before=line.get("before"),
                )
            )
        except (KeyError, TypeError, ValueError):
            log.warning("left out: %s: a line that is not an event: %.80r", paths.events, line)
    return events


def champions(events: list[ModelEvent]) -> list[int]:
    """Return the champions that rollbacks can return to, the current one last."""
    stack: list[int] = []
    for event in events:
        if event.kind is EventKind.PROMOTED:
            stack.append(event.version)
        elif event.kind is EventKind.ROLLED_BACK and stack:
            stack.pop()
    return stack


def add_event(paths: ModelPaths, kind: EventKind, version: int, *, reason: str, by: str | None) -> None:
    """Append an event durably and rewrite aliases.json; the caller holds the model's lock."""
    before = champions(read_events(paths))
    line = {
        "format": 1,
        "event": kind.value,
        "version": version,
        "at": timestamps.now(),
        "by": by or login(),
        "reason": reason,
        "before": before[-1] if before else None,
    }
    append.append_line(paths.events, line, durable=True)  # first: aliases.json can be written from it again
    write_aliases(paths)


def write_aliases(paths: ModelPaths) -> None:
    """Write aliases.json from the events."""
    atomic.write_json(paths.aliases, _aliases(paths))


def refresh_aliases(paths: ModelPaths) -> None:
    """Write aliases.json from the events where it differs from them: a process may have been killed in between."""
    if not aliases_agree(paths):
        write_aliases(paths)


def aliases_agree(paths: ModelPaths) -> bool:
    """Return whether aliases.json says what the events say; without a champion it may be missing."""
    try:
        return atomic.read_object(paths.aliases) == _aliases(paths)
    except FileNotFoundError:
        return not _aliases(paths)
    except CorruptFileError:
        return False


def _aliases(paths: ModelPaths) -> dict[str, int]:
    now = champions(read_events(paths))
    return {"champion": now[-1]} if now else {}
