"""Log calls in a journal's text, as blocks of points: columns of steps, times and values.

Nearly all calls of a run log the same names in the same order. Such lines are taken apart as text, and no dict is made
per line: the columns keep the text of their numbers, of which metrics.json is made without writing numbers again.
"""

import itertools
import logging
import math
from collections.abc import Iterator
from operator import le
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tracking.metrics.line import Line
from tracking.values import jsontext
from tracking.values.jsontext import Number, stored_number
from tracking.values.names import with_composed_keys

log = logging.getLogger("tracking")

UNIFORM_LINES = 16  # that are worth being taken apart as text


class Texts(NamedTuple):
    """The JSON of a block's numbers; what stands before and after each of them is the same for all points."""

    steps: list[bytes]
    stamps: list[bytes]
    values: dict[str, list[bytes]]


class Block(NamedTuple):
    """Points of metrics that were logged together, in the order of their log calls, as parallel lists."""

    steps: list[Any]
    stamps: list[str]
    values: dict[str, list[Number]]
    texts: Texts | None = None


def rank(step: Any) -> float:
    """Return the sort key of a step; a point without a step comes last."""
    return step if isinstance(step, int | float) and step == step else math.inf


def is_ascending(steps: list[Any]) -> bool:
    """Return whether steps are in the order of `rank`."""
    if set(map(type, steps)) != {int}:  # integers, the usual case, are their own rank
        steps = list(map(rank, steps))
    return all(map(le, steps, itertools.islice(steps, 1, None)))


def parse_blocks(text: bytes, path: Path, damaged: list[bytes] | None = None) -> list[Block]:
    """Return the points of complete journal lines; log a line that is damaged or not a log call."""
    block = _uniform(text)
    return [block] if block else blocks_of(parse_calls(text, path, damaged))


def parse_calls(text: bytes, path: Path, damaged: list[bytes] | None = None) -> list[Line]:
    """Return the log calls in complete journal lines; log a line that is damaged or not a log call."""
    # one call that parses all lines as an array costs a fraction of one call per line
    try:
        values = orjson.loads(b"[" + text[:-1].replace(b"\n", b",") + b"]")
        steps = [value["step"] for value in values]
        stamps = [value["timestamp"] for value in values]
        metrics = [value["metrics"] for value in values]
        if not text.isascii():
            metrics = list(map(with_composed_keys, metrics))
        kinds = set(map(type, itertools.chain.from_iterable(map(dict.values, metrics))))
        if kinds <= {float, int} and set(map(type, stamps)) == {str} and len(values) == text.count(b"\n"):
            return list(map(Line, steps, stamps, metrics))
    except (ValueError, KeyError, TypeError):
        pass
    # a non-finite number, the header of a journal, or damage: go line by line
    return list(_parse_lines(text, path, [] if damaged is None else damaged))


def blocks_of(calls: list[Line]) -> list[Block]:
    """Return the points of log calls: one block if all have the same names, else one for each metric."""
    if not calls:
        return []
    steps, stamps, metrics = map(list, zip(*calls, strict=True))
    names = tuple(calls[0].metrics)
    if set(map(tuple, metrics)) == {names}:
        return [Block(steps, stamps, {name: [each[name] for each in metrics] for name in names})]
    found: dict[str, Block] = {}
    for step, stamp, each in calls:
        for name, value in each.items():
            block = found.get(name)
            if block is None:
                block = found[name] = Block([], [], {name: []})
            block.steps.append(step)
            block.stamps.append(stamp)
            block.values[name].append(value)
    return list(found.values())


def block_of(name: str, points: list[dict[str, Any]]) -> Block:
    """Return the points of one metric."""
    steps, values, stamps = ([point[key] for point in points] for key in ("step", "value", "timestamp"))
    return Block(steps, stamps, {name: values})


def _uniform(text: bytes) -> Block | None:
    """Return the points of lines that all have the same names in the same order; None for any other text.

    Cut at its quotes, such a line always has the same number of pieces, of which all but the step, the time and the
    values are the same in each line. Every piece is compared, so damage is not taken for points.
    """
    count = text.count(b"\n")
    if count < UNIFORM_LINES or not text.isascii() or b"\\" in text:
        return None
    try:
        names = list(orjson.loads(text[: text.index(b"\n")])["metrics"])
    except (ValueError, KeyError, TypeError):
        return None
    pieces, period = text.split(b'"'), 2 * len(names) + 8
    if not names or len(pieces) != count * period + 1:
        return None
    constant = {1: b"step", 3: b"timestamp", 4: b":", 6: b",", 7: b"metrics", 8: b":{"}
    constant |= {9 + 2 * index: name.encode() for index, name in enumerate(names)}
    if any(pieces[at::period].count(piece) != count for at, piece in constant.items()):
        return None
    if pieces[0] != b"{" or not pieces[-1].endswith(b"}}\n"):
        return None
    pieces[-1] += b"{"
    ends = dict.fromkeys(names, b",") | {names[-1]: b"}}\n{"}
    found = {name: _numbers(pieces[10 + 2 * at :: period], ends[name]) for at, name in enumerate(names)}
    steps, stamp_texts = _numbers(pieces[2::period], b","), pieces[5::period]
    values = {name: each[0] for name, each in found.items() if each}
    texts = {name: each[1] for name, each in found.items() if each}
    is_numeric = all(set(map(type, column)) <= {int, float} for column in values.values())
    if steps is None or len(values) != len(names) or not is_numeric:
        return None
    try:
        stamps = orjson.loads(b'["' + b'","'.join(stamp_texts) + b'"]')
    except ValueError:  # a control character
        return None
    return Block(steps[0], stamps, values, Texts(steps[1], stamp_texts, texts))


def _numbers(pieces: list[bytes], end: bytes) -> tuple[list[Any], list[bytes]] | None:
    """Return the JSON values that stand between a colon and `end` in each piece, and their texts; None if one does not."""
    # joined by what cannot be within a piece, so that each border of two pieces is found again
    joined = b'"'.join(pieces)
    text = joined.replace(end + b'":', b"\n")
    if len(joined) - len(text) != (len(pieces) - 1) * (len(end) + 1) or not joined.startswith(b":"):
        return None
    texts = text[1 : -len(end)].split(b"\n")
    try:
        values = orjson.loads(b"[" + b",".join(texts) + b"]")
    except ValueError:
        return None
    return (values, texts) if len(values) == len(texts) == len(pieces) else None


def _parse_lines(text: bytes, path: Path, damaged: list[bytes]) -> Iterator[Line]:
    for line in text.split(b"\n"):
        if not line.strip():
            continue
        try:
            value = jsontext.decode(line)
        except ValueError:
            log.warning("left out: %s: a damaged line: %.80r", path, line)
            damaged.append(line)
            continue
        if isinstance(value, dict) and ("writer" in value or "base" in value):
            continue  # the header of a journal
        try:
            metrics = {
                name: stored_number(number) for name, number in with_composed_keys(value["metrics"]).items()
            }
            yield Line(stored_step(value["step"]), str(value["timestamp"]), metrics)
        except (KeyError, TypeError, AttributeError, ValueError):
            log.warning("left out: %s: a line that is not a log call: %.80r", path, value)
            damaged.append(line)


def stored_step(step: Any) -> Any:
    """Return the step that a JSON value stands for; other code may have written any."""
    # one of more than 64 bits is written as a float from here on
    return stored_number(step) if type(step) is int else step
