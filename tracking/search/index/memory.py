"""Memory: what a process that lives long keeps of an index between questions, as long as no row changes."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_NUMBERS = {int, float, bool, type(None)}
_TEXTS = {str, type(None)}
_NUMBER_BYTES = 24  # mostly
_OTHER_BYTES = 500  # about, of a value that holds others


class Memory:
    """Answers by key, for one state of the index; up to about `most_bytes`, those that were not asked for longest go first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._state = ""
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def begin(self, state: str) -> None:
        """Forget all that is of another state; to be called at the beginning of each question."""
        if state != self._state:
            self._state = state
            self._kept.clear()
            self._bytes = 0

    def keep(
        self, key: Hashable, make: Callable[[], Answer], measure: Callable[[Answer], int] | None = None
    ) -> Answer:
        """Return the answer that is kept, else the one that `make` returns; `measure` tells its size, `bytes_of` by default."""
        known: Answer | None = self.kept(key)
        if known is not None:
            return known
        answer = make()
        size = (measure or bytes_of)(answer)
        if size <= self.most_bytes:
            self._kept[key] = answer, size
            self._bytes += size
            while self._bytes > self.most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        return answer

    def kept(self, key: Hashable) -> Any:
        """Return the answer that is kept; None if there is none."""
        known = self._kept.get(key)
        if known is None:
            return None
        self._kept.move_to_end(key)
        return known[0]


def bytes_of(answer: Any) -> int:
    """Return about how much memory an answer takes; a text that a list holds several times is counted once."""
    if not isinstance(answer, list):
        return _OTHER_BYTES
    kinds = set(map(type, answer))
    if kinds <= _NUMBERS:
        return sys.getsizeof(answer) + len(answer) * _NUMBER_BYTES
    if kinds <= _TEXTS:
        return sys.getsizeof(answer) + sum(map(sys.getsizeof, set(answer)))
    return sys.getsizeof(answer) + len(answer) * _OTHER_BYTES


def shared(values: list[Any]) -> list[Any]:
    """Return the values; equal texts, of which a column mostly has few, as one object each."""
    if not set(map(type, values)) <= _TEXTS:
        return values
    known: dict[str, str] = {}
    return list(map(known.setdefault, values, values))
