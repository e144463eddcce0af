"""What a verdict says of earlier looks at its rows: those that are counted with this one, and those that are not."""

from collections.abc import Iterator, Mapping
from typing import Any

from tracking.registry import Remark, RemarkKind
from tracking.registry.elsewhere import Brought, Elsewhere

MOST_NAMED = 5  # models
NOT_COUNTED = "those looks are not counted here"


def remarks_of(look: Mapping[str, Any], elsewhere: Elsewhere) -> Iterator[Remark]:
    """Yield what there is to say of the looks before a look: `overlap`, `of` and `splits` are those of its rows."""
    if (share := look.get("overlap")) is not None:
        yield Remark(RemarkKind.SHARED, _shared(share, str(look["of"]), look.get("splits") or 1))
    sentences = [
        *([_about_others(elsewhere)] if elsewhere.looks else []),
        *map(_brought, elsewhere.brought),
        *(
            f"the history of {each} cannot be read: whether it looked at these rows is not known"
            for each in elsewhere.unread
        ),
    ]
    for sentence in sentences:
        yield Remark(RemarkKind.ELSEWHERE, sentence)


def _shared(share: float, split: str, splits: int) -> str:
    """Say that rows have decided before, as rows of earlier splits."""
    seen = f"{share:.0%} of these rows were looked at before, as rows of"
    if splits == 1:
        return f"{seen} the split {split[:12]}: the looks at both count as looks at the same rows"
    return f"{seen} {splits} splits: the looks at {split[:12]}, which was looked at most, and at these count as looks at the same rows"


def _about_others(elsewhere: Elsewhere) -> str:
    """Say how often the rows have decided about other models of the store."""
    looks = sorted(elsewhere.looks.items(), key=lambda each: (-each[1], each[0]))
    rows = "these rows, or some of them," if elsewhere.is_part else "the same rows"
    often = sum(elsewhere.looks.values())
    times = "once" if often == 1 else f"{often:,} times"
    if len(looks) == 1:
        return f"{rows} decided {times} about another model ({looks[0][0]}): {NOT_COUNTED}"
    named = [f"{name} {count:,}" for name, count in looks[:MOST_NAMED]]
    further = f" and {len(looks) - MOST_NAMED:,} more" if len(looks) > MOST_NAMED else ""
    return f"{rows} decided {times} about other models ({', '.join(named)}{further}): {NOT_COUNTED}"


def _brought(told: Brought) -> str:
    """Say which look an imported version tells of."""
    came = f"v{told.version} was imported with a verdict of look {told.look:,}"
    if told.is_same:
        return f"{came} at the same rows, as {told.model}: {NOT_COUNTED}"
    return f"{came} at other rows, as {told.model}: whether some of them are the same is not known"
