"""Query: a parsed filter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tracking.errors import QueryError
from tracking.search.query.evaluate import Test, test_of
from tracking.search.query.fields import Field, Names, resolve
from tracking.search.query.lexer import fault
from tracking.search.query.tree import Condition, fields_of, replaced


@dataclass(frozen=True)
class Query:
    """A filter of runs; an empty one passes every run. `str` of one is the filter in regular form.

    Two filters are equal if their trees are, however they were written.
    """

    root: Condition | None
    text: str = field(default="", compare=False)
    places: Mapping[Field, int] = field(default_factory=dict, compare=False, repr=False)  # in the text

    @cached_property
    def fields(self) -> frozenset[Field]:
        """The fields that the filter reads."""
        return frozenset(() if self.root is None else fields_of(self.root))

    def resolved(self, names: Names) -> "Query":
        """Return the query with each bare name replaced by what it means among these names; see `resolve`.

        Raise QueryError, with the place in the text, for a name that means nothing or more than one thing.
        """
        fields = {}
        for each in sorted(self.fields, key=lambda each: self.places.get(each, 0)):
            try:
                fields[each] = resolve(each, names, may_be_text=True)
            except QueryError as error:
                if each not in self.places:
                    raise
                raise fault(self.text, self.places[each], str(error)) from None
        if self.root is None or all(old == new for old, new in fields.items()):
            return self
        places = {fields[each]: place for each, place in self.places.items()}
        return Query(replaced(self.root, fields), self.text, places)

    def matches(self, values: Mapping[Field, Any] | Callable[[Field], Any]) -> bool:
        """Return whether the run with these values passes; a missing field is None. Never raises."""
        return self._test(values if callable(values) else values.get)

    @cached_property
    def _test(self) -> Test:
        # built at the first use, which is the moment that `today` and `ago` refer to
        return test_of(self.root, datetime.now().astimezone()) if self.root is not None else lambda _: True

    def __str__(self) -> str:
        return "" if self.root is None else str(self.root)
