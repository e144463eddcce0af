"""Looks: how often the rows of a split have decided about a model, counted in its history.

Each further look at the same rows makes a false promotion more likely, so the gate asks more of it. A look is counted
before anything is compared: one that was killed has been spent. Levels of looks add up only if the first one fixes them, so
alpha and the plan are those of the first look. Rows that a split shares with an earlier one do not become new by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tracking.errors import InvalidValueError, quoted
from tracking.paths import ModelPaths
from tracking.registry import overlap
from tracking.registry.events import add_event, read_events, refresh_aliases
from tracking.registry.model_records import EventKind, ModelEvent
from tracking.values.units import counted

MAX_TEXT = 256  # characters of a split's hash and of a key
ALPHA = 0.05  # of looks that were counted before they kept theirs
MOST_SHARED = (
    0.1  # share of a split's rows that may have decided before, beyond those that duplicates explain
)


@dataclass(frozen=True)
class Look:
    """A look that is to be spent: which judgement at which rows, and how the looks at them are to be counted."""

    split: str
    key: str
    alpha: float = ALPHA
    planned: int | None = None
    rows: Sequence[int] = ()  # the smallest hashes of the rows, by `overlap.sketch_of`
    explained: float = 0.0  # share of the rows that other rows of the same source are equal to by chance

    def __post_init__(self) -> None:
        for what, text in (("split", self.split), ("key", self.key)):
            if not (isinstance(text, str) and 0 < len(text) <= MAX_TEXT):
                raise InvalidValueError(f"{what} {quoted(text)} must be a text of 1 to {MAX_TEXT} characters")


def counted_at(events: Sequence[ModelEvent], split: str) -> list[ModelEvent]:
    """Return the looks that are counted together with those at a split, oldest first."""
    looks = [event for event in events if event.kind is EventKind.LOOKED]
    first = next((event.of or event.split for event in looks if event.split == split), split)
    return [event for event in looks if (event.of or event.split) == first]


def spend(paths: ModelPaths, version: int, look: Look, *, by: str | None) -> int:
    """Return the number of a look and append its event, unless this key has looked; the caller holds the model's lock.

    Two stores that a sync program brought together may both have made the third look: the next is the fifth. Raise
    InvalidValueError if the first look at these rows was counted with another alpha or plan.
    """
    events = read_events(paths)
    earlier, share = counted_at(events, look.split), None
    is_new = all(event.split != look.split for event in earlier)
    if is_new:
        earlier, share = _shared_with(events, look)
    _check_plan(earlier, look)
    spent = {event.key: event.look or 1 for event in earlier if event.split == look.split}
    if look.key in spent:
        refresh_aliases(paths)
        return spent[look.key]
    judgements = {(event.split, event.key) for event in earlier}
    number = 1 + max(len(judgements), max((event.look or 1 for event in earlier), default=0))
    first = (earlier[0].of or earlier[0].split) if earlier else None
    of = None if first == look.split else first
    reason = f"look {number} at the rows {look.split[:19]}"
    if is_new and share is not None:
        reason += f", of which {share:.0%} were looked at before as {str(of)[:19]}"
    is_known = any(event.rows for event in earlier if event.split == look.split)
    add_event(
        paths, EventKind.LOOKED, version, reason=reason, by=by, split=look.split, look=number, key=look.key,
        alpha=look.alpha, planned=look.planned, of=of, overlap=share,
        rows=overlap.written(look.rows) if look.rows and not is_known else None,
    )  # fmt: skip
    return number


def refuse(
    paths: ModelPaths,
    version: int,
    *,
    reason: str,
    by: str | None,
    key: str | None,
    verdict: str | None = None,
) -> None:
    """Append that a version was refused, unless this key says so already; the caller holds the model's lock."""
    known = (
        key is not None and (event.kind, event.version, event.key) == (EventKind.REFUSED, version, key)
        for event in read_events(paths)
    )
    if any(known):
        refresh_aliases(paths)
    else:
        add_event(paths, EventKind.REFUSED, version, reason=reason, by=by, key=key, verdict=verdict)


def _shared_with(events: Sequence[ModelEvent], look: Look) -> tuple[list[ModelEvent], float | None]:
    """Return the looks that a new split's go on from, and the share of its rows that they saw; none for new rows.

    Of several such earlier splits it is the one that was looked at most.
    """
    found: list[tuple[int, float, list[ModelEvent]]] = []
    for event in events:
        if event.kind is EventKind.LOOKED and event.rows and event.split:
            share = overlap.shared(look.rows, overlap.read(event.rows))
            if share - look.explained > MOST_SHARED:
                together = counted_at(events, event.split)
                found.append((len(together), share, together))
    if not found:
        return [], None
    _, share, together = max(found, key=lambda each: each[:2])
    return together, share


def _check_plan(earlier: Sequence[ModelEvent], look: Look) -> None:
    """Raise InvalidValueError for another alpha or plan than that of the first look."""
    if not earlier:
        return
    first = earlier[0]
    alpha, planned = ALPHA if first.alpha is None else first.alpha, first.planned
    if (alpha, planned) != (look.alpha, look.planned):
        raise InvalidValueError(
            f"the looks at these rows are counted with {_plan(alpha, planned)} since {first.at:%Y-%m-%d}, not "
            f"with {_plan(look.alpha, look.planned)} as asked; judge by new rows to change them"
        )


def _plan(alpha: float, planned: int | None) -> str:
    return f"alpha {alpha:g} and {'no plan' if planned is None else counted(planned, 'planned look')}"
