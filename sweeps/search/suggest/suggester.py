"""The contract between a search and whatever suggests its points, and the suggester that draws them at random."""

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from sweeps.search.history import Entry, Told
from sweeps.search.searched_space import Placed, SearchedSpace


class Suggester(Protocol):
    """Suggest a point from a history.

    The answer depends on the entries and on the source alone, not on what was suggested before: a search that was rebuilt
    from a ledger hears the entries, and asks for none of the suggestions that were made in between. Entries are those of
    the last call with further ones behind them, so a suggester may keep what it has made of them.
    """

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:
        """Return the point for the new job of a number, counted from 0; None if it finds none that the filter allows."""

    def load(self) -> None:
        """Load the libraries that suggestions need, which changes none of them."""


class DrawnSuggester:
    """Draw each point at random; what was heard changes nothing."""

    def __init__(self, space: SearchedSpace) -> None:
        self._space = space

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:  # noqa: ARG002 - part of the contract
        """Return a random point."""
        return self._space.draw(source)

    def load(self) -> None:
        """Do nothing."""


class Learned(Protocol):
    """A suggester that needs no loading."""

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:
        """Do as a `Suggester` does."""


class Loaded:
    """Draw points until enough of them have values, then suggest by a model, whose library is loaded then or by `load`."""

    def __init__(self, space: SearchedSpace, make: Callable[[], Learned], startup: int) -> None:
        self._space = space
        self._make = make
        self._startup = startup
        self._is_learning = False
        self._model: Learned | None = None

    def suggest(self, entries: Sequence[Entry], number: int, source: random.Random) -> Placed | None:
        """Return a random point at first, then one of the model."""
        if not self._is_learning:
            if len({entry.job for entry in entries if isinstance(entry, Told)}) < self._startup:
                return self._space.draw(source)
            self._is_learning = True
        return self._made().suggest(entries, number, source)

    def load(self) -> None:
        """Make the model."""
        self._made()

    def _made(self) -> Learned:
        if self._model is None:
            self._model = self._make()
        return self._model
