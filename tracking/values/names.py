"""Checks of names from users, once, before they become paths or keys.

A checked name is one path component (or, for artifacts, several) and cannot leave its folder. It is a plain str, whatever
subclass was given (StrEnum, numpy.str_), in Unicode's composed form (NFC): an accented letter is the same name written as
one character or as two.
"""

import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any

from tracking.errors import InvalidNameError, quoted

SUPERSEDED_BY = (
    "superseded_by"  # the tag of a run that a later attempt at its job stands in for: that run, or its folder
)

RERUN_OF = "rerun_of"  # the tag of a run that was made to see whether another one can be made again: that run
# The tags of runs that have no rank, each with the word that tables have in place of their status.
WITHOUT_RANK = {RERUN_OF: "rerun", SUPERSEDED_BY: "superseded"}

MAX_NAME_BYTES = 200  # leaves room for the suffixes of temporary files below the usual limit of 255

# An address, not a path: file: in any form, also as pathlib shortens it, and whatever has two slashes.
_ADDRESS = re.compile(r"file:/|[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_NUMBERS = re.compile(r"(\d+)")
# Not shown as they are: control characters, ends of lines, what UTF-8 cannot hold, and marks that reverse the text around
# them. Joiners and all spaces belong to the scripts that use them.
_UNFIT = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def exact(value: object) -> str:
    """Return `str(value)` as a plain str; of a member of a `(str, Enum)` its value, whatever its class shows."""
    if type(value) is str:
        return value
    return str.__str__(value) if isinstance(value, str) else str(value)


def composed(name: Any) -> Any:
    """Return a name as a plain str in composed form; anything but text unchanged."""
    if not isinstance(name, str):
        return name
    name = exact(name)
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def with_composed_keys(values: dict[str, Any]) -> dict[str, Any]:
    """Return a dict with its names composed; unchanged where two of them would become one."""
    if all(map(str.isascii, values)):
        return values
    found = {composed(name): value for name, value in values.items()}
    return found if len(found) == len(values) else values


def unfit_character(text: str) -> str:
    """Return how a message shows the first character that no name may hold, empty without one."""
    found = _UNFIT.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def check_component(kind: str, name: Any, *, example: str = "ctr_model") -> str:
    """Return `name` if it is safe as one path component, else raise InvalidNameError."""
    text: str = composed(name)
    reason = _why_unsafe(text)
    if reason:
        raise InvalidNameError(
            f"{kind} {quoted(name)} {reason}; use letters, digits, '_', '-' and '.', such as {example!r}"
        )
    return text


def is_component(name: str) -> bool:
    """Return whether `check_component` accepts the name."""
    return not _why_unsafe(composed(name))


def check_path(kind: str, path: Any, *, example: str) -> Path:
    """Return `path` as a Path, with `~` as the home folder and `file://` resolved.

    Raise InvalidNameError for the empty text, which would mean the working folder, and for other addresses.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidNameError(
            f"{kind} {quoted(path)} is no path of a file or folder; give one such as {example!r}"
        )
    text = exact(text)
    if _ADDRESS.match(text):
        text = _path_in(kind, text)
    if text.startswith("~"):
        place = os.path.expanduser(text)  # noqa: PTH111 - a text, which a Path would change
        if place.startswith("~"):
            raise InvalidNameError(
                f"{kind} {quoted(path)} names the home folder of a user that is not known here; "
                f"for a folder of that name write {'./' + text!r}"
            )
        text = place
    return Path(text)


def _path_in(kind: str, address: str) -> str:
    """Return the path that a `file:` address means."""
    from urllib.parse import unquote, urlsplit  # few paths are addresses

    parts = urlsplit(address)
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost") or not parts.path:
        raise InvalidNameError(
            f"{kind} {quoted(address)} is no path on this machine; give a path, or an address such as 'file:///data/experiments'"
        )
    return unquote(address.partition(":")[2].removeprefix("//").removeprefix("localhost"))


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
    """Return `name` if it can be a key or a title: a non-empty string on one line, in any script."""
    if type(name) is str and name.isascii() and name.isprintable() and name.strip():
        return name  # nearly always
    if not isinstance(name, str):
        raise InvalidNameError(f"{kind} must be a string, not {type(name).__name__} {quoted(name)}")
    text: str = composed(name)
    if not text.strip():
        raise InvalidNameError(
            f"{kind} {quoted(name)} must be a non-empty string{'; it is nothing but space' if text else ''}"
        )
    if unfit := unfit_character(text):
        raise InvalidNameError(
            f"{kind} {quoted(name)} must be a string on one line; it holds the control character {unfit}"
        )
    return text


def fitted_label(name: str, otherwise: str = "unnamed") -> str:
    """Return a name that another program gave as `check_label` takes it: with what it refuses escaped, as `\\x1b`."""
    escaped = _UNFIT.sub(lambda found: repr(found[0])[1:-1], name)
    return composed(escaped) if escaped.strip() else otherwise


def distinct(kind: str, found: dict[str, Any], given: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """Return what was found under checked names; raise InvalidNameError where two that were given are the same name."""
    if len(found) < len(given):
        raise InvalidNameError(f"two of these are the same {kind}: {quoted([name for name, _ in given])}")
    return found


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
    if any(char in '/\\:*?"<>|' for char in name):
        return "holds a character that is not safe in a file name"
    if unfit := unfit_character(name):
        return f"holds the control character {unfit}"
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
