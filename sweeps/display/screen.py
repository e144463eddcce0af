"""A log as a terminal would show it: of a line that was written over again and again, its last state.

Progress bars go back to the start of a line, back a character, and some rows up or down, and they erase. A `Screen` follows
these movements and leaves out every other control sequence, such as a colour or the title of the window. It holds little,
however long the log: a row that is REACH rows above the last one can change no more, and a row ends at WIDEST characters.
"""

import codecs
import os
import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, chain
from pathlib import Path
from typing import BinaryIO

from tracking.files import open_file

REACH = 200
WIDEST = 100_000
BLOCK = 1 << 20  # bytes that are read at once
STEP = FARTHEST = 1 << 16
LONGEST = 64  # bytes of a movement

_TOKEN = re.compile(
    r"\x1b\[(?P<numbers>[0-?]{0,32})[ -/]{0,4}(?P<final>[@-~])"  # a control sequence
    r"|[\x9b](?:[0-?]{0,32}[ -/]{0,4}[@-~])?"  # its other form, which no progress bar uses
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]{0,4096}(?:\x07|\x1b\\|\x9c)"  # a string for the terminal
    r"|\x1b[ -/]{0,4}[0-~]"  # an escape of two characters
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]{0,32}[ -/]{0,4}|[\]PX^_][^\x07\x1b\x9c\n]{0,4096}\x1b?|[ -/]{0,4})\Z")
_MORE_THAN_RETURNS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ESCAPE = b"\x1b"
_VERTICAL = re.compile(rb"\n|\x1b\[\d{0,32}[ABEF]")


class Screen:
    """The rows of a terminal without an end on any side but the left and the top."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._rows = [""]
        self._row = self._column = 0
        self._begun = ""  # a control sequence that goes on in what is fed next
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def rows(self) -> list[str]:
        """The rows that can still change; the last one, which may go on, is empty after a newline."""
        return [*(row.rstrip(" ") for row in self._rows[:-1]), self._rows[-1]]

    def feed(self, data: bytes) -> list[str]:
        """Take what is written next; return the rows that can change no more."""
        text = self._begun + self._decoder.decode(data)
        begun = _BEGUN.search(text)
        self._begun = begun.group() if begun else ""
        self._show(text.removesuffix(self._begun))
        done, self._done = self._done, []
        return [row.rstrip(" ") for row in done]

    def close(self) -> list[str]:
        """Return the rows that are left once all has been written."""
        self._show(self._begun + self._decoder.decode(b"", final=True))
        rows = self._done + self._rows
        return [row.rstrip(" ") for row in (rows if rows[-1] else rows[:-1])]

    def keep(self, count: int) -> None:
        """Forget all rows but the last `count`, and an empty one after them."""
        extra = len(self._rows) - count - (self._rows[-1] == "")
        if extra > 0:
            del self._rows[:extra]
            self._row = max(0, self._row - extra)

    def _show(self, text: str) -> None:
        for number, line in enumerate(text.split("\n")):
            if number:
                self._down(1)
                self._column = 0
            if _MORE_THAN_RETURNS.search(line):
                self._follow(line)
            elif "\r" in line:
                self._overwrite(line)
            else:
                self._put(line)

    def _overwrite(self, line: str) -> None:
        first, *states = line.split("\r")
        self._put(first)
        shown = states[-1]
        for state in reversed(states):  # an earlier state is seen where all later ones are shorter
            if len(state) > len(shown):
                shown += state[len(shown) :]
        self._column = 0
        self._put(shown)
        self._column = len(states[-1])

    def _follow(self, line: str) -> None:
        end = 0
        for token in _TOKEN.finditer(line):
            self._put(line[end : token.start()])
            end = token.end()
            if token["final"]:
                self._move(token["final"], token["numbers"])
            elif token.group() == "\r":
                self._column = 0
            elif token.group() == "\b":
                self._column = max(0, self._column - 1)
        self._put(line[end:])

    def _move(self, final: str, numbers: str) -> None:
        number = numbers.partition(";")[0]
        if not number.isdecimal() and number:
            return  # of a private sequence
        count = min(int(number or 0), WIDEST)
        row, column = self._rows[self._row], self._column
        match final:
            case "A" | "F":
                self._row = max(0, self._row - max(1, count))
            case "B" | "E":
                self._down(min(max(1, count), REACH))
            case "C":
                self._column += max(1, count)
            case "D":
                self._column = max(0, column - max(1, count))
            case "G":
                self._column = max(1, count) - 1
            case "K":
                ends = {0: row[:column], 1: " " * (column + 1) + row[column + 1 :], 2: ""}
                self._rows[self._row] = ends.get(count, row)[:WIDEST]
            case "J" if count == 0:
                self._rows[self._row :] = [row[:column]]
        if final in "EF":
            self._column = 0

    def _down(self, count: int) -> None:
        self._row += count
        if self._row >= len(self._rows):
            self._rows += [""] * (self._row - len(self._rows) + 1)
        if len(self._rows) > 2 * REACH:
            extra = min(len(self._rows) - REACH, self._row)
            self._done += self._rows[:extra]
            del self._rows[:extra]
            self._row -= extra

    def _put(self, text: str) -> None:
        if not text:
            return
        row, start = self._rows[self._row], min(self._column, WIDEST)
        self._column = min(self._column + len(text), 2 * WIDEST)
        row = row.ljust(start)[:start] + text[: WIDEST + 1] + row[start + len(text) :]
        self._rows[self._row] = row if len(row) <= WIDEST else f"{row[: WIDEST - 1]}…"

    def skip(self, rows: int) -> None:
        """Go down so many rows, or up, as what is written in between does; what follows begins with a return."""
        self._begun, self._row = "", max(0, self._row + min(rows, 0))
        self._decoder.reset()
        self._down(max(0, rows))


def lines_of(path: Path, last: int | None = None) -> Iterator[str]:
    """Yield the lines of a log as a terminal would show them, only the `last` ones if that is given."""
    screen = Screen()
    with open_file(path) as stream:
        yield from finished(screen, stream, last)
    yield from screen.close()


def finished(screen: Screen, stream: BinaryIO, last: int | None = None) -> Iterator[str]:
    """Show a screen the rest of a log; yield the rows that can change no more.

    With `last`, it is the last rows of the log: so many are yielded and left on the screen together.
    """
    if last == 0:
        stream.seek(0, os.SEEK_END)
        return
    if last is not None:
        stream.seek(start_of(stream, last))
    lines = chain.from_iterable(map(screen.feed, _without_overwritten(_blocks(stream), screen)))
    if last is None:
        yield from lines
    else:
        kept = deque(lines, maxlen=last)
        screen.keep(last)
        left = last - len([*screen.rows[:-1], *filter(None, screen.rows[-1:])])
        yield from list(kept)[max(0, len(kept) - left) :]


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file in blocks that begin with a return wherever there is one."""
    rest = b""
    while block := stream.read(BLOCK):
        block = rest + block
        end = block.rfind(b"\r")
        rest = block[end:] if end > 0 else b""
        yield block[:end] if end > 0 else block
    yield rest


def _without_overwritten(blocks: Iterator[bytes], screen: Screen) -> Iterator[bytes]:
    """Yield the blocks but those that come to nothing: the block after such a one writes over all of its rows.

    It would take minutes to follow all movements of a bar that ran for a week.
    """
    before, rows = next(blocks), None
    for block in blocks:
        is_like_a_bar = _ESCAPE in block and block.startswith(b"\r") and len(block) > BLOCK // 2
        after = _rows_of(block) if is_like_a_bar else None
        if rows and after and rows[2] + after[0] <= rows[0] and rows[1] <= rows[2] + after[1]:
            screen.skip(rows[2])
        else:
            yield before
        before, rows = block, after
    yield before


def _rows_of(block: bytes) -> tuple[int, int, int]:
    """Return the highest and the lowest row that a block comes to, and its last: from its first, down is positive."""
    rows = [0, *accumulate(map(_rows_down, _VERTICAL.findall(block)))]
    return min(rows), max(rows), rows[-1]


@lru_cache(maxsize=256)
def _rows_down(move: bytes) -> int:
    if move == b"\n":
        return 1
    count = min(max(1, int(move[2:-1] or 0)), REACH)
    return count if move[-1:] in b"BE" else -count


def start_of(stream: BinaryIO, last: int) -> int:
    """Return where the `last` lines of a log begin, or some lines before them.

    Nothing after that place changes a line above it, and nothing before it is seen below: that was looked for in the
    FARTHEST bytes before, in which a bar comes back to each of its rows.
    """
    position = stream.seek(0, os.SEEK_END)
    row = highest = lowest = 0  # from the row of the cursor at the end: negative above it
    found, found_row = -1, 0
    while position > 0:
        begin = max(0, position - STEP)
        stream.seek(begin)
        block = stream.read(position - begin + LONGEST)
        moves: list[re.Match[bytes]] = []
        if b"\n" in block or _ESCAPE in block:
            moves = [move for move in _VERTICAL.finditer(block) if move.start() < position - begin]
        for move in reversed(moves):
            # The row of an empty line at the very end is one more.
            if found < 0 and move.group() == b"\n" and row <= highest and lowest - row + 1 > last:
                found, found_row = begin + move.end(), row
            row -= _rows_down(move.group())
            highest, lowest = min(highest, row), max(lowest, row)
            if found >= 0 and row >= found_row:
                found = -1  # the row was written to before
        if found - begin > FARTHEST:
            return found
        position = begin
    return max(found, 0)
