"""What a verdict says beside its rules: what the rows could have shown, and how far the winner's value was luck."""

import math
from collections.abc import Mapping
from typing import Any

from tracking.gate.outcomes import SUPERIORITY, Outcome, Selection
from tracking.gate.rules import GateSettings
from tracking.gate.wording import show
from tracking.objective import Objective
from tracking.statistics.power import detectable, rows_to_tell
from tracking.statistics.selection import Overestimate, overestimate

POWER = 0.8


def power_of(outcome: Outcome, error: float, settings: GateSettings) -> dict[str, Any] | None:
    """Return which true gain is promoted 8 times in 10 at this look, and how many more rows would tell the gain that was seen.

    None where the difference has no error, as that of equal predictions.
    """
    level, margin = outcome.level or 0.0, settings.rules.min_gain
    if outcome.rule != SUPERIORITY or not (0 < level < 1 and math.isfinite(error) and error > 0):
        return None
    further = None
    if outcome.gain is not None and outcome.rows and outcome.gain > margin and not outcome.passes:
        further = rows_to_tell(outcome.gain, error, outcome.rows, level, power=POWER, margin=margin)
    return {
        "detectable": margin + detectable(error, level, POWER),
        "power": POWER,
        "further_rows": further,
    }


def power_sentence(measure: str, power: Mapping[str, Any]) -> str:
    """Say what the rows could have shown."""
    seen = f"a true gain of {show(power['detectable'])} in {measure} would be promoted 8 times in 10 with these rows at this look"
    further = power["further_rows"]
    return (
        seen
        if further is None
        else f"{seen}; about {rounded(further):,} more rows would tell a gain of the size that was seen"
    )


def selection_of(selection: Selection, objective: Objective, here: float | None) -> dict[str, Any]:
    """Return how much better the winner looked where it was chosen than on the rows of the gate.

    `by_choosing` is the part that comes from being the best of several, by the values of all jobs, with its standard `error`;
    `expected` is what it would be if all jobs were equally good. They are None where the jobs tell nothing of it.
    """
    at = selection.selected[selection.winner]
    over = None if here is None or not math.isfinite(here) else objective.gain(at, here)
    luck = _luck(selection, objective)
    return {
        "jobs": len(selection.selected),
        "selected_at": at,
        "metric": selection.metric,
        "here": here,
        "overestimated_by": over,
        "by_choosing": luck and luck.by_choosing,
        "error": luck and luck.error,
        "expected": luck and luck.expected,
    }


def selection_sentence(found: Mapping[str, Any]) -> str | None:
    """Say how much the value of the winner was overestimated; None for a single job, and where it is not known."""
    over, jobs = found["overestimated_by"], found["jobs"]
    if jobs < 2 or over is None:
        return None
    amount = f"{show(abs(over))} {'better' if over >= 0 else 'worse'}"
    chosen, error = found["by_choosing"], found["error"]
    is_clear = chosen is not None and error is not None and chosen > 2 * error
    share = f"; choosing the best makes about {show(chosen)} of such a difference" if is_clear else ""
    return (
        f"as the best of {jobs} jobs it looked {amount} ({found['metric']} {show(found['selected_at'])}) than on these rows "
        f"({show(found['here'])}){share}"
    )


def rounded(rows: int) -> int:
    """Return a number of rows with two digits that count, rounded up: an estimate deserves no more."""
    unit = 10 ** max(0, len(str(int(rows))) - 2)
    return int(math.ceil(rows / unit) * unit)


def _luck(selection: Selection, objective: Objective) -> Overestimate | None:
    if len(selection.selected) < 2 or len(selection.fresh) != len(selection.selected):
        return None
    return overestimate(selection.selected, selection.fresh, selection.winner, objective.mode)
