"""Looks: how often the rows of a split have decided about a model, counted in its history.

Each further look at the same rows makes a false promotion more likely, so the gate asks more of it. A look is counted
before anything is compared: one that was killed has been spent.
"""

from tracking.errors import InvalidValueError, quoted
from tracking.paths import ModelPaths
from tracking.registry.events import add_event, read_events, refresh_aliases
from tracking.registry.model_records import EventKind, ModelEvent

MAX_TEXT = 256  # characters of a split's hash and of a key


def looks_at(events: list[ModelEvent], split: str) -> dict[str | None, int]:
    """Return the looks at a split by their keys, each with its number."""
    return {
        event.key: event.look or 1
        for event in events
        if event.kind is EventKind.LOOKED and event.split == split
    }


def spend(paths: ModelPaths, version: int, *, split: str, key: str, by: str | None) -> int:
    """Return the number of a look and append its event, unless this key has looked; the caller holds the model's lock.

    Two stores that a sync program brought together may both have made the third look: the next is the fifth.
    """
    for what, text in (("split", split), ("key", key)):
        if not (isinstance(text, str) and 0 < len(text) <= MAX_TEXT):
            raise InvalidValueError(f"{what} {quoted(text)} must be a text of 1 to {MAX_TEXT} characters")
    spent = looks_at(read_events(paths), split)
    if key in spent:
        refresh_aliases(paths)
        return spent[key]
    look = 1 + max(len(spent), max(spent.values(), default=0))
    reason = f"look {look} at the rows {split[:19]}"
    add_event(paths, EventKind.LOOKED, version, reason=reason, by=by, split=split, look=look, key=key)
    return look


def refuse(paths: ModelPaths, version: int, *, reason: str, by: str | None, key: str | None) -> None:
    """Append that a version was refused, unless this key says so already; the caller holds the model's lock."""
    known = (
        key is not None and (event.kind, event.version, event.key) == (EventKind.REFUSED, version, key)
        for event in read_events(paths)
    )
    if any(known):
        refresh_aliases(paths)
    else:
        add_event(paths, EventKind.REFUSED, version, reason=reason, by=by, key=key)
