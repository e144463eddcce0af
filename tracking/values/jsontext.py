"""JSON text with NaN and infinities, whole numbers of any length, and text that UTF-8 can hold.

Non-finite floats become the strings NaN, Infinity and -Infinity: JSON has no numbers for them. Where texts may stand
beside them, a text of these letters is kept in quotes, 'NaN'.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from tracking.errors import InvalidValueError
from tracking.values.names import exact

Number = int | float

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_QUOTED = re.compile(r"('+)(NaN|-?Infinity)\1")  # one of these as text
_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))  # each digit as 0, all else as a space
_LONG = b"0" * 19  # the shortest number of more than 64 bits has as many digits


_READY = {str, int, bool, type(None)}  # written as they are; asked first, as most values are of them


def encode(value: Any, *, indent: bool = False) -> bytes:
    """Return `value` as JSON with non-finite floats as the strings NaN, Infinity and -Infinity."""
    option = orjson.OPT_INDENT_2 if indent else None
    try:
        text = orjson.dumps(value, option=option)
        if b"null" not in text:  # orjson writes a non-finite float as null
            return text
    except orjson.JSONEncodeError:
        pass  # `jsonable` may know how to write it, such as keys that are not text
    value = jsonable(value)
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        reason = str(error)
    try:
        if not reason.startswith("Integer"):  # of more than 64 bits, which orjson does not write
            raise ValueError(reason)
        indentation, separators = (2, None) if indent else (None, (",", ":"))
        return json.dumps(value, indent=indentation, separators=separators, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidValueError(f"cannot be written as JSON: {reason}") from None


def decode(data: bytes) -> Any:
    """Return the value of JSON text; raise ValueError if it is truncated, or nested or long beyond what readers hold.

    Bare NaN and Infinity, as other writers leave them, are accepted; text that is not valid Unicode is escaped.
    """
    if _LONG not in data.translate(_DIGITS):  # a number of more than 64 bits, which orjson rounds, holds it
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass
    try:
        value = json.loads(data, parse_int=_parse_int)
        return readable(value) if b"\xed" in data or b"\\ud" in data.lower() else value
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def readable(value: Any) -> Any:
    """Return `value` with text that UTF-8 can hold: names of files and arguments may be any bytes."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {readable(key): readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return value


def _parse_int(digits: str) -> int:
    if math.isinf(float(digits)):
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def jsonable(value: Any) -> Any:
    """Return `value` as the encoder takes it: non-finite floats as strings, tuples as lists, keys as text."""
    if type(value) in _READY:
        return value
    if isinstance(value, float):
        return non_finite_text(value) if not math.isfinite(value) else float(value)
    if isinstance(value, Mapping):
        return {exact(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def non_finite_text(value: float) -> str:
    """Return the JSON string of a NaN or an infinity."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def stored_number(value: Any) -> Number:
    """Return the number that a JSON value stands for, a float for one of more than 64 bits.

    Raise ValueError for a boolean and for any other text.
    """
    number = _NON_FINITE.get(value, value) if isinstance(value, str) else value
    if isinstance(number, int | float) and not isinstance(number, bool):
        return number if isinstance(number, float) or abs(number) < 2**64 else float(number)
    raise ValueError(f"{value!r} is no number")


def kept(value: Any) -> Any:
    """Return parameters as a file holds them: floats as `jsonable` does, and text that would be read as one in quotes."""
    if isinstance(value, str):
        return f"'{value}'" if value in _NON_FINITE or _QUOTED.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: kept(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [kept(item) for item in value]
    return jsonable(value)


def revive(value: Any) -> Any:
    """Return parameters as they were before `kept`: the three reserved strings become floats again."""
    if isinstance(value, str):
        return value[1:-1] if _QUOTED.fullmatch(value) else _NON_FINITE.get(value, value)
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        return {key: revive(item) for key, item in value.items()}
    return value
