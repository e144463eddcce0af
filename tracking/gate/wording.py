"""The sentences of a verdict: one for each rule, with its numbers, for readers who are no statisticians.

`low` is always the bound that the rule was decided by: the true gain lies below it only as often as the level says.
"""

import math

from tracking.gate.rules import LATENCY
from tracking.statistics.difference import Difference
from tracking.values.units import counted

CANNOT = "cannot be judged"


def superiority(found: Difference, low: float, min_gain: float, *, passes: bool) -> str:
    """Say whether the challenger is better than the champion by more than `min_gain`."""
    both = f"{found.measure} is {show(found.challenger)} against the champion's {show(found.champion)} on the same {found.rows:,} rows"
    asked = f"more than {show(min_gain)} is asked"
    if passes:
        return f"{both}: a gain of {show(found.gain)}, and at least {show(low)} when chance is allowed for; {asked}"
    if found.method == "identical":
        return f"both versions predict the same for all {found.rows:,} rows: there is no gain, and {asked}"
    if found.gain <= 0:
        return f"{both}: {'a loss of ' + show(-found.gain) if found.gain < 0 else 'no gain'}, and {asked}"
    if found.gain <= min_gain:
        return f"{both}: a gain of {show(found.gain)}, and {asked}"
    if not math.isfinite(low):
        return f"{both}: a gain of {show(found.gain)} whose error cannot be computed{because(found)}, so it may be chance"
    return f"{both}: the gain of {show(found.gain)} may be chance, because it may be as low as {show(low)}, and {asked}"


def guard(
    found: Difference, low: float, margin: float, slice_: tuple[str, str] | None, *, passes: bool
) -> str:
    """Say whether the challenger is not worse than the champion by more than `margin`."""
    where = "" if slice_ is None else f" where {slice_[0]} is {slice_[1]}"
    both = f"{found.measure}{where} is {amount(found.measure, found.challenger)} against {amount(found.measure, found.champion)}"
    allowed = f"{amount(found.measure, margin)} worse is allowed"
    worse = f"{amount(found.measure, abs(found.gain))} {'better' if found.gain >= 0 else 'worse'}"
    if found.method in ("exact", "identical"):
        return f"{both}: {worse}, and {allowed}"
    if passes:
        least = (
            f"at most {amount(found.measure, -low)} worse"
            if low < 0
            else f"at least {amount(found.measure, low)} better"
        )
        return f"{both}: {least} when chance is allowed for, and {allowed}"
    if not math.isfinite(low):
        return f"{both}: how much worse it may be cannot be computed{because(found)}, and {allowed}"
    if low > -margin:
        return f"{both}: {worse}, which is not shown beside another guard that fails, and {allowed}"
    if -found.gain > margin:
        return f"{both}: {amount(found.measure, -found.gain)} worse, and {allowed}"
    return f"{both}: chance may hide that it is {amount(found.measure, -low)} worse, and {allowed}"


def threshold(measure: str, value: float | None, asked: str, *, passes: bool, problem: str = "") -> str:
    """Say whether the challenger reaches a bound on the rows of the gate."""
    if value is None or not math.isfinite(value):
        return f"{measure} {CANNOT}, and it must be {asked}: {problem or 'it has no finite value'}"
    return f"{measure} {show(value)} {'passes' if passes else 'fails'} its threshold ({asked}) on the rows of the gate"


def rows(many: int, least: int, *, passes: bool) -> str:
    """Say whether there are rows enough."""
    if passes:
        return f"{many:,} rows decide, at least {least:,} are asked"
    return f"{many:,} rows decide nothing: at least {least:,} are asked (min_rows)"


def problem(measure: str, why: str, slice_: tuple[str, str] | None = None) -> str:
    """Say that a rule cannot be decided, and why."""
    where = (
        ""
        if slice_ is None
        else f" where {slice_[0]} is {slice_[1]}"
        if slice_[1] != "*"
        else f" in each {slice_[0]}"
    )
    return f"{measure}{where} {CANNOT}: {why}"


def look(number: int, level: float, alpha: float) -> str:
    """Say which look at the rows it was, and how strictly it was judged."""
    return (
        f"it was look {number} at these rows, judged so that chance alone passes in {100 * level:.2g} of 100 cases, "
        f"which keeps all looks together at {100 * alpha:.2g}"
    )


def spent(planned: int | None) -> str:
    """Say that no look at the split is left."""
    return f"all {planned or 0} planned looks at these rows are spent: give the gate new rows, as by another promotion.split"


def because(found: Difference) -> str:
    """Return why the error of a difference cannot be computed, to be added to a sentence."""
    return f" ({found.note})" if found.note else ""


def show(value: float) -> str:
    """Return a number as text: small ones with three digits that count, those up to 10 with four behind the point."""
    return f"{value:.3g}" if abs(value) < 0.1 else f"{value:.4f}" if abs(value) < 10 else f"{value:.5g}"


def amount(measure: str, value: float) -> str:
    """Return a value in the unit of its measure."""
    if LATENCY.fullmatch(measure):
        return f"{1000 * value:.3g} ms"
    if measure == "size":
        return next(
            (f"{value / unit:.1f} {name}" for unit, name in UNITS if abs(value) >= unit),
            counted(round(value), "byte"),
        )
    return show(value)


UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
