"""The rules by recorded values alone: those that the runs logged while they trained. It decides and touches nothing.

A value that is missing, not finite or not comparable refuses the promotion. Recorded values have no error, so nothing is
said about chance.
"""

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from tracking.errors import InvalidValueError
from tracking.gate.outcomes import NOT_WORSE, SLICE, SUPERIORITY, THRESHOLD, Outcome
from tracking.gate.rules import LATENCY, SIZE, Margin, Rules
from tracking.objective import Direction, Objective
from tracking.registry import ModelVersion
from tracking.values.checks import metric_value


def recorded_outcomes(
    challenger: ModelVersion,
    champion: ModelVersion | None,
    rules: Rules,
    sizes: tuple[int, int] | None = None,
) -> list[Outcome]:
    """Return the outcome of each rule by recorded values; without a champion only the thresholds count.

    The challenger must gain at least `min_gain` on the champion, and more than nothing. `sizes` are the bytes of the files of both.
    """
    outcomes = thresholds_reached(challenger, rules.thresholds)
    if champion is None:
        return outcomes
    if has_value(challenger):
        outcomes.append(_beats(challenger, champion, rules))
    for name, margin in rules.not_worse.items():
        if name != challenger.objective.get("metric"):
            outcomes.append(_guarded(challenger, champion, name, margin, sizes))
    for column in rules.slices:
        why = f"{column}: slices cannot be judged by recorded values: give the gate a scorer"
        outcomes.append(Outcome(SLICE, False, why, slice=(column, "*")))
    return outcomes


def thresholds_reached(challenger: ModelVersion, thresholds: Mapping[str, float]) -> list[Outcome]:
    """Return whether the objective has a value, and the outcome of each threshold on a recorded value.

    A threshold is a maximum where lower is better, else a minimum. For the objective's own metric its mode decides,
    for others their name, as everywhere: the last word is rmse, mae and the like, or ends in loss or error.
    """
    outcomes = [_threshold(challenger, *item) for item in thresholds.items()]
    if not (
        has_value(challenger) and challenger.objective["metric"] in thresholds
    ):  # else the threshold says it
        holds, reason = _objective(challenger)
        metric = str(challenger.objective.get("metric"))
        value = challenger.objective.get("value") if holds else None
        outcomes.insert(
            0, Outcome(THRESHOLD, holds, reason, measure=metric, asked="a finite value", challenger=value)
        )
    return outcomes


def has_value(version: ModelVersion) -> bool:
    """Return whether a version's objective can be judged: its value is finite, and its metric and mode are known."""
    return _objective(version)[0]


def declared(version: ModelVersion) -> Objective | None:
    """Return the objective of a version; None when its manifest names no metric or an unknown mode."""
    metric, mode = version.objective.get("metric"), version.objective.get("mode")
    return Objective.of(metric, mode) if metric and mode in tuple(Direction) else None


def _objective(version: ModelVersion) -> tuple[bool, str]:
    metric, value = version.objective.get("metric"), version.objective.get("value")
    if declared(version) is None:
        return False, f"the objective {version.objective!r} needs a metric and a mode of 'max' or 'min'"
    if not _is_finite(value):
        return False, f"the objective {metric} is {_show(value)}: only a finite value can be judged"
    return True, f"{metric} is {_show(value)}"


def _threshold(version: ModelVersion, metric: str, bound: float) -> Outcome:
    with contextlib.suppress(InvalidValueError):  # Decimal, Fraction and the numbers of other libraries
        bound = metric_value(metric, bound)
    value = _value(version, metric)
    known: dict[str, Any] = {
        "measure": metric,
        "challenger": value if _is_finite(value) else None,
        "margin": bound,
    }
    if not _is_finite(bound):
        reason = f"the threshold on {metric} is {_show(bound)}: only a finite bound can be judged"
        return Outcome(THRESHOLD, False, reason, measure=metric)
    if not _is_finite(value):
        reason = f"{metric} is {_show(value)}, and a threshold of {_show(bound)} is set on it"
        return Outcome(THRESHOLD, False, reason, asked=_show(bound), **known)
    objective = _objective_of(version, metric)
    asked = f"{'at least' if objective.higher_is_better else 'at most'} {_show(bound)}"
    passes = not objective.better(bound, value)
    verb = "passes" if passes else "fails"
    reason = f"{metric} {_show(value)} {verb} its threshold ({asked})"
    return Outcome(THRESHOLD, passes, reason, asked=asked, **known)


def _beats(challenger: ModelVersion, champion: ModelVersion, rules: Rules) -> Outcome:
    metric = challenger.objective["metric"]
    rule = SUPERIORITY if rules.superiority else NOT_WORSE
    obstacle = _why_incomparable(challenger, champion)
    margin = rules.not_worse.get(metric)
    if not rules.superiority and margin is None:
        obstacle = f"rules.superiority=false needs rules.not_worse.{metric}: how much worse it may be"
    if obstacle:
        return Outcome(rule, False, obstacle, measure=metric)
    ours, theirs = challenger.objective["value"], champion.objective["value"]
    objective = Objective.of(metric, challenger.objective["mode"])
    gain, least = objective.gain(ours, theirs), rules.min_gain
    # 0.82 against 0.81 is a gain of 0.01 for a person, and a little less in binary
    enough = gain > 0 if least == 0 else gain >= least or math.isclose(gain, least, rel_tol=1e-9)
    asked = f"at least {_show(least)}" if least else "more than 0"
    if margin is not None and not rules.superiority:
        enough, asked = gain >= -margin.beside(theirs), f"at most {margin} worse"
    verb = "beats" if gain > 0 and enough else "passes against" if enough else "does not beat"
    text = f"{objective.label} {_show(ours)} {verb} {_label(champion)}, {_show(theirs)}: a gain of {gain:.4g}, {asked} is asked"
    if not challenger.data.get("fingerprint"):
        text += "; neither run recorded a data fingerprint, so that their data is the same is assumed"
    known: dict[str, Any] = {"challenger": ours, "champion": theirs, "gain": gain, "measure": metric}
    return Outcome(rule, enough, text, asked=asked, **known)


def _guarded(
    challenger: ModelVersion, champion: ModelVersion, name: str, margin: Margin, sizes: tuple[int, int] | None
) -> Outcome:
    asked = f"at most {margin} worse"
    if LATENCY.fullmatch(name):
        why = f"{name} cannot be measured by recorded values: give the gate a scorer"
        return Outcome(NOT_WORSE, False, why, measure=name, asked=asked)
    ours, theirs = sizes if sizes and name == SIZE else (_value(challenger, name), _value(champion, name))
    if not (_is_finite(ours) and _is_finite(theirs)):
        why = f"{name} is {_show(ours)} for the challenger and {_show(theirs)} for the champion: it cannot be compared"
        return Outcome(NOT_WORSE, False, why, measure=name, asked=asked)
    gain = theirs - ours if name == SIZE else _objective_of(challenger, name).gain(ours, theirs)
    passes = gain >= -margin.beside(theirs)
    verb = "passes" if passes else "fails"
    text = f"{name} {_show(ours)} against {_show(theirs)} {verb}: {asked} is allowed"
    known: dict[str, Any] = {
        "challenger": ours,
        "champion": theirs,
        "gain": gain,
        "margin": margin.beside(theirs),
    }
    return Outcome(NOT_WORSE, passes, text, measure=name, asked=asked, **known)


def _value(version: ModelVersion, metric: str) -> Any:
    is_own = version.objective.get("metric") == metric
    return version.objective.get("value") if is_own else version.metrics.get(metric)


def _objective_of(version: ModelVersion, metric: str) -> Objective:
    known = declared(version)
    return known if known and known.metric == metric else Objective.of(metric)


def _label(champion: ModelVersion) -> str:
    return f"the champion (version {champion.version})"


def _why_incomparable(challenger: ModelVersion, champion: ModelVersion) -> str | None:
    ours, theirs = challenger.objective, champion.objective
    label = _label(champion)
    if challenger.version == champion.version and challenger.name == champion.name:
        return f"version {challenger.version} already is the champion"
    if (ours.get("metric"), ours.get("mode")) != (theirs.get("metric"), theirs.get("mode")):
        return (
            f"{label} was chosen by {theirs.get('metric')} ({theirs.get('mode')}), not by "
            f"{ours.get('metric')} ({ours.get('mode')}): the two values cannot be compared"
        )
    known = [version.data.get("fingerprint") or None for version in (challenger, champion)]
    if None in known and any(known):
        without = label if known[0] else "the challenger"
        return f"{without} has no data fingerprint and the other has one: the two values cannot be compared"
    if known[0] != known[1]:
        return f"{label} was recorded on different data: the two values cannot be compared"
    if not has_value(champion):
        return f"the objective of {label} is {_show(theirs.get('value'))}: nothing can be compared with it"
    return None


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _show(value: Any) -> str:
    return "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
