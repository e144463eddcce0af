"""What a verdict says beside its rules: what the rows could have shown, and how far the winner's value was luck."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tracking.gate.outcomes import SUPERIORITY, Outcome, Selection
from tracking.gate.rules import GateSettings
from tracking.gate.verdicts import rows_that_count
from tracking.gate.wording import show
from tracking.objective import Objective
from tracking.statistics.difference import Difference
from tracking.statistics.power import detectable, units_to_tell
from tracking.statistics.selection import Overestimate, overestimate

POWER = 0.8
UNEQUAL = 0.5  # share of the rows that tell as much, below which their weights are remarked on
MOST_NAMED = 10  # slices that are not judged


def power_of(outcome: Outcome, found: Difference, settings: GateSettings) -> dict[str, Any] | None:
    """Return which true gain is promoted 8 times in 10 at this look, and how many more rows, or clusters, would tell the gain that was seen.

    None where the difference has no error, as that of equal predictions.
    """
    level, margin = outcome.level or 0.0, settings.rules.min_gain
    if outcome.rule != SUPERIORITY or not (0 < level < 1 and 0 < found.error < math.inf):
        return None
    further = None
    if found.gain > margin and not outcome.passes:
        further = units_to_tell(found, level, power=POWER, margin=margin) or None
    known = detectable(found, level, POWER)
    return {
        "detectable": margin + known if math.isfinite(known) else None,
        "power": POWER,
        "further_rows": None if found.clusters else further,
        "further_clusters": further if found.clusters else None,
    }


def power_sentence(measure: str, power: Mapping[str, Any]) -> str:
    """Say what the rows could have shown."""
    if power["detectable"] is None:
        return f"these rows tell no gain in {measure} at this look, however large"
    seen = f"a true gain of {show(power['detectable'])} in {measure} would be promoted 8 times in 10 with these rows at this look"
    for unit in ("rows", "clusters"):
        if further := power[f"further_{unit}"]:
            return (
                f"{seen}; about {rounded(further):,} more {unit} would tell a gain of the size that was seen"
            )
    return seen


def unjudged_sentences(slices: Sequence[tuple[str, str, int]], least: int) -> list[str]:
    """Say for each column which of its values have too few rows to be judged, the largest first."""
    found = []
    for column in dict.fromkeys(each[0] for each in slices):
        few = sorted((each for each in slices if each[0] == column), key=lambda each: -each[2])
        named = [f"{value} ({rows:,})" for _, value, rows in few[:MOST_NAMED]]
        further = f" and {len(few) - MOST_NAMED:,} more values" if len(few) > MOST_NAMED else ""
        found.append(
            f"{column} is not judged where it has fewer than {least:,} rows (min_rows): {', '.join(named)}{further}"
        )
    return found


def weight_sentences(rows: int, weightless: int, effective: float) -> list[str]:
    """Say how many rows have no weight, and how few rows of equal weight would tell as much where weights are very unequal."""
    found = []
    if weightless:
        found.append(f"judged on {rows_that_count(rows, weightless)}")
    if effective < UNEQUAL * rows:
        found.append(
            f"the weights are so unequal that these {rows:,} rows tell about as much as {max(1, round(effective)):,} of equal weight"
        )
    return found


def trained_on_sentences(found: Mapping[str, Any] | None) -> list[str]:
    """Say which share of the rows equals training rows, in one sentence where it is the same for both versions."""
    told = {f"the {who}": each for who, each in (found or {}).items() if each}
    if len(told) == 2 and told["the challenger"] == told["the champion"]:
        told = {"both versions": told["the challenger"]}
    return [_trained_on(who, **each) for who, each in told.items()]


def _trained_on(who: str, share: float, expected: float) -> str:
    if not share:
        return f"none of the rows equals a row that {who} trained on"
    chance = f", and duplicates explain {100 * expected:.3g}%" if expected else ""
    return f"{100 * share:.3g}% of the rows equal rows that {who} trained on{chance}"


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


def rounded(units: int) -> int:
    """Return a number of rows or clusters with two digits that count, rounded up: an estimate deserves no more."""
    unit = 10 ** max(0, len(str(int(units))) - 2)
    return int(math.ceil(units / unit) * unit)


def _luck(selection: Selection, objective: Objective) -> Overestimate | None:
    if len(selection.selected) < 2 or len(selection.fresh) != len(selection.selected):
        return None
    return overestimate(selection.selected, selection.fresh, selection.winner, objective.mode)
