"""Read the meta.yaml files of MLflow: one mapping of names to plain values, as PyYAML writes it.

A reader of its own, as the tracker alone comes without a YAML library. It knows no anchors, tags or nested values, so a
hostile file can make nothing but text.
"""

import re

_ENTRY = re.compile(r"(\w+): ?(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPED = {
    **{"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b"},
    **{"N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029"},
}
# Begun at the first of many spaces alone: to begin anew at each takes the time of their square.
_LINE_ENDS = re.compile(r"(?<![ \t])[ \t]*+\n(?:[ \t]*\n)*+[ \t]*+")
_EMPTY = ("", "null", "~", "Null", "NULL")


def read_flat(text: str) -> dict[str, str | None]:
    """Return the values by name as text, None for null; raise ValueError for a line that is none of a flat mapping."""
    found: dict[str, str | None] = {}
    for entry in re.split(r"\n(?=[^ \t\n])", text.strip("\n")):
        if entry.startswith(("#", "---")) or not entry.strip(" \t\n"):
            continue
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ValueError(f"{entry[:40]!r} is no entry of a flat mapping")
        found[match[1]] = _scalar(match[2].strip(" \t\n"))
    return found


def _scalar(text: str) -> str | None:
    if text[:1] == '"':
        if len(text) < 2 or text[-1] != '"':
            raise ValueError(f"{text[:40]!r} has no closing quote")
        return _ESCAPE.sub(_character, _folded(re.sub(r"\\\n[ \t]*", "", text[1:-1])))
    if text[:1] == "'":
        if len(text) < 2 or text[-1] != "'":
            raise ValueError(f"{text[:40]!r} has no closing quote")
        return _folded(text[1:-1]).replace("''", "'")
    if text[:1] in ("&", "*", "!", "|", ">", "{") or (text[:1] == "[" and text != "[]"):
        raise ValueError(f"{text[:40]!r} is no plain value")
    return None if text in _EMPTY else _folded(text)


def _folded(text: str) -> str:
    """Return a text of several lines as one: a line end is a space, and each empty line after it an end of a line."""
    return _LINE_ENDS.sub(lambda found: "\n" * (found[0].count("\n") - 1) or " ", text)


def _character(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) == 1:
        return _ESCAPED.get(code, code)
    number = int(code[1:], 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise ValueError(f"{found[0]} is no character")
    return chr(number)
