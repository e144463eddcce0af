"""The text of metrics.json, one point per line, built from log calls as they are read.

Numbers are encoded by columns: one call for a thousand numbers costs as much as ten calls for one. Memory use is the
size of the text.
"""

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson

from tracking.metrics.history import Column, Columns, is_ascending, rank
from tracking.metrics.sources import History
from tracking.values.jsontext import non_finite_text


class MetricsText:
    """Builds metrics.json from log calls in their order."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[bytes]] = {}
        self._last_rank: dict[str, float] = {}
        self._unordered: set[str] = set()

    def add(self, columns: Columns) -> None:
        """Add the points of log calls."""
        frames: dict[int, _Frame] = {}  # metrics logged together share steps and times
        for name, column in columns.items():
            frame = frames.get(id(column.steps))
            if frame is None:
                frame = frames[id(column.steps)] = _Frame(column)
            self._blocks.setdefault(name, []).append(frame.rows(column.values))
            if not frame.is_ordered or rank(column.steps[0]) < self._last_rank.get(name, -math.inf):
                self._unordered.add(name)
            self._last_rank[name] = rank(column.steps[-1])

    def pieces(self) -> Iterator[bytes]:
        """Yield the text piece by piece."""
        opening = b"{\n  "
        for name, blocks in self._blocks.items():
            yield opening + orjson.dumps(name) + b": [\n"
            if name in self._unordered:
                # each point is one line, so sorting the lines sorts the points
                rows = b",\n".join(blocks).split(b",\n")
                rows.sort(key=_rank_of_row)
                yield b",\n".join(rows)
            else:
                for index, block in enumerate(blocks):
                    yield b",\n" + block if index else block
            yield b"\n  ]"
            opening = b",\n  "
        yield b"\n}\n" if self._blocks else b"{}\n"


def text_of(history: History) -> MetricsText:
    """Return the text of a whole history."""
    text = MetricsText()
    for name, points in history.items():
        steps, values, stamps = ([point[key] for point in points] for key in ("step", "value", "timestamp"))
        text.add({name: Column(steps, values, stamps)})
    return text


class _Frame:
    """The text around the values of points: their steps and times."""

    def __init__(self, column: Column) -> None:
        self._before = [b'    {"step": %b, "value": ' % text for text in _texts(column.steps)]
        self._after = [b', "timestamp": %b},\n' % text for text in _texts(column.stamps)]
        self.is_ordered = is_ascending(column.steps)

    def rows(self, values: list[Any]) -> bytes:
        """Return the points with these values, one line each."""
        if not math.isfinite(sum(values)):
            values = [value if math.isfinite(value) else non_finite_text(value) for value in values]
        parts = zip(self._before, _texts(values), self._after, strict=True)
        return b"".join(chain.from_iterable(parts))[:-2]


def _texts(values: list[Any]) -> list[bytes]:
    texts = orjson.dumps(values)[1:-1].split(b",")
    # steps and timestamps of other code may hold commas
    return texts if len(texts) == len(values) else [orjson.dumps(value) for value in values]


def _rank_of_row(row: bytes) -> float:
    try:
        return rank(orjson.loads(row[len(b'    {"step": ') :].partition(b', "value"')[0]))
    except ValueError:
        return math.inf  # a step of other code that looks like the row itself
