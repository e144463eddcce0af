"""Query: a parsed filter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tracking.search.query.columnwise import passing
from tracking.search.query.evaluate import Test, test_of
from tracking.search.query.fields import Field, Names
from tracking.search.query.lexer import TokenKind
from tracking.search.query.parser import Parser
from tracking.search.query.tree import Condition, Literal


@dataclass(frozen=True)
class Query:
    """A filter of runs, and the fields that it reads, in the order of the text.

    Two filters are equal if their trees are, however they were written.
    """

    root: Condition
    text: str = field(compare=False)
    fields: tuple[Field, ...] = field(compare=False, repr=False)

    def resolved(self, names: Names) -> "Query":
        """Return the query with each bare name replaced by what it means among these names; see `resolve`.

        Raise QueryError, with the place in the text, for a name that means nothing or more than one thing.
        """
        return parse_query(self.text, names)  # again, since only the parser knows the places in the text

    def matches(self, values: Mapping[Field, Any] | Callable[[Field], Any]) -> bool:
        """Return whether the run with these values passes; a missing field is None. Never raises."""
        return self._test(values if callable(values) else values.get)

    def passing(self, columns: Mapping[Field, Sequence[Any]], count: int) -> list[int]:
        """Return the places of the runs that pass, among `count` runs whose values are in these columns."""
        return passing(self.root, columns, range(count), self._now)

    @cached_property
    def _test(self) -> Test:
        return test_of(self.root, self._now)

    @cached_property
    def _now(self) -> datetime:
        # that of the first use: the moment that `today` and `ago` refer to
        return datetime.now().astimezone()


def parse_query(text: str, names: Names | None = None, *, is_of_config: bool = False) -> Query:
    """Parse a filter; raise QueryError at the place of a mistake. Empty text passes every run.

    With `is_of_config` it is a condition over a config instead: each name is a key, also `status` and `params.x`.
    """
    parser = Parser(text, names, is_of_config=is_of_config)
    if parser.here.kind is TokenKind.END:
        return Query(Literal(True), text, ())
    start = parser.here
    root = parser.condition(parser.expression(), start)
    parser.end("'and', 'or' or a comparison")
    return Query(root, text, tuple(parser.fields))
