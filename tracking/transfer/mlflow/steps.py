"""Whole numbers for the steps of a metric, which is all that MLflow keeps, and the way back.

A whole step stands for itself. Points without a step, and steps with fractions, get numbers that are recorded beside the
run, so that a later export gives the same point the same number: what MLflow has is never sent to another step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LARGEST_STEP = 1 << 62  # a column of 64 bits holds it


@dataclass
class StepNumbers:
    """The numbers in MLflow that do not stand for themselves: of which step each is, and which are of no step."""

    steps: dict[int, float] = field(default_factory=dict)
    without: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return whether any number needs an explanation."""
        return bool(self.steps or self.without)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON, those without a step as ranges."""
        ranges: list[list[int]] = []
        for number in self.without:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        return {"steps": [[number, step] for number, step in self.steps.items()], "without": ranges}

    @classmethod
    def from_json(cls, told: Any, most: int) -> "StepNumbers":
        """Return what `to_json` wrote, of a file that anybody may have changed; at most `most` numbers without a step."""
        found = cls()
        told = told if isinstance(told, dict) else {}
        for number, step in _pairs(told.get("steps")):
            if _is_whole(number) and _is_number(step):
                found.steps[int(number)] = step
        for first, last in _pairs(told.get("without")):
            if _is_whole(first) and _is_whole(last) and 0 <= last - first < most:
                found.without += range(first, last + 1)
        return found


def number_steps(steps: Sequence[Any], known: StepNumbers, *, is_new: bool) -> tuple[list[int], StepNumbers]:
    """Return a whole number for each step of a metric, in its order, and the numbers to record.

    `known` is what was recorded before, and `is_new` tells that MLflow has no point of the metric yet: then a metric
    with fractions is numbered from 0 in the order of its steps. Later ones get the numbers after the last.
    """
    found = StepNumbers(dict(known.steps), list(known.without))
    given = [step for step in steps if _is_number(step)]
    if is_new and not known and not all(map(_is_whole, given)):
        numbers = {step: number for number, step in enumerate(dict.fromkeys(given))}
        found.steps = {number: step for step, number in numbers.items() if number != step}
        last = len(numbers) - 1
    else:
        numbers = {step: number for number, step in found.steps.items()}
        taken = {*found.steps, *found.without}
        for step in given:
            if step not in numbers and _is_whole(step) and step not in taken:
                numbers[step] = int(step)
        last = max((*numbers.values(), *taken), default=-1)
        for step in given:
            if step not in numbers:
                last += 1
                numbers[step] = last
                found.steps[last] = step
    lacking = len(steps) - len(given) - len(found.without)
    found.without += range(last + 1, last + 1 + lacking)
    without = iter(found.without)
    return [numbers[step] if _is_number(step) else next(without) for step in steps], found


def _is_number(step: Any) -> bool:
    return isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step)


def _is_whole(step: Any) -> bool:
    return _is_number(step) and step == math.floor(step) and abs(step) < LARGEST_STEP


def _pairs(told: Any) -> list[list[Any]]:
    return (
        [each for each in told if isinstance(each, list) and len(each) == 2] if isinstance(told, list) else []
    )
