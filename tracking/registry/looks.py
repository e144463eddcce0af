"""Looks: how often the rows of a split have decided about a model, counted in its history.

Each further look at the same rows makes a false promotion more likely, so the gate asks more of it. A look is counted
before anything is compared: one that was killed has been spent. Levels of looks add up only if the first one fixes them, so
alpha and the plan are those of the first look. Rows that a split shares with earlier ones do not become new by that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.files import atomic
from tracking.paths import ModelPaths
from tracking.registry import given, overlap
from tracking.registry.events import add_event, read_events, refresh_aliases
from tracking.registry.judgements import kept
from tracking.registry.model_records import EventKind, KeptVerdict, ModelEvent
from tracking.registry.versions import folder_numbers, is_complete
from tracking.values import timestamps
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
        given.check_share("alpha", self.alpha, is_open=True)
        given.check_count("planned", self.planned)
        given.check_hashes("rows", self.rows, overlap.BITS)
        given.check_share("explained", self.explained)


def counted_at(events: Sequence[ModelEvent], split: str) -> list[ModelEvent]:
    """Return the looks that are counted together with those at a split, oldest first."""
    looks = [event for event in events if event.kind is EventKind.LOOKED]
    first = next((event.of or event.split for event in looks if event.split == split), split)
    return [event for event in looks if (event.of or event.split) == first]


@dataclass(frozen=True)
class Earlier:
    """The looks that those at a split are counted with, oldest first; of a new split, which share of its rows they saw.

    `splits` is how many earlier splits share rows with a new one, each with those whose looks are counted with it.
    """

    looks: Sequence[ModelEvent] = ()
    share: float | None = None
    splits: int = 0

    @property
    def count(self) -> int:
        """How many looks they are. Two stores that a sync program brought together may both have made the third: then three."""
        judgements = {(event.split, event.key) for event in self.looks}
        return max(len(judgements), max((event.look or 1 for event in self.looks), default=0))

    @property
    def first(self) -> str | None:
        """The split of the first of them."""
        return (self.looks[0].of or self.looks[0].split) if self.looks else None


def earlier_at(events: Sequence[ModelEvent], look: Look) -> Earlier:
    """Return the looks that one at these rows is counted with: at their split, else at those that share rows with it."""
    known = counted_at(events, look.split)
    is_new = all(event.split != look.split for event in known)
    return _shared_with(events, look) if is_new else Earlier(known)


def spend(paths: ModelPaths, version: int, look: Look, *, by: str | None) -> int:
    """Return the number of a look and append its event, unless this key has looked; the caller holds the model's lock.

    A look that the history lacks and a kept verdict tells of counts as well.
    Raise InvalidValueError if the first look at these rows was counted with another alpha or plan.
    """
    events = read_events(paths)
    lost = _lost_of_all(paths, events)
    earlier = earlier_at(sorted([*events, *lost], key=lambda each: each.at) if lost else events, look)
    _check_plan(earlier.looks, look)
    spent = {event.key: event.look or 1 for event in earlier.looks if event.split == look.split}
    if look.key in spent:
        refresh_aliases(paths)
        return spent[look.key]
    number = 1 + earlier.count
    of = None if earlier.first == look.split else earlier.first
    reason = f"look {number} at the rows {look.split[:19]}"
    if earlier.share is not None:
        others = f" and {counted(earlier.splits - 1, 'other split')}" if earlier.splits > 1 else ""
        reason += f", of which {earlier.share:.0%} were looked at before as {str(of)[:19]}{others}"
    if known_by_verdicts := sum(event in lost for event in earlier.looks):
        reason += f"; the history lacks {counted(known_by_verdicts, 'earlier look')}, which verdicts tell of"
    is_known = any(event.rows for event in earlier.looks if event.split == look.split)
    add_event(
        paths, EventKind.LOOKED, version, reason=reason, by=by, split=look.split, look=number, key=look.key,
        alpha=look.alpha, planned=look.planned, of=of, overlap=earlier.share, splits=earlier.splits or None,
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


def _lost_of_all(paths: ModelPaths, events: Sequence[ModelEvent]) -> list[ModelEvent]:
    """Return the looks of all versions that the history lacks; it reads their verdicts."""
    found: list[ModelEvent] = []
    for number in folder_numbers(paths):
        if is_complete(paths, number):
            manifest = atomic.sha256(paths.manifest(number))
            found += lost_looks(number, kept(paths, number), manifest, events).values()
    return found


def lost_looks(
    version: int, verdicts: Sequence[KeptVerdict], manifest: str, events: Sequence[ModelEvent]
) -> dict[int, ModelEvent]:
    """Return the looks that verdicts on a version were made at and the history lacks, by the number of the verdict.

    `manifest` is the SHA-256 of the version's manifest: a verdict on another one, as an import brings along, tells of a look
    that was counted elsewhere.
    """
    known = {(event.split, event.look) for event in events if event.version == version}
    found = {}
    for each in verdicts:
        facts = each.verdict.facts
        look, split = (_mapping(facts.get(name)) for name in ("look", "split"))
        told, number = split.get("hash"), look.get("number")
        is_own = each.verdict.challenger.get("manifest_sha256") == manifest
        is_told = isinstance(told, str) and told and type(number) is int and number > 0
        if not (is_own and is_told) or (told, number) in known:
            continue
        found[each.number] = ModelEvent(
            kind=EventKind.LOOKED, version=version, at=_moment(facts.get("at")), by=str(facts.get("by") or ""),
            reason=f"the verdict {each.path.name} tells of it", before=None, split=told, look=number,
            key=str(facts.get("key") or each.sha256), **_counting(look),
        )  # fmt: skip
    return found


def _counting(look: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a verdict says that its look was counted; leave out what has another type than it is kept with."""
    kinds = {"alpha": float, "planned": int, "of": str, "overlap": float, "splits": int}
    return {name: value for name, kind in kinds.items() if type(value := look.get(name)) is kind}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _moment(at: Any) -> datetime:
    """Return the time that a verdict tells, the last one there is where it tells none."""
    try:
        return timestamps.parse(at)
    except (TypeError, ValueError):
        return datetime.max.replace(tzinfo=UTC)


def _shared_with(events: Sequence[ModelEvent], look: Look) -> Earlier:
    """Return the looks that a new split's go on from; none for new rows.

    Of several earlier splits that each share enough rows, or else of those that do together, it is the one that was looked at
    most.
    """
    sketches: dict[str, list[Sequence[int]]] = {}
    for event in events:
        if event.kind is EventKind.LOOKED and event.rows and event.split:
            sketches.setdefault(event.of or event.split, []).append(overlap.read(event.rows))
    found = {first: overlap.shared(look.rows, *each) for first, each in sketches.items()}
    shares = {first: share for first, share in found.items() if share > 0}
    chosen = [first for first, share in shares.items() if share - look.explained > MOST_SHARED]
    together = overlap.shared(look.rows, *(each for first in shares for each in sketches[first]))
    if not chosen:
        # what each split has by chance, several have at most as if they were independent of each other
        allowed = MOST_SHARED + 1 - max(0.0, 1 - look.explained) ** len(shares)
        if together <= allowed:
            return Earlier()
        # one that shares next to nothing does not lend its many looks
        chosen = [first for first, share in shares.items() if share >= MOST_SHARED / len(shares)]
    most = max(chosen, key=lambda first: (len(counted_at(events, first)), shares[first]))
    return Earlier(counted_at(events, most), max(together, *(shares[each] for each in chosen)), len(shares))


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
