"""NAME@WHICH: a model and one of its versions as one text, such as ctr@3, ctr@v3, ctr@champion and ctr@staging."""

import re
from collections.abc import Callable, Mapping

from tracking.errors import InvalidNameError, InvalidValueError, UnknownModelError, quoted
from tracking.registry.events import CHAMPION
from tracking.registry.given import version_text

SIGN = "@"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


def split(text: str, is_model: Callable[[str], bool]) -> tuple[str, str | None]:
    """Return the name of the model and what stands behind the last `@`, None without one.

    A model whose own name holds the sign, as older versions of podium allowed, is meant by its whole name.
    """
    text = version_text(text)
    name, sign, which = text.rpartition(SIGN)
    if not sign or is_model(text):
        return text, None
    if not name or not which:
        raise InvalidNameError(
            f"{quoted(text)} names no version; write NAME@WHICH, such as ctr@3 or ctr@champion"
        )
    return name, which


def number_of(name: str, which: int | str, aliases: Callable[[], Mapping[str, int]]) -> int:
    """Return the number of the version that a number, `v3`, or an alias means; `aliases` is asked only for an alias.

    Raise UnknownModelError for an alias that names nothing.
    """
    if isinstance(which, bool) or not isinstance(which, int | str):
        raise InvalidValueError(
            f"version {quoted(which)} of model {name!r} is not an int; give a number, such as 3, or an alias"
        )
    if isinstance(which, int):
        return which
    if _NUMBER.fullmatch(which):
        return int(which)
    if which.startswith("v") and _NUMBER.fullmatch(which[1:]):
        return int(which[1:])  # also where an older podium allowed such an alias
    return named(name, which, aliases())


def named(name: str, which: str, known: Mapping[str, int]) -> int:
    """Return the number of the version that an alias names; raise UnknownModelError when it names nothing."""
    if which in known:
        return known[which]
    if which == CHAMPION:
        raise UnknownModelError(f"model {name!r} has no champion; promote a version or name one")
    raise UnknownModelError(
        f"model {name!r} has no alias {quoted(which)}; it has: {', '.join(known) or 'none'}"
    )


def check_new_name(name: str) -> None:
    """Raise InvalidNameError for the name of a new model that would be read as a name and a version."""
    if SIGN in str(name):
        raise InvalidNameError(
            f"model name {quoted(name)} holds {SIGN!r}, which parts a name from a version; choose another name"
        )
