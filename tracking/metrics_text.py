"""The text of metrics.json, made from log calls as they are read, a point per line.

Numbers are written by columns, because one call that encodes a thousand of them costs as much as ten that encode one.
Memory is the size of the text.
"""

import itertools
import math
from collections.abc import Iterator
from operator import le
from typing import Any

import orjson

from tracking.history import Calls, Column, columns, rank
from tracking.values import non_finite_text

_ROW = b'    {"step": %b, "value": %b, "timestamp": %b}'
_STEP = slice(len(b'    {"step": '), None)


class MetricsText:
    """metrics.json in the making; takes log calls in the order in which they were made."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[bytes]] = {}
        self._last_rank: dict[str, float] = {}
        self._unordered: set[str] = set()

    def add(self, calls: Calls) -> None:
        """Take in some log calls."""
        encoded: dict[int, list[bytes]] = {}  # metrics that are logged together share their steps and times
        for name, column in columns(calls).items():
            steps = encoded.get(id(column.steps)) or encoded.setdefault(
                id(column.steps), _texts(column.steps)
            )
            stamps = encoded.get(id(column.stamps)) or encoded.setdefault(
                id(column.stamps), _stamp_texts(column.stamps)
            )
            rows = map(_ROW.__mod__, zip(steps, _value_texts(column.values), stamps, strict=True))
            self._blocks.setdefault(name, []).append(b",\n".join(rows))
            self._notice_order(name, column)

    def pieces(self) -> Iterator[bytes]:
        """The text, to be written piece by piece."""
        opening = b"{\n  "
        for name, blocks in self._blocks.items():
            yield opening + orjson.dumps(name) + b": [\n"
            if name in self._unordered:
                # each point is one line, so the lines can be put in order without having been kept apart
                rows = b",\n".join(blocks).split(b",\n")
                rows.sort(key=_rank_of_row)
                yield b",\n".join(rows)
            else:
                for index, block in enumerate(blocks):
                    yield b",\n" + block if index else block
            yield b"\n  ]"
            opening = b",\n  "
        yield b"\n}\n" if self._blocks else b"{}\n"

    def _notice_order(self, name: str, column: Column) -> None:
        ranks = list(map(rank, column.steps))
        if ranks[0] < self._last_rank.get(name, -math.inf) or not is_ascending(ranks):
            self._unordered.add(name)
        self._last_rank[name] = ranks[-1]


def is_ascending(ranks: list[float]) -> bool:
    """Whether each is at least as high as the one before."""
    return all(map(le, ranks, itertools.islice(ranks, 1, None)))


def _texts(values: list[Any]) -> list[bytes]:
    if all(type(value) is int or value is None for value in values):
        return orjson.dumps(values)[1:-1].split(b",")
    return [orjson.dumps(value) for value in values]  # steps of other code


def _value_texts(values: list[Any]) -> list[bytes]:
    if not math.isfinite(sum(values)):
        values = [value if math.isfinite(value) else non_finite_text(value) for value in values]
    return orjson.dumps(values)[1:-1].split(b",")


def _stamp_texts(stamps: list[str]) -> list[bytes]:
    texts = orjson.dumps(stamps)[2:-2].split(b'","')
    if len(texts) == len(stamps):
        return [b'"%b"' % text for text in texts]
    return [orjson.dumps(stamp) for stamp in stamps]  # a text with quotes and commas in it


def _rank_of_row(row: bytes) -> float:
    try:
        return rank(orjson.loads(row[_STEP].partition(b', "value"')[0]))
    except ValueError:
        return math.inf  # a text of other code that looks like the row itself
