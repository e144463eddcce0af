"""What commands write: lines, warnings, JSON, and values as cells of a table.

rich is loaded only when text is styled for a terminal.
"""

import json
import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from tracking.values import jsontext
from tracking.values.celltext import one_line as one_line
from tracking.values.celltext import param as param
from tracking.values.celltext import safe as safe
from tracking.values.celltext import show as show
from tracking.values.names import natural_key

MOST_RANGES = 100  # of run ids in a list; a longer one is cut after HEAD of them
HEAD = 10

LEFT_OUT = "left out: "
DESCRIPTION = "Description"  # the fact that may have several lines

_log = logging.getLogger("tracking")


def say(text: str = "", style: str = "", *, file: IO[str] | None = None) -> None:
    """Write a line to stdout or `file`, in a style of rich on a terminal; escape control characters."""
    out = file or sys.stdout
    if style and out.isatty():
        from rich.text import Text

        # Soft wrap, because a path that is broken into two lines cannot be copied.
        console(out).print(Text(safe(text), style=style), soft_wrap=True)
    else:
        out.write(safe(text) + "\n")


def say_json(value: Any) -> None:
    """Write a value as indented JSON: a record as an object, a time as ISO 8601; NaN and infinities are strings."""
    sys.stdout.write(printable(jsontext.encode(_plain(value), indent=True)).decode() + "\n")


def say_json_line(value: Any) -> None:
    """Write a value as one line of JSON."""
    sys.stdout.write(printable(jsontext.encode(_plain(value))).decode() + "\n")


def printable(text: bytes) -> bytes:
    """Return JSON with the control characters that JSON allows written as escapes; it is the same value."""
    if text.isascii() and b"\x7f" not in text:
        return text
    chars = (char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text.decode())
    return "".join(chars).encode()


def say_progress(done: int, total: int) -> None:
    """Write the progress of a long command to stderr, in place; remove the line at the last step."""
    sys.stderr.write(f"\r{done} of {total} runs" if done < total else "\r\x1b[K")
    sys.stderr.flush()


def title(text: str) -> None:
    """Write a heading: bold on a terminal, between rules elsewhere."""
    rule = "=" * 80
    say(text, "bold") if sys.stdout.isatty() else say(f"{rule}\n{text}\n{rule}")


def say_facts(facts: Mapping[str, Any], headline: str = "") -> None:
    """Write a line per fact that is not None, under a headline if there is one; write nothing if there are no facts.

    The end of a line in a fact is escaped, as other control characters are; a description has as many lines as it has.
    """
    known = {name: fact for name, fact in facts.items() if fact is not None}
    if headline and known:
        say(f"\n{headline}:")
    for name, fact in known.items():
        text = show(fact)
        say(f"{'  ' if headline else ''}{one_line(name)}: {text if name == DESCRIPTION else one_line(text)}")


def warn(text: str) -> None:
    """Write a warning to stderr, through the log: a text that was written before is not repeated."""
    # The handler of the entry writes it: it knows the name of the program, and which texts it wrote before.
    _log.warning("%s", text)


def ranges(run_ids: Sequence[str], *, whole: bool) -> str:
    """Return run ids as a list; unless `whole`, write neighbours as run_001..run_005 and cut a long list."""
    ids = sorted(run_ids, key=natural_key)
    if whole:
        return ", ".join(ids)
    groups: list[list[str]] = []
    for run_id in ids:
        if groups and _number(run_id) == _number(groups[-1][-1]) + 1:
            groups[-1].append(run_id)
        else:
            groups.append([run_id])
    texts = [group[0] if len(group) == 1 else f"{group[0]}..{group[-1]}" for group in groups]
    if len(texts) > MOST_RANGES:
        rest = sum(map(len, groups[HEAD:-1]))
        texts = [*texts[:HEAD], f"({rest} more)", texts[-1]]
    return ", ".join(texts)


def listed(names: Sequence[str]) -> str:
    """Return names as a list, only the first HEAD and the number of the others when there are many."""
    some = names if len(names) <= 2 * HEAD else [*names[:HEAD], f"({len(names) - HEAD} more)"]
    return ", ".join(some)


def printed(line: str) -> str:
    """Return a line that a program printed with control characters escaped, except tabs."""
    return "\t".join(map(safe, line.split("\t")))


def ellipsis(encoding: str | None) -> str:
    """Return what stands for text that was cut, in an encoding that may lack the usual character."""
    return "…" if (encoding or "").lower().startswith("utf") else "~"


def terminal_width(file: IO[str]) -> int | None:
    """Return the width of the terminal that a stream leads to; None for a pipe or a file."""
    return shutil.get_terminal_size().columns if file.isatty() else None


def console(file: IO[str], *, force_terminal: bool | None = None) -> Any:
    """Return a console of rich on a terminal, as wide as that; it respects NO_COLOR and TERM."""
    from rich.console import Console

    width = shutil.get_terminal_size().columns
    # Highlighting would colour numbers in names.
    return Console(file=file, width=width, highlight=False, force_terminal=force_terminal)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return {jsontext.readable(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return jsontext.readable(str(value) if isinstance(value, Path) else value)


def _number(run_id: str) -> int:
    digits = run_id.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else -2
