"""What each file of a run adds to its points, so that every point counts once.

The files may be of different times: a folder is copied file by file, a second copy removes nothing, a sync program
keeps two versions. So no file is the truth because it is there.

- Journals that begin with the same line are versions of one journal: together they have each of its lines.
- metrics.json, and the part of a journal that was copied from it when a finished run went on (`base`), are views of
  journals: they add only the points that the journals lack.
"""

import io
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from tracking.files.regular import lines_of
from tracking.values import jsontext, timestamps

FIRST_BYTES = 1 << 16  # of a journal, enough to tell it from others
CHUNK_BYTES = 1 << 20
MAX_BASE_BYTES = 1 << 32

Point = dict[str, Any]
History = dict[str, list[Point]]


class Part(io.BytesIO):
    """Lines of a journal that is not read whole, under the name of the file."""

    def __init__(self, lines: bytes, name: str) -> None:
        super().__init__(lines)
        self.name = name


def distinct(journals: list[BinaryIO]) -> list[BinaryIO]:
    """Return journals that have each line of the given ones once; what they lack of other versions comes last."""
    if len(journals) < 2:
        return journals
    families: dict[bytes, list[BinaryIO]] = {}
    for journal in journals:
        first = journal.readline(FIRST_BYTES)
        journal.seek(0)
        families.setdefault(first, []).append(journal)
    rest: list[BinaryIO] = []
    whole = []
    for family in families.values():
        # the first of equals is the file that a writer of ours named
        longest = max(family, key=_size)
        whole.append(longest)
        others = [
            journal for journal in family if journal is not longest and not _is_part_of(journal, longest)
        ]
        if others:
            rest += _lines_beyond(longest, others)
    return [*whole, *rest]


def base_header(size: int) -> bytes:
    """Return the line before `size` bytes of a journal that are points of a metrics.json."""
    return orjson.dumps({"base": size, "journal": os.urandom(6).hex()}) + b"\n"


def split_base(journal: BinaryIO) -> tuple[BinaryIO | None, BinaryIO]:
    """Return the points that a journal has from metrics.json, if any, and those that were logged into it."""
    size = _base_bytes(journal)
    if not size:
        journal.seek(0)
        return None, journal
    name = str(journal.name)
    return Part(journal.read(size), name), Part(journal.read(), name)


def has_base(journal: BinaryIO) -> bool:
    """Return whether a journal begins with points of a metrics.json."""
    size = _base_bytes(journal)
    journal.seek(0)
    return size > 0


def _base_bytes(journal: BinaryIO) -> int:
    for _ in range(2):  # the header of the writer comes first
        try:
            header = jsontext.decode(journal.readline(FIRST_BYTES))
        except ValueError:
            return 0
        if isinstance(header, dict) and type(header.get("base")) is int:
            return max(0, min(int(header["base"]), MAX_BASE_BYTES))
        if not (isinstance(header, dict) and "writer" in header):
            return 0
    return 0


def joined(history: History, view: History) -> History:
    """Return a history with the points that a view of it has beyond; equal points count as often as the fuller has them."""
    found = dict(history)
    for name, points in view.items():
        known = history.get(name, [])
        extra = _beyond(points, known) if points != known else []
        if len(extra) == len(points) - len(known):
            found[name] = points if extra else known  # the view has all of them, and their order
        elif extra:
            found[name] = sorted(known + extra, key=lambda point: moment_of(point["timestamp"]))
    return found


def count_points(history: History) -> int:
    """Return the number of points of all metrics."""
    return sum(map(len, history.values()))


def moment_of(timestamp: Any) -> datetime:
    """Return when a point was logged; the beginning of time where other code wrote no time."""
    try:
        return timestamps.parse(timestamp)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0).astimezone()


def _beyond(points: list[Point], known: list[Point]) -> list[Point]:
    left = Counter(map(_key, known))
    extra = []
    for point in points:
        key = _key(point)
        if left[key] > 0:
            left[key] -= 1
        else:
            extra.append(point)
    return extra


def _key(point: Point) -> str:
    # as text, in which NaN is equal to itself, and a step of other code may be anything
    return repr((point["step"], point["value"], point["timestamp"]))


def _size(journal: BinaryIO) -> int:
    size = journal.seek(0, io.SEEK_END)
    journal.seek(0)
    return size


def _is_part_of(journal: BinaryIO, longer: BinaryIO) -> bool:
    """Return whether the complete lines of a journal are the beginning of another."""
    try:
        for chunk in _chunks(journal):
            other = longer.read(len(chunk))
            if chunk != other:
                end = chunk.rfind(b"\n") + 1  # a last line may be cut
                return chunk[:end] == other[:end] and not journal.read(1)
        return True
    finally:
        journal.seek(0)
        longer.seek(0)


def _chunks(journal: BinaryIO) -> Iterator[bytes]:
    while chunk := journal.read(CHUNK_BYTES):
        yield chunk


def _lines_beyond(longest: BinaryIO, others: list[BinaryIO]) -> Iterator[BinaryIO]:
    known = Counter(lines_of(longest))
    longest.seek(0)
    for journal in others:
        count: Counter[bytes] = Counter()
        lines = []
        for line in lines_of(journal):
            count[line] += 1
            if line.endswith(b"\n") and count[line] > known[line]:
                lines.append(line)
                known[line] += 1
        yield Part(b"".join(lines), str(Path(journal.name)))
