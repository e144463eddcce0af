"""The kinds of what callers give a registry, checked before anything is read or written.

A history whose line holds another kind is not read back, so a wrong argument must end before the line.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tracking.errors import InvalidValueError, quoted
from tracking.registry.model_records import Verdict
from tracking.values.names import exact


def check_texts(*, reason: Any = "", **more: Any) -> None:
    """Raise InvalidValueError for a reason that is not text, and for another argument that is neither text nor None."""
    for what, value in {"reason": reason, **more}.items():
        if not isinstance(value, str) and (what == "reason" or value is not None):
            raise InvalidValueError(f"{what} {quoted(value)} is {type(value).__name__}, not text")


def check_reason(reason: Any, example: str, **more: Any) -> None:
    """Raise as `check_texts`, and for a reason that is empty."""
    check_texts(reason=reason, **more)
    if not reason.strip():
        raise InvalidValueError(f"reason is empty; {example}")


def version_text(text: Any) -> str:
    """Return a text that names a model or a version; raise InvalidValueError for anything else."""
    if not isinstance(text, str):
        raise InvalidValueError(
            f"{quoted(text)} is {type(text).__name__}, not text; give NAME or NAME@WHICH, such as 'ctr@3'"
        )
    return exact(text)


def check_mapping(what: str, value: Any, example: str) -> None:
    """Raise InvalidValueError for a value that is no mapping."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{what} {quoted(value)} is no mapping; give one such as {example}")


def names_of(what: str, names: Any, example: str) -> tuple[Any, ...]:
    """Return a list of names as a tuple; raise InvalidValueError for a single text and for what is no list."""
    if isinstance(names, str | bytes | Mapping) or not isinstance(names, Collection):
        raise InvalidValueError(f"{what} must be a list of names, such as {example}, not {quoted(names)}")
    return tuple(names)


def check_verdict(verdict: Any, scores: Any) -> None:
    """Raise InvalidValueError for a verdict that is none, and for scores that are no bytes."""
    if not isinstance(verdict, Verdict):
        raise InvalidValueError(
            f"verdict is {type(verdict).__name__}, not a Verdict; Verdict.from_json makes one of a dict"
        )
    if scores is not None and not isinstance(scores, bytes):
        raise InvalidValueError(f"scores are {type(scores).__name__}, not the bytes of an .npz")


def check_number(what: str, value: Any) -> None:
    """Raise InvalidValueError for a value that is neither an int nor None nor `...`."""
    if value is not None and value is not ... and type(value) is not int:
        raise InvalidValueError(
            f"{what} {quoted(value)} is {type(value).__name__}, not the number of a version"
        )


def check_share(what: str, value: Any, *, is_open: bool = False) -> None:
    """Raise InvalidValueError for a value that is no number from 0 to 1; with `is_open`, for 0 and 1 too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1 or (is_open and value in (0, 1)):
        raise InvalidValueError(
            f"{what} {quoted(value)} is no share {'between 0 and' if is_open else 'from 0 to'} 1"
        )


def check_count(what: str, value: Any) -> None:
    """Raise InvalidValueError for a value that is neither None nor a whole number from 1 on."""
    if value is not None and (type(value) is not int or value < 1):
        raise InvalidValueError(f"{what} {quoted(value)} is no whole number from 1 on, nor None")


def check_hashes(what: str, values: Any, bits: int) -> None:
    """Raise InvalidValueError for what is no list of whole numbers of so many bits."""
    if isinstance(values, str | bytes | bytearray) or not isinstance(values, Sequence):
        raise InvalidValueError(f"{what} must be a list of hashes, not {quoted(values)}")
    wrong = [each for each in values if type(each) is not int or each >> bits]
    if wrong:
        raise InvalidValueError(f"{what} has {quoted(wrong[0])}, which is no whole number of {bits} bits")
