"""The text of metrics.json, one point per line, built from log calls as they are read.

Numbers are encoded by columns: one call for a thousand numbers costs as much as ten calls for one. Memory use is the
size of the text.
"""

import math
from collections.abc import Iterator
from typing import Any

import orjson

from tracking.metrics.blocks import Block, block_of, is_ascending, rank
from tracking.metrics.sources import History
from tracking.values.jsontext import non_finite_text

BLOCK_POINTS = (
    1 << 14
)  # of a history, encoded at once: meanwhile they take several times the memory of their text


class MetricsText:
    """Builds metrics.json from log calls in their order."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[bytes]] = {}
        self._last_rank: dict[str, float] = {}
        self._unordered: set[str] = set()

    def add(self, block: Block) -> None:
        """Add points."""
        frame, first, end = _Frame(block), rank(block.steps[0]), rank(block.steps[-1])
        is_ordered = is_ascending(block.steps)
        for name, values in block.values.items():
            texts = block.texts.values[name] if block.texts else _value_texts(values)
            self._blocks.setdefault(name, []).append(frame.rows(texts))
            if not is_ordered or first < self._last_rank.get(name, -math.inf):
                self._unordered.add(name)
            self._last_rank[name] = end

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
        for start in range(0, len(points), BLOCK_POINTS):
            text.add(block_of(name, points[start : start + BLOCK_POINTS]))
    return text


class _Frame:
    """The text around the values of points: their steps and times."""

    def __init__(self, block: Block) -> None:
        steps, stamps = _texts(block.steps), _texts(block.stamps)
        if block.texts:
            steps, stamps = block.texts.steps, [b'"%b"' % text for text in block.texts.stamps]
        self._pieces = [b'    {"step": ', b"", b', "value": ', b"", b', "timestamp": ', b"", b"},\n"] * len(
            steps
        )
        self._pieces[1::7], self._pieces[5::7] = steps, stamps

    def rows(self, values: list[bytes]) -> bytes:
        """Return the points with these values, one line each."""
        self._pieces[3::7] = values
        return b"".join(self._pieces)[:-2]


def _value_texts(values: list[Any]) -> list[bytes]:
    if not math.isfinite(sum(values)):
        values = [value if math.isfinite(value) else non_finite_text(value) for value in values]
    return _texts(values)


def _texts(values: list[Any]) -> list[bytes]:
    texts = orjson.dumps(values)[1:-1].split(b",")
    # steps and timestamps of other code may hold commas
    return texts if len(texts) == len(values) else [orjson.dumps(value) for value in values]


def _rank_of_row(row: bytes) -> float:
    try:
        return rank(orjson.loads(row[len(b'    {"step": ') :].partition(b', "value"')[0]))
    except ValueError:
        return math.inf  # a step of other code that looks like the row itself
