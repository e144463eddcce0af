"""The border where names from users are checked, once, before they become paths or keys.

A checked name is a single path component (or, for artifacts, a chain of them) that cannot leave its folder.
"""

import functools
import os
import re
import unicodedata
from pathlib import Path, PurePath
from typing import Any

from tracking.errors import InvalidNameError, quoted

MAX_NAME_BYTES = 200  # leaves room for the suffixes of temporary files below the usual limit of 255

_NUMBERS = re.compile(r"(\d+)")


def check_component(kind: str, name: Any, *, example: str = "ctr_model") -> str:
    """Give back `name` when it is safe as one path component, else raise InvalidNameError."""
    reason = _why_unsafe(name)
    if reason:
        raise InvalidNameError(
            f"{kind} {quoted(name)} {reason}; use letters, digits, '_', '-' and '.', such as {example!r}"
        )
    return str(name)


def is_component(name: str) -> bool:
    """Whether `check_component` would accept the name."""
    return not _why_unsafe(name)


def check_path(kind: str, path: Any, *, example: str) -> Path:
    """Give back `path` as a Path when it is one, or text that can be one; not empty, which would be where one works."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidNameError(
            f"{kind} {quoted(path)} is no path of a file or folder; give one such as {example!r}"
        )
    return Path(path)


def check_artifact(name: Any) -> str:
    """Give back `name` as text when it is a relative path inside the artifacts folder, such as 'plots/roc.png'.

    Only what could leave the folder or cannot be a file's name is refused.
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
    """Give back `name` when it can be a key or a title: a non-empty string on one line."""
    if not isinstance(name, str):
        raise InvalidNameError(f"{kind} must be a string, not {type(name).__name__} {quoted(name)}")
    if not name.strip() or not _is_printable(name):
        raise InvalidNameError(f"{kind} {quoted(name)} must be a non-empty string on one line")
    return name


@functools.lru_cache(maxsize=1 << 16)  # the same ids are sorted at every publication
def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts run_2 before run_10 and run_999 before run_1000."""
    parts = _NUMBERS.split(name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts if part)


def _why_unsafe(name: Any) -> str:
    if not isinstance(name, str):
        return f"is {type(name).__name__}, not a string"
    if not name:
        return "is empty"
    if name.startswith(".") or name != name.strip():
        return "starts with a dot or has space at an end"
    if any(char in '/\\:*?"<>|' for char in name) or not _is_printable(name):
        return "holds a character that is not safe in a file name"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    return ""


def _why_no_file(part: Any) -> str:
    if not isinstance(part, str):
        return f"is {type(part).__name__}, not a string"
    if not part:
        return "is empty"
    if part in (".", ".."):
        return "is no name"
    if any(char == "\\" or unicodedata.category(char) in ("Cc", "Cs") for char in part):
        return "holds a backslash or a control character"
    if len(part.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    return ""


def _is_printable(text: str) -> bool:
    # isprintable() is false for control characters and for lone surrogates, which UTF-8 cannot hold
    return text.isprintable()
