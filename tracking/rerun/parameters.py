"""The parameters in which a run and the same run made again differ, but for those that say where and when it ran."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tracking.records import RunRecord
from tracking.values import jsontext

MOST = 5  # parameters that are named
LENGTH = 80  # characters of a value

_CLOCK = r"(?:[T_ /.-]?\d\d[-_:.]?\d\d(?:[-_:.]?\d\d)?(?:[.,]\d+)?)?"


def other_parameters(
    first: RunRecord, again: RunRecord, folder: Path, *, only_shared: bool = False
) -> list[str]:
    """Return the parameters that differ as phrases, `x is 0, was 2`, the first of them and how many more.

    A value that differs in the moment when its run began does not count, nor one that holds `folder`, where the run was made
    again. With `only_shared`, a parameter counts that both runs have.
    """
    names = [name for name in first.params if name in again.params or not only_shared]
    names += [name for name in again.params if name not in first.params and not only_shared]
    places = {str(folder), str(folder.resolve())}
    words = []
    for name in names:
        before, after = _shown(first, name), _shown(again, name)
        is_place = any(place in after for place in places)
        is_same = first.params.get(name) == again.params.get(name) and (name in first.params) == (
            name in again.params
        )
        if is_same or is_place or _without_moment(first, before) == _without_moment(again, after):
            continue
        words.append(f"{name} is {after[:LENGTH]}, was {before[:LENGTH]}")
    return [*words[:MOST], *([f"{len(words) - MOST} more"] if len(words) > MOST else [])]


def _shown(record: RunRecord, name: str) -> str:
    if name not in record.params:
        return "missing"
    value: Any = record.params[name]
    return (
        jsontext.encode(jsontext.readable(value)).decode() if isinstance(value, list | dict) else str(value)
    )


def _without_moment(record: RunRecord, text: str) -> str:
    """Return a text without the day when the run began, and the time behind it; a run may begin just after midnight."""
    for day in (record.created_at, record.created_at - timedelta(days=1)):
        text = re.sub(f"{day:%Y}(?P<s>[-_/.]?){day:%m}(?P=s){day:%d}{_CLOCK}", "<moment>", text)
    return text
