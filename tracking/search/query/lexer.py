"""Split a filter into tokens; create errors that point at a place in its text."""

import functools
import re
import unicodedata
from enum import Enum, auto
from typing import Any, NamedTuple

from tracking.errors import QueryError, quoted
from tracking.search.query.fields import NAME

MAX_LENGTH = 10_000  # characters of a filter
MAX_DIGITS = 1000  # of a number; Python itself reads no int of more than 4300
SHOWN = 72  # characters of the text in an error

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_HINTS = {
    "=": "write == to compare",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not'",
    "~": "the language has no patterns; write 'contains'",
}


class TokenKind(Enum):
    """Kinds of tokens; a word is a name or a keyword."""

    WORD = auto()
    QUOTED_NAME = auto()
    TEXT = auto()
    NUMBER = auto()
    SIGN = auto()
    END = auto()


class Token(NamedTuple):
    """A token; `text` is how it is written, `value` what it stands for."""

    kind: TokenKind
    text: str
    value: Any
    place: int


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a filter, with an END last; raise QueryError at a character that starts none."""
    if not isinstance(text, str):
        raise QueryError(f"a filter is text, such as \"status == 'completed'\", not {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the filter has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    tokens = []
    place = _skip_space(text, 0)
    while place < len(text):
        match = _pattern().match(text, place)
        if not match:
            raise fault(text, place, _why_no_token(text, place))
        kind = TokenKind[str(match.lastgroup)]
        tokens.append(Token(kind, match[0], _value(kind, match[0], text, place), place))
        place = _skip_space(text, match.end())
    return [*tokens, Token(TokenKind.END, "", None, len(text))]


def fault(text: str, place: int, message: str) -> QueryError:
    """Return the error about a place: the message, the text around it, and a caret below it."""
    start = max(0, min(place - SHOWN // 2, len(text) - SHOWN))
    end = start + SHOWN
    before = ("..." if start else "") + _printable(text[start:place])
    after = _printable(text[place:end]) + ("..." if end < len(text) else "")
    width = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in before)
    return QueryError(f"{message}\n  {before}{after}\n  {' ' * width}^")


@functools.cache
def _pattern() -> re.Pattern[str]:
    digits = "(?>[0-9]+(?:_[0-9]+)*)"  # atomic: digits that end badly are not tried one fewer at a time
    return re.compile(
        rf"""
        (?P<TEXT> '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
      | (?P<QUOTED_NAME> `[^`]+` )
      | (?P<NUMBER> [+-]? (?: (?:{digits}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?
                            | (?:inf|Infinity|nan|NaN) ) (?![\w./@:-]*\w) )
      | (?P<WORD> {NAME} )
      | (?P<SIGN> [=!<>]= | [<>()\[\],.] )
        """,
        re.VERBOSE | re.DOTALL,
    )


def _skip_space(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _value(kind: TokenKind, written: str, text: str, place: int) -> Any:
    match kind:
        case TokenKind.TEXT:
            return re.sub(
                r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), written[1:-1], flags=re.DOTALL
            )
        case TokenKind.QUOTED_NAME:
            return written[1:-1]
        case TokenKind.NUMBER:
            if len(written) > MAX_DIGITS:
                raise fault(text, place, f"{quoted(written)} is not a number")
            is_int = written.lstrip("+-").replace("_", "").isdecimal()  # a float would round a large int
            return int(written) if is_int else float(written)
    return written


def _why_no_token(text: str, place: int) -> str:
    char = text[place]
    if char in "'\"`":
        return f"the text that begins with {char} is not closed"
    if hint := _HINTS.get(char):
        return f"{char!r} is not an operator: {hint}"
    if char in "0123456789+-":
        return "this is neither a number nor a name; a text needs quotes, an odd name backticks"
    if char in "*/%^":
        return f"{char!r} is not an operator: the language has no arithmetic and no patterns"
    return f"{char!r} is not an operator"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)
