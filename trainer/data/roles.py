"""What each column of a table is used for, and why: found from its values, unless the config says it.

A column that would teach a model the rows instead of the task is left out: one that numbers the rows, free text, a copy
of the target. Whatever a user might not expect is a warning that names the key to overrule it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from trainer.data.facts import Facts, determined, same
from trainer.data.reading import header, kinds
from trainer.data.reading.doubts import Doubt
from trainer.data.reading.reader import Table
from trainer.errors import DataError
from trainer.overrides import override

FEWEST = 20  # rows from which values that all differ tell an identifier
_WORDS = 3  # words per value from which text is free text
_LETTERS = 25
_DOUBTED = 3  # different numbers from which a column of nearly numbers is no column of categories
_CATEGORIES = "categories"
PLAIN = ("numbers", "times", "booleans", _CATEGORIES)  # reasons that say no more than the role
_IDENTIFIER = re.compile(
    r"(^|[\W_])(id|uid|uuid|guid|key|index|idx|row|rownames?|row_?num(ber)?|number)$|[a-z](ID|Id|Number)$"
)


_MEASURE = re.compile(
    r"(?:^|[\W_\d])(?:year|yr|month|week|day|hour|minute|second|time|age|temp(?:erature)?|duration|dur|elapsed|length|size|height"
    r"|weight|distance|depth|price|cost|amount|count|speed|score|level|dose|pressure|angle|degree|percent|rate)s?(?:$|[\W_\d])",
    re.IGNORECASE,
)  # names of what is measured
_YEARS = 1700, 2100  # numbers of a series of years

Name = str | int | float  # of a column, as a config has it


class Role(StrEnum):
    """What a column is used for."""

    TARGET = "target"
    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TIME = "time"
    TEXT = "text"
    IDENTIFIER = "identifier"
    CONSTANT = "constant"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    LEAK = "leak"
    DROPPED = "dropped"
    TIME_COLUMN = "time column"
    GROUP = "group"
    WEIGHT = "weight"


FEATURES = (Role.NUMERIC, Role.TIME, Role.CATEGORICAL)
_KEYS = {  # keys of the config that name the role of columns
    "data.target": Role.TARGET,
    "data.time_column": Role.TIME_COLUMN,
    "data.group_column": Role.GROUP,
    "data.weight_column": Role.WEIGHT,
    "data.numeric": Role.NUMERIC,
    "data.categorical": Role.CATEGORICAL,
    "data.time": Role.TIME,
    "data.text": Role.TEXT,
    "data.drop": Role.DROPPED,
}
_SERVING = (Role.TIME_COLUMN, Role.GROUP, Role.WEIGHT)  # which may be features, too, if they are kept


@dataclass(frozen=True)
class ColumnRole:
    """One column: its role, why, and what its values are."""

    name: str
    role: Role
    kind: str
    missing: float  # share of the rows
    distinct: int
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_feature(self) -> bool:
        """Whether the model sees the column."""
        return self.role in FEATURES


@dataclass(frozen=True)
class Given:
    """The roles that the config names, by its keys, and the columns to keep whatever their values are."""

    names: Mapping[str, Sequence[Name]]
    keep: Sequence[str] = ()
    resolved: Mapping[str, str] = field(default_factory=dict)  # column to key

    @classmethod
    def of(
        cls, columns: Sequence[str], *, keep: Sequence[Name] = (), **keys: Sequence[Name] | Name | None
    ) -> "Given":
        """Find the columns that keys name, one or several; raise DataError for a name that is none, or is named twice."""
        listed = {
            f"data.{key}": [names] if isinstance(names, str | int | float) else [*(names or ())]
            for key, names in keys.items()
        }
        resolved: dict[str, str] = {}
        for key, names in listed.items():
            for asked in names:
                name = one_of(asked, columns, key=key)
                if resolved.get(name) == "data.target" and key == "data.categorical":
                    continue  # its values are classes
                if name in resolved:
                    raise DataError(
                        f"column {name!r} is named in both {resolved[name]} and {key}; name it once"
                    )
                resolved[name] = key
        kept = [one_of(asked, columns, key="data.keep") for asked in keep]
        return cls(listed, kept, resolved)

    def named(self, key: str) -> str | None:
        """Return the column that a key names, such as data.time_column; None if it names none."""
        return next((name for name, each in self.resolved.items() if each == key), None)


def one_of(asked: Name, columns: Sequence[str], *, key: str) -> str:
    """Return the column that a key names; raise DataError with a near match and the columns there are."""
    name = header.found(asked, columns)
    if name is None:
        raise DataError(f"{key}: there is {header.no_column(asked, columns)}")
    return name


def find(table: Table, given: Given, *, target: str | None) -> list[ColumnRole]:
    """Return the role of every column, in the order of the table; raise DataError if no feature is left beside a target.

    If only columns that tell rows apart are left, they are used, and a warning says so.
    """
    answer = None if target is None else Facts(target, table[target], kinds.name_of(table.kinds[target]))
    seen: dict[Any, list[str]] = {}
    found = [_role(name, table, given, target, answer, seen) for name in table]
    if target is None:
        return found
    for rescued in (Role.TEXT, Role.IDENTIFIER):
        if not any(each.is_feature for each in found):
            found = [_used(each) if each.role is rescued and each.warnings else each for each in found]
    if not any(each.is_feature for each in found):
        listed = ", ".join(f"{header.shown(each.name)} ({each.role.value})" for each in found)
        raise DataError(f"no feature column is left beside target {target!r}; columns: {listed}")
    return found


def _role(
    name: str,
    table: Table,
    given: Given,
    target: str | None,
    answer: Facts | None,
    seen: dict[Any, list[str]],
) -> ColumnRole:
    facts = (
        answer
        if answer is not None and name == target
        else Facts(name, table[name], kinds.name_of(table.kinds[name]))
    )
    key, kept = given.resolved.get(name), name in given.keep
    if key is not None and not (kept and _KEYS[key] in _SERVING):
        role, reason, warning = _KEYS[key], key, ""
    else:
        role, reason, warning = _found(facts, table, target, seen, kept=kept)
        reason = f"{key}, {reason}" if key else reason
    doubt = table.doubts.get(name)
    if (
        doubt is not None
        and role is not Role.DROPPED
        and doubt.distinct >= (2 if role is Role.TARGET else _DOUBTED)
    ):
        warning = (
            _resembling(facts, doubt, role, reason) if doubt.is_resemblance else _doubted(name, doubt, role)
        )
    if role is Role.CATEGORICAL and name in table.marks and reason == _CATEGORIES:
        reason = f"{', '.join(map(repr, table.marks[name]))} counts as missing"
    warnings = [warning] if warning else []
    if infinite := table.infinite.get(name):
        warnings.append(
            f"column {name!r} holds {infinite} infinite value{'s' * (infinite > 1)}, read as missing"
        )
    if answer is not None and role in FEATURES and (rows := determined(facts, answer)):
        warnings.append(
            f"column {name!r} alone determines the target {target!r} in all {rows} rows that have it; if it is "
            f"known only together with the target, leave it out with {override('data.drop', name)}"
        )
    return ColumnRole(name, role, facts.kind, facts.missing, facts.distinct, reason, tuple(warnings))


def _used(column: ColumnRole) -> ColumnRole:
    role = Role.NUMERIC if column.kind == "number" else Role.CATEGORICAL
    warning = (
        f"column {column.name!r} {column.reason}, so it says little about new rows; it is used, because no other "
        f"column is left"
    )
    return replace(column, role=role, warnings=(warning,))


def _doubted(name: str, doubt: Doubt, role: Role) -> str:
    """Return the warning for a column of text that a few values keep from being numbers or times, and the ways out."""
    used = {Role.CATEGORICAL: "categories", Role.TARGET: "classes", Role.NUMERIC: "numbers"}.get(
        role, role.value
    )
    kept = dict.fromkeys((Role.CATEGORICAL, Role.NUMERIC), "to keep it so")
    end = {**kept, Role.TARGET: ""}.get(role, "to have it as categories")
    key = "data.numeric" if role is Role.NUMERIC else "data.categorical"
    keep = f", or {override(key, name)} {end}" if end else ""
    return f"column {header.shown(name)!r} is taken as {used}: {doubt.told}; {doubt.way}{keep}"


def _resembling(facts: Facts, doubt: Doubt, role: Role, reason: str) -> str:
    """Return the warning for text that looks like numbers or times where it is features, or left out for its values."""
    name, categories = header.shown(facts.name), override("data.categorical", facts.name)
    if role is Role.CATEGORICAL:
        drop = override("data.drop", facts.name)
        return (
            f"column {name!r} is taken as {facts.distinct:,} categories, but {doubt.told}; {doubt.way}, or set {drop} to leave it "
            f"out, {categories} to keep it so"
        )
    if role in (Role.TEXT, Role.IDENTIFIER):
        return (
            f"column {name!r} {reason}, so it is left out, but {doubt.told}; {doubt.way}, or set {categories} to have it as "
            "categories"
        )
    return ""


def _found(
    facts: Facts, table: Table, target: str | None, seen: dict[Any, list[str]], *, kept: bool
) -> tuple[Role, str, str]:
    """Return the role that the values of a column tell, why, and a warning."""
    name = facts.name
    keep = f"keep it with {override('data.keep', name)}"
    usual = {"number": Role.NUMERIC, "time": Role.TIME}.get(facts.kind, Role.CATEGORICAL)
    if facts.present == 0:
        return Role.EMPTY, "all values are missing", ""
    if kept:
        return usual, "data.keep", ""
    if facts.distinct == 1 and facts.present == facts.rows:
        return Role.CONSTANT, "the same value in each row", ""
    if target is not None and same(facts.values, table[target]):
        return (
            Role.LEAK,
            f"a copy of the target {target!r}",
            f"column {name!r} is a copy of the target {target!r}; it is left out",
        )
    twin = _twin(facts, table, seen)
    if twin is not None:
        return (
            Role.DUPLICATE,
            f"a copy of column {twin!r}",
            f"column {name!r} is a copy of column {twin!r}; it is left out ({keep})",
        )
    for role, reason in _of_rows(facts):
        return (
            role,
            reason,
            f"column {name!r} {reason}, so it says nothing about new rows; it is left out ({keep})",
        )
    return usual, f"{facts.kind}s" if facts.kind != "text" else _CATEGORIES, ""


def _of_rows(facts: Facts) -> Iterator[tuple[Role, str]]:
    """Yield what a column is that tells rows apart instead of describing them."""
    if facts.rows < FEWEST or facts.present < FEWEST:
        return
    share = facts.distinct / facts.present
    named = _IDENTIFIER.search(facts.name) is not None
    if facts.kind == "number":
        nameless = _nameless(facts.name)
        if facts.distinct == facts.rows and facts.is_whole and facts.is_ordered:
            if named or nameless or (facts.is_numbering and not _is_measure(facts)):
                yield Role.IDENTIFIER, "is a whole number that is different in each row, and in order"
        elif share > 0.98 and facts.present == facts.rows and facts.is_whole and (named or nameless):
            yield (
                Role.IDENTIFIER,
                "is a whole number that is different in each row, and named as an identifier",
            )
    elif facts.kind == "text" and share > 0.5:
        words, letters = facts.words()
        if words >= _WORDS or (letters >= _LETTERS and words > 1):
            yield Role.TEXT, "is free text, nearly all of it different"
        elif facts.distinct == facts.present or (share > 0.98 and named):
            yield Role.IDENTIFIER, "is text that is different in each row"


def _is_measure(facts: Facts) -> bool:
    """Whether numbers that rise by one are those of something, such as years, by their name or their range."""
    low, high = sorted(facts.ends)
    return low < 0 or (low >= _YEARS[0] and high <= _YEARS[1]) or _MEASURE.search(facts.name) is not None


def _nameless(name: str) -> bool:
    return re.fullmatch(r"column_\d+", name) is not None


def _twin(facts: Facts, table: Table, seen: dict[Any, list[str]]) -> str | None:
    """Return an earlier column of the same values, if there is one."""
    for name in seen.get(facts.key, []):
        if same(facts.values, table[name]):
            return name
    seen.setdefault(facts.key, []).append(facts.name)
    return None
