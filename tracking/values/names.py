"""Checks of names from users, once, before they become paths or keys.

A checked name is one path component (or, for artifacts, several) and cannot leave its folder.
"""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from tracking.errors import InvalidNameError, quoted

MAX_NAME_BYTES = 200  # leaves room for the suffixes of temporary files below the usual limit of 255

_NUMBERS = re.compile(r"(\d+)")


def check_component(kind: str, name: Any, *, example: str = "ctr_model") -> str:
    """Return `name` if it is safe as one path component, else raise InvalidNameError."""
    reason = _why_unsafe(name)
    if reason:
        raise InvalidNameError(
            f"{kind} {quoted(name)} {reason}; use letters, digits, '_', '-' and '.', such as {example!r}"
        )
    return str(name)


def is_component(name: str) -> bool:
    """Return whether `check_component` accepts the name."""
    return not _why_unsafe(name)


def check_path(kind: str, path: Any, *, example: str) -> Path:
    """Return `path` as a Path; raise InvalidNameError for the empty text, which would mean the working folder."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidNameError(
            f"{kind} {quoted(path)} is no path of a file or folder; give one such as {example!r}"
        )
    return Path(path)


def check_artifact(name: Any) -> str:
    """Return `name` as text if it is a relative path inside the artifacts folder, such as 'plots/roc.png'.

    Raise InvalidNameError for a name that could leave the folder or cannot be a file's name.
    """
    text = name.as_posix() if isinstance(name, PurePath) else name
    parts = text.split("/") if isinstance(text, str) else [text]
    for part in parts:
        reason = _why_no_file(part)
        if reason:
            raise InvalidNameError(
                f"artifact name {quoted(text)} is refused: its part {quoted(part)} {reason}; "
                "use a relative path inside the run's artifacts, such as 'plots/roc.png'"
            )
    return "/".join(parts)


def check_label(kind: str, name: Any) -> str:
    """Return `name` if it can be a key or a title: a non-empty string on one line."""
    if not isinstance(name, str):
        raise InvalidNameError(f"{kind} must be a string, not {type(name).__name__} {quoted(name)}")
    if not name.strip() or not name.isprintable():
        raise InvalidNameError(f"{kind} {quoted(name)} must be a non-empty string on one line")
    return name


def is_within(name: str, packages: Iterable[str]) -> bool:
    """Return whether a dotted name is that of one of the packages, or of something in it."""
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


@functools.lru_cache(maxsize=1 << 16)  # the same ids are sorted at every publication
def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key that puts run_2 before run_10 and run_999 before run_1000."""
    parts = _NUMBERS.split(name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)


def order_of(name: str) -> tuple[Any, str]:
    """Return the key of a total order in which run_2 comes before run_10."""
    return natural_key(name[:MAX_NAME_BYTES]), name  # no name is longer, though a text in a filter may be


def _why_unsafe(name: Any) -> str:
    if reason := _why_no_text(name):
        return reason
    if name.startswith(".") or name != name.strip():
        return "starts with a dot or has space at an end"
    # isprintable() is false for control characters and for lone surrogates, which UTF-8 cannot hold
    if any(char in '/\\:*?"<>|' for char in name) or not name.isprintable():
        return "holds a character that is not safe in a file name"
    return ""


def _why_no_file(part: Any) -> str:
    if reason := _why_no_text(part):
        return reason
    if part in (".", ".."):
        return "is no name"
    if any(char == "\\" or unicodedata.category(char) in ("Cc", "Cs") for char in part):
        return "holds a backslash or a control character"
    return ""


def _why_no_text(name: Any) -> str:
    if not isinstance(name, str):
        return f"is {type(name).__name__}, not a string"
    if not name:
        return "is empty"
    # what UTF-8 cannot hold is refused for its characters
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    return ""
