"""A metrics.json read piece by piece as text, so that the points of one metric cost neither a dict each nor the file's size.

Our writer puts each point on a line of its own, below a line with the metric's name:

    {
      "val_auc": [
        {"step": 0, "value": 0.5, "timestamp": "2026-11-30T08:43:21.984+00:00"},
        ...
      ],

Whatever is not plainly this, byte for byte around each value, raises OtherFormError, and the parser of JSON reads it.
"""

from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, NamedTuple

import orjson

from tracking.values.names import composed

CHUNK_BYTES = 1 << 20
_END = b"\n}\n"
_CONSTANT = {1: b"step", 3: b"value", 5: b"timestamp", 6: b": "}


class OtherFormError(Exception):
    """The text is not as our writer writes it; it may hold points all the same."""


class Rows(NamedTuple):
    """Points of one metric, as parallel lists."""

    steps: list[Any]
    stamps: list[str]
    values: list[Any]


def read_rows(file: BinaryIO, wanted: Collection[str] | None) -> Iterator[tuple[str, Rows]]:
    """Yield the points of the wanted metrics in the order of the file, in parts; with None those of all metrics.

    Raise OtherFormError at anything else. What comes after the last wanted metric is not looked at.
    """
    seen: set[str] = set()
    name = ""
    for head, rows in _sections(file):
        if head:
            if wanted is not None and seen.issuperset(wanted):
                return
            name = _name(head)
            if name in seen:
                raise OtherFormError("a name twice")
            seen.add(name)
        elif wanted is None or name in wanted:
            yield name, _rows(rows)


def _sections(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the line of each name, and after it the lines of its points in parts."""
    text, is_head = file.read(CHUNK_BYTES), True
    if text == b"{}\n":
        return
    if not text.startswith(b"{\n"):
        raise OtherFormError("no object with a line per point")
    text = text[2:]
    while True:
        end = text.find(b"\n") if is_head else _end_of_rows(text)
        if end < 0:
            more = file.read(CHUNK_BYTES)
            if not more:
                raise OtherFormError("it ends early")
            if is_head:
                text += more
                continue
            # whole lines alone; the last of them may be followed by the end of the list
            start = text.rfind(b"\n")
            if start > 0:
                yield b"", text[:start]
            text = text[max(start, 0) :] + more
        elif is_head:
            yield text[:end], b""
            text, is_head = text[end:], False
        else:
            yield b"", text[:end]
            text = text[end + 4 :]
            while len(text) <= len(_END) and (more := file.read(CHUNK_BYTES)):
                text += more
            if text == _END:
                return
            if not text.startswith(b",\n"):
                raise OtherFormError("something between two metrics")
            text, is_head = text[2:], True


def _end_of_rows(text: bytes) -> int:
    """Return where the lines of points end, before a newline and `  ]`; -1 if that is not in the text."""
    end = text.find(b"]")  # which no line of a point has, so it is found faster than a newline
    if end >= 0 and text[max(0, end - 3) : end] != b"\n  ":
        raise OtherFormError("a list in a point")
    return end - 3 if end >= 0 else -1


def _name(head: bytes) -> str:
    if not head.startswith(b'  "') or not head.endswith(b'": ['):
        raise OtherFormError("no name of a metric")
    try:
        return str(composed(orjson.loads(head[2:-3])))
    except ValueError:
        raise OtherFormError("no name of a metric") from None


def _rows(text: bytes) -> Rows:
    r"""Return the points in lines such as `\n    {"step": 0, "value": 0.5, "timestamp": "..."}`, each with a comma or the last."""
    pieces = text.removesuffix(b",").split(b'"')
    count, rest = divmod(len(pieces) - 1, 8)
    is_regular = (
        count > 0
        and not rest
        and b"\\" not in text
        and all(pieces[at::8].count(piece) == count for at, piece in _CONSTANT.items())
        and pieces[0] == b"\n    {"
        and pieces[8:-1:8].count(b"},\n    {") == count - 1
        and pieces[-1] == b"}"
    )
    if not is_regular:
        raise OtherFormError("points that need a second look")
    try:
        steps, values = (_numbers(pieces[at::8]) for at in (2, 4))
        stamps = orjson.loads(b'["' + b'","'.join(pieces[7::8]) + b'"]')
    except ValueError:
        raise OtherFormError("points that need a second look") from None
    if not count == len(steps) == len(values) or not set(map(type, values)) <= {int, float}:
        raise OtherFormError("values that are no numbers")
    return Rows(steps, stamps, values)


def _numbers(pieces: list[bytes]) -> list[Any]:
    """Return the JSON values of pieces that each are `: VALUE, `; raise ValueError for any other piece."""
    # joined by what cannot be within a piece, so that each border of two pieces is found again
    joined = b'"'.join(pieces)
    text = joined[2:-2].replace(b', ": ', b",")
    if not joined.startswith(b": ") or not joined.endswith(b", ") or b'"' in text:
        raise ValueError("not one value in each piece")
    return list(orjson.loads(b"[" + text + b"]"))
