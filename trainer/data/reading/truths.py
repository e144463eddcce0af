"""Which words of a column stand for true and false: those of one family, such as yes and no, in any case."""

from collections.abc import Set

from trainer.data.reading.kinds import FAMILIES, Boolean


def may_be_boolean(words: Set[str]) -> bool:
    """Whether some words of a column are words for true and false of one family, such as yes and no."""
    lower = {each.lower() for each in words}
    return any(lower <= {*family} for family in FAMILIES)


def boolean_of(words: Set[str]) -> Boolean | None:
    """Return the kind of a column that holds these words alone, spelled as it spells them; None if it is text."""
    lower = {each.lower() for each in words}
    for true, false in FAMILIES:
        if lower and lower <= {true, false} and (len(lower) == 2 or true == "true"):
            if true == "true":
                return Boolean()
            spelled = [{each for each in words if each.lower() == word} for word in (true, false)]
            one, other = (next(iter(each)) if len(each) == 1 else None for each in spelled)
            return Boolean(one or true, other or false) if one and other else Boolean(true, false)
    return None
