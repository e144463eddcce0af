"""Which words stand for true and false: those of one family, such as yes and no, in any case."""

from collections.abc import Set
from typing import Any

import numpy as np

from trainer.data.reading.arrow import as_numpy, of_texts, scalar

Array = np.ndarray[Any, Any]

FAMILIES = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))


def may_be(words: Set[str]) -> bool:
    """Whether some words of a column are all of one family."""
    lower = {each.lower() for each in words}
    return any(lower <= {*family} for family in FAMILIES)


def spelled(words: Set[str]) -> tuple[str, str] | None:
    """Return the words for true and false of a column that holds these words alone, as it spells them; None for text."""
    lower = {each.lower() for each in words}
    for true, false in FAMILIES:
        if lower and lower <= {true, false} and (len(lower) == 2 or true == "true"):
            if true == "true":
                return true, false
            found = [{each for each in words if each.lower() == word} for word in (true, false)]
            one, other = (next(iter(each)) if len(each) == 1 else None for each in found)
            return (one or true, other or false) if one and other else (true, false)
    return None


def meant(true: str, false: str) -> dict[str, str]:
    """Return what each word, in small letters, means in a column that has these two."""
    words: dict[str, str] = {}
    for one, other in (*FAMILIES, ("1", "0"), (true.lower(), false.lower())):
        words |= {one: true, other: false}
    return words


def as_numbers(raw: Any, values: Array, bad: Array) -> tuple[Array, Array]:
    """Return true and false among numbers as 1 and 0."""
    if bad.any():
        import pyarrow.compute as pc

        words = pc.index_in(
            pc.utf8_lower(pc.utf8_trim_whitespace(raw)), value_set=of_texts(("false", "true"))
        )
        places = as_numpy(pc.fill_null(words, scalar(-1).cast("int32")))
        values, bad = np.where(places >= 0, places, values), bad & (places < 0)
    return values, bad
