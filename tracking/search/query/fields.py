"""The fields of a run in the filter language: how they are written, what a bare name means, and their values."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from tracking.errors import QueryError, quoted
from tracking.objective import Objective
from tracking.records import RunRecord, RunStatus

# a word may have combining accents and the joiners of Persian and Hindi
NAME = r"[^\W\d](?:[\w./@:\u0300-\u036f\u200c\u200d-]*[\w\u0300-\u036f])?"  # the language has no arithmetic, so names may hold '-' and '/'
_ROOT = re.compile(r"(params|metrics|tags)(\.|$)")
MOST_SHOWN = 6  # names in an error
TIMES = frozenset({"created_at", "finished_at"})
WORDS = frozenset({"and", "or", "not", "in", "is", "AND", "OR", "NOT", "IN", "IS", "contains"})
CONSTANTS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
# bare words that the language does not read as names
RESERVED = WORDS | CONSTANTS.keys() | {"nan", "NaN", "inf", "Infinity", "today", "yesterday", "ago"}


class FieldKind(StrEnum):
    """Where a field's value is stored; BARE may mean a parameter, metric or tag."""

    RUN = "run"
    PARAM = "params"
    METRIC = "metrics"
    TAG = "tags"
    BARE = "bare"

    __hash__ = str.__hash__  # that of Enum is slow, and each comparison of each run calls it


class MetricPart(StrEnum):
    """The part of a metric's summary; `best` is the maximum or the minimum, depending on the metric's name."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    BEST = "best"
    LAST_STEP = "last_step"
    MIN_STEP = "min_step"
    MAX_STEP = "max_step"
    BEST_STEP = "best_step"
    COUNT = "count"
    NON_FINITE = "non_finite"

    __hash__ = str.__hash__  # as above


class Field(NamedTuple):
    """A field of a run; `str` of one is how a filter writes it.

    `part` is set for metrics only. It is a tuple because its hash is taken for each comparison of each run.
    """

    kind: FieldKind
    name: str
    part: MetricPart | None = None

    @property
    def is_time(self) -> bool:
        """Return whether its values are moments."""
        return self.kind is FieldKind.RUN and self.name in TIMES

    @property
    def is_run_id(self) -> bool:
        """Return whether its values are run ids, which have their own order."""
        return self.kind is FieldKind.RUN and self.name == "run_id"

    @property
    def plain_part(self) -> MetricPart | None:
        """Return `part` with best and best_step replaced by the extreme they stand for."""
        if self.part in (MetricPart.BEST, MetricPart.BEST_STEP):
            return MetricPart(self.part.replace("best", Objective.of(self.name).mode))
        return self.part

    def __str__(self) -> str:
        if self.kind is FieldKind.RUN:
            return self.name
        if self.kind is FieldKind.BARE:
            is_other = self.name in RESERVED or self.name in RUN_FIELDS or _ROOT.match(self.name)
            regular = re.fullmatch(NAME, self.name) and not is_other
            return self.name if regular else f"`{self.name}`"
        tail = "" if self.part in (None, MetricPart.LAST) else f".{self.part}"
        regular = re.fullmatch(NAME, f"x.{self.name}") and not (
            self.kind is FieldKind.METRIC and not tail and split_part(self.name)[1]
        )
        return f"{self.kind}.{self.name}{tail}" if regular else f"{self.kind}[{quote(self.name)}]{tail}"


@dataclass(frozen=True)
class Names:
    """The names of the parameters, metrics and tags in a store."""

    params: frozenset[str] = frozenset()
    metrics: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.params or self.metrics or self.tags)


def names_in(runs: Sequence[RunRecord]) -> Names:
    """Return the names of the parameters, metrics and tags that some of these runs have."""
    return Names(
        params=frozenset(name for run in runs for name in run.params),
        metrics=frozenset(name for run in runs for name in run.summary),
        tags=frozenset(name for run in runs for name in run.tags),
    )


def resolve(field: Field, names: Names, *, may_be_text: bool = False) -> Field:
    """Return the field that a bare name stands for among these names; other fields stand for themselves.

    Of several known names that a dotted one begins with, the longest counts: `metrics.val.max` is the metric
    `val.max` if there is one. Without any known names a bare one is returned as it is. Raise QueryError when it
    means nothing or more than one thing; with `may_be_text` the error says how a text is quoted.
    """
    if field.kind is FieldKind.METRIC and field.part is not MetricPart.LAST:
        whole = f"{field.name}.{field.part}"
        return Field(FieldKind.METRIC, whole, MetricPart.LAST) if whole in names.metrics else field
    if field.kind is not FieldKind.BARE or not names:
        return field
    for head, rest in _splits(field.name):
        found = list(_meanings(field.name, head, rest, names))
        if len(found) > 1:
            choices = " or ".join(map(str, found))
            raise QueryError(f"{field.name!r} is ambiguous; write {choices}")
        if found:
            return found[0]
    hint = _hint(field.name, names, may_be_text=may_be_text)
    raise QueryError(f"no run has a parameter, metric or tag {quoted(field.name)}{hint}")


def value_of(record: RunRecord, field: Field) -> Any:
    """Return the field's value in a run, None if it has none; a bare name must be resolved first."""
    match field.kind:
        case FieldKind.RUN:
            return RUN_FIELDS[field.name](record)
        case FieldKind.PARAM:
            return lookup(record.params, field.name)
        case FieldKind.TAG:
            return lookup(record.tags, field.name)
        case FieldKind.METRIC:
            summary = record.summary.get(field.name)
            return getattr(summary, field.plain_part or MetricPart.LAST) if summary else None
        case FieldKind.BARE:
            return None


def lookup(values: Mapping[str, Any], name: str) -> Any:
    """Return the value of a dotted name: that of the key, or the one in nested dicts and lists; else None."""
    return values[name] if name in values else _inside(values, name, set())


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that resemble a name, else those that it abbreviates."""
    found = difflib.get_close_matches(name, known)
    if not found and len(name) > 1:
        found = sorted(
            each for each in known if _initials(each) == name.lower() or name.lower() in each.lower()
        )
    return found[:3]


def unknown_names(fields: Iterable[Field], names: Names) -> list[str]:
    """Return a sentence for each field with a name that no run has; most often it is misspelt."""
    known = {FieldKind.PARAM: names.params, FieldKind.METRIC: names.metrics, FieldKind.TAG: names.tags}
    sentences = []
    for field in sorted(fields):
        # a part of a nested value is written as NAME.PART
        if field.kind not in known or not known[field.kind].isdisjoint(_heads(field.name)):
            continue
        close = close_names(field.name, known[field.kind])
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        sentences.append(f"no run has {field}{hint}")
    return sentences


def _heads(name: str) -> Iterator[str]:
    """Yield a dotted name and each of its beginnings that ends at a dot."""
    yield name
    while name := name.rpartition(".")[0]:
        yield name


def split_part(name: str) -> tuple[str, MetricPart | None]:
    """Split a dotted name into a metric's name and the part that it ends in, or None."""
    head, _, tail = name.rpartition(".")
    return (head, MetricPart(tail)) if head and tail in _PARTS else (name, None)


def quote(text: str) -> str:
    """Return a text as a filter writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


RUN_FIELDS: dict[str, Callable[[RunRecord], Any]] = {
    "run_id": lambda run: run.run_id,
    "experiment": lambda run: run.experiment_name,
    "experiment_name": lambda run: run.experiment_name,
    "status": lambda run: run.status.value,
    "created_at": lambda run: run.created_at,
    "finished_at": lambda run: run.finished_at,
    "duration_s": lambda run: run.duration_s,
    "description": lambda run: run.description,
    "error": lambda run: run.error,
    "sweep": lambda run: (run.sweep or {}).get("id"),
}
_PARTS = frozenset(part.value for part in MetricPart)


def _inside(values: Mapping[str, Any], name: str, failed: set[tuple[int, int]]) -> Any:
    """Look a name up in nested values; `failed` holds the rests not found in a mapping, so each is tried once."""
    for head, rest in _splits(name):
        inner = values.get(head)
        if not rest:
            if inner is not None:
                return inner
            continue
        if isinstance(inner, list | tuple):
            inner = {str(index): item for index, item in enumerate(inner)}
        elif (id(inner), len(rest)) in failed:
            continue
        if isinstance(inner, Mapping):
            found = _inside(inner, rest, failed)
            if found is not None:
                return found
            failed.add((id(values[head]), len(rest)))
    return None


def _initials(name: str) -> str:
    return "".join(word[0].lower() for word in re.split(r"[\W_]+", name) if word)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield the whole name, then its two parts at each dot from the last to the first."""
    end = len(name)
    while end > 0:
        yield name[:end], name[end + 1 :]
        end = name.rfind(".", 0, end)


def _meanings(name: str, head: str, rest: str, names: Names) -> Iterator[Field]:
    if head in names.params:
        yield Field(FieldKind.PARAM, name)
    if head in names.metrics and (not rest or rest in _PARTS):
        yield Field(FieldKind.METRIC, head, MetricPart(rest or "last"))
    if head in names.tags:
        yield Field(FieldKind.TAG, name)


def _hint(name: str, names: Names, *, may_be_text: bool) -> str:
    quotes = f"; a text needs quotes: {quote(name)}" if may_be_text else ""
    if quotes and name in list(RunStatus):
        return quotes
    known = {*names.params, *names.metrics, *names.tags}
    close = close_names(name, {*known, *RUN_FIELDS}) or close_names(split_part(name)[0], known)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    some = ", ".join(sorted(known)[:MOST_SHOWN]) + (", ..." if len(known) > MOST_SHOWN else "")
    return f"{quotes}; known names are {some}"
