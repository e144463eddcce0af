"""The chain of a history: each event holds the hash of the line before it, so that a change of the past is seen.

A chain shows that lines are missing, changed or added. It cannot show that the last lines were cut off.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracking.files import append, regular
from tracking.values.jsontext import decode


@dataclass(frozen=True)
class Break:
    """A place where a history is damaged or its chain breaks, in words; `is_whole` says that no line is missing there."""

    words: str
    is_whole: bool = False


def breaks(path: Path) -> Iterator[Break]:
    """Yield each place where a history is damaged or its chain breaks; a missing file has none.

    Lines before the first one with a hash are of older versions of podium, and are not checked.
    """
    lines = _lines(path)
    places = {append.line_hash(line): number for number, line in enumerate(lines, 1)}
    is_chained, is_damaged = False, False
    for number, line in enumerate(lines, 1):
        was_damaged = is_damaged
        try:
            told = decode(line).get(append.PREVIOUS)
            is_damaged = False
        except (ValueError, AttributeError):
            is_damaged = True
            yield Break(f"line {number} is damaged")
            continue
        before = None if number == 1 else append.line_hash(lines[number - 2])
        if told is None:
            if is_chained:
                yield Break(
                    f"line {number} does not say which line it follows: an older podium or another program wrote it"
                )
        elif told in places and told != before:
            yield Break(
                f"line {number} follows line {places[told]}, not the line before it: "
                "a sync program brought two histories together, or somebody added or moved lines",
                is_whole=True,
            )
        elif told != before and not was_damaged:
            yield Break(f"the line that line {number} follows was changed or removed")
        is_chained = is_chained or told is not None


def _lines(path: Path) -> list[bytes]:
    """Return the lines without their newlines; leave out a last one that is truncated, as every reader does."""
    try:
        file = regular.open_file(path)
    except FileNotFoundError:
        return []
    with file:
        lines = list(regular.lines_of(file))
    if lines and not lines[-1].endswith(b"\n") and not append.is_object(lines[-1]):
        lines.pop()
    return [line.removesuffix(b"\n") for line in lines]
