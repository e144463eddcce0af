"""How an axis of a swept key is scaled: by its values, or as they were drawn."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sweeps.plan.plan import Plan
from sweeps.ranking.leaderboard import Leaderboard

DECADES = 100.0  # positive numbers that span more have a logarithmic scale
FARTHEST = 1e308  # beyond any axis


def scales_of(board: Leaderboard, plan: Plan) -> dict[str, str]:
    """Return the scale of each swept key: linear, log or category."""
    drawn = _drawn_by_log(plan)
    return {
        key: scale_of([row.point[key] for row in board.rows if key in row.point], is_log=key in drawn)
        for key in board.swept
    }


def _drawn_by_log(plan: Plan) -> set[str]:
    """Return the keys that are drawn evenly by their logarithms."""
    space = (plan.search or {}).get("space")
    texts = dict(space) if isinstance(space, Mapping) else {}
    known = {str(key) for key, text in texts.items() if str(text).startswith("log,")}
    arguments = (plan.space or {}).get("arguments") or []
    written = (str(each).replace(" ", "").partition("=tag(log,") for each in arguments)
    return known | {key.lstrip("+") for key, tag, _ in written if tag}


def scale_of(values: list[Any], *, is_log: bool = False) -> str:
    """Return the scale for values: logarithmic with `is_log`, or if they span decades or grow by one factor.

    Booleans, text, lists and mixtures are categories.
    """
    known = [value for value in values if value is not None]
    if not known or not all(map(_is_number, known)):
        return "category"
    numbers = sorted({float(value) for value in known if abs(value) < FARTHEST})
    if not numbers or numbers[0] <= 0:
        return "linear"
    return "log" if is_log or _spans_decades(numbers) or _are_multiples(numbers) else "linear"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spans_decades(numbers: list[float]) -> bool:
    """Return whether all but the outermost 5 % do; of many uniform numbers a few are always tiny."""
    tail = len(numbers) // 20
    return numbers[-1 - tail] / numbers[tail] > DECADES


def _are_multiples(numbers: list[float]) -> bool:
    """Return whether three values or more grow by one factor of at least 2, such as 16, 32, 64."""
    factors = [after / before for before, after in pairwise(numbers)]
    return len(factors) > 1 and factors[0] >= 2 and max(factors) - min(factors) < 1e-6 * factors[0]
