"""The decision: differences, rules and a level in, an outcome of each rule out. It reads and scores nothing.

A rule whose value is missing or cannot be computed has failed.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from tracking.gate import wording
from tracking.gate.measuring import Comparison, Evidence
from tracking.gate.outcomes import NOT_WORSE, ROWS, SLICE, SUPERIORITY, THRESHOLD, Outcome
from tracking.gate.rules import GateSettings
from tracking.statistics.difference import Difference
from tracking.statistics.levels import holm


def decided(comparison: Comparison, settings: GateSettings, level: float) -> list[Outcome]:
    """Return the outcome of each rule about the difference of two versions, judged at a level.

    The level is the probability of a false promotion that this look may take; 0 allows none. It counts for the
    objective, and by Holm's method for all guards together.
    """
    first, guards = comparison.objective, comparison.guards
    outcomes = [enough_rows(comparison.rows, settings.min_rows)]
    if settings.rules.superiority:
        outcomes.append(_superior(first, settings, level))
    elif _measure(first) not in {_measure(each) for each in guards if each.slice is None}:
        asked = f"rules.superiority=false needs rules.not_worse.{_measure(first)}: how much worse it may be"
        outcomes.append(Outcome(NOT_WORSE, False, asked, measure=_measure(first)))
    return outcomes + _guarded(guards, settings, level)


def enough_rows(rows: int, least: int) -> Outcome:
    """Return whether there are rows enough to decide anything."""
    passes = rows >= least
    return Outcome(
        ROWS, passes, wording.rows(rows, least, passes=passes), asked=f"at least {least:,}", rows=rows
    )


def reached(
    measure: str, value: float | None, bound: float, *, is_maximum: bool, problem: str = ""
) -> Outcome:
    """Return whether the challenger reaches a bound on the rows of the gate."""
    is_known = value is not None and math.isfinite(value)
    passes = value is not None and is_known and (value <= bound if is_maximum else value >= bound)
    asked = f"{'at most' if is_maximum else 'at least'} {bound:.6g}"
    reason = wording.threshold(measure, value, asked, passes=passes, problem=problem)
    return Outcome(THRESHOLD, passes, reason, measure=measure, asked=asked, challenger=value, margin=bound)


def _superior(evidence: Evidence, settings: GateSettings, level: float) -> Outcome:
    least, found = settings.rules.min_gain, evidence.difference
    asked = f"a gain of more than {least:.6g}"
    if found is None:
        reason = wording.problem(evidence.measure, evidence.problem or "")
        return Outcome(SUPERIORITY, False, reason, measure=evidence.measure, asked=asked)
    outcome = _tested(SUPERIORITY, evidence, found, asked, margin=least, level=level)
    if not level > 0:
        return replace(outcome, passes=False, reason=wording.spent(settings.looks))
    low = found.lower(level)
    passes = math.isfinite(low) and low > least
    return replace(outcome, passes=passes, reason=wording.superiority(found, low, least, passes=passes))


def _guarded(guards: Sequence[Evidence], settings: GateSettings, level: float) -> list[Outcome]:
    """Return the outcomes of all guards in their order; those that chance plays a part in are judged by Holm's method."""
    tested = [each for each in guards if each.difference is not None]
    p_values = [each.difference.p_value(-_allowed(each)) for each in tested if each.difference is not None]
    judged = holm([p if math.isfinite(p) else 1.0 for p in p_values], level) if tested and level > 0 else []
    results = {id(each): result for each, result in zip(tested, judged, strict=False)}
    outcomes = []
    for each in guards:
        rule, asked = (NOT_WORSE if each.slice is None else SLICE), f"at most {each.margin} worse"
        found, result = each.difference, results.get(id(each))
        if found is None:
            reason = wording.problem(each.measure, each.problem or "", each.slice)
            outcomes.append(Outcome(rule, False, reason, measure=each.measure, asked=asked, slice=each.slice))
        elif result is None:
            outcome = _tested(rule, each, found, asked, margin=_allowed(each), level=level)
            outcomes.append(replace(outcome, reason=wording.spent(settings.looks)))
        else:
            outcome = _tested(rule, each, found, asked, margin=_allowed(each), level=result.level)
            low, passes = found.lower(result.level), bool(result.rejected)
            reason = wording.guard(found, low, _allowed(each), each.slice, passes=passes)
            outcomes.append(replace(outcome, passes=passes, reason=reason, adjusted_p=float(result.adjusted)))
    return outcomes


def _tested(
    rule: str, evidence: Evidence, found: Difference, asked: str, *, margin: float, level: float
) -> Outcome:
    """Return the outcome of a rule with its numbers; whether it passes is not said yet."""
    is_bounded = 0 < level < 0.5
    return Outcome(
        rule,
        False,
        "",
        measure=_measure(evidence),
        asked=asked,
        slice=evidence.slice,
        challenger=found.challenger,
        champion=found.champion,
        gain=found.gain,
        low=found.lower(level) if is_bounded else None,
        high=found.upper(level) if is_bounded else None,
        margin=margin,
        level=level,
        p=found.p_value(margin if rule == SUPERIORITY else -margin),
        rows=found.rows,
    )


def _allowed(evidence: Evidence) -> float:
    """Return how much worse a guard may be, in the unit of its measure."""
    if evidence.margin is None or evidence.difference is None:
        return 0.0
    return evidence.margin.beside(evidence.difference.champion)


def _measure(evidence: Evidence) -> str:
    return evidence.difference.measure if evidence.difference else evidence.measure
