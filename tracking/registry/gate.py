"""The gate: a pure function that decides whether a challenger replaces the champion.

A value that is missing, not finite or not comparable refuses the promotion.
"""

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from tracking.errors import InvalidValueError
from tracking.objective import Direction, Objective
from tracking.registry.model_records import ModelVersion, Verdict
from tracking.values.checks import metric_value


def judge(
    challenger: ModelVersion,
    champion: ModelVersion | None,
    *,
    thresholds: Mapping[str, float] | None,
    min_delta: float,
) -> Verdict:
    """Decide by the recorded values; without a champion only the thresholds count.

    A threshold is a maximum where lower is better, else a minimum. For the objective's own metric its mode decides,
    for others their name, as everywhere: the last word is rmse, mae and the like, or ends in loss or error.
    The challenger must be better than the champion by at least `min_delta` (strictly better when that is 0).
    """
    if not (math.isfinite(min_delta) and min_delta >= 0):
        raise InvalidValueError(f"min_delta is {min_delta!r}: give a finite number that is not negative")
    against: list[str] = []
    passed: list[str] = []
    thresholds = thresholds or {}
    checks = [_threshold(challenger, *item) for item in thresholds.items()]
    if not (
        _has_value(challenger) and challenger.objective["metric"] in thresholds
    ):  # else the threshold reports it
        checks.insert(0, _objective(challenger))
    for holds, reason in checks:
        (passed if holds else against).append(reason)
    if champion is None:
        passed.append("there was no champion before")
    elif not against or _has_value(challenger):
        better, reasons = _beats(challenger, champion, min_delta)
        (passed if better else against).extend(reasons)
    return Verdict(
        promote=not against,
        reasons=tuple(against or passed),
        challenger=_facts(challenger),
        champion=_facts(champion) if champion else None,
    )


def _objective(version: ModelVersion) -> tuple[bool, str]:
    metric, value = version.objective.get("metric"), version.objective.get("value")
    if _declared(version) is None:
        return False, f"the objective {version.objective!r} needs a metric and a mode of 'max' or 'min'"
    if not _is_finite(value):
        return False, f"the objective {metric} is {_show(value)}: only a finite value can be judged"
    return True, f"{metric} is {_show(value)}"


def _declared(version: ModelVersion) -> Objective | None:
    """Return the objective of a version; None when its manifest names no metric or an unknown mode."""
    metric, mode = version.objective.get("metric"), version.objective.get("mode")
    return Objective.of(metric, mode) if metric and mode in tuple(Direction) else None


def _threshold(version: ModelVersion, metric: str, bound: float) -> tuple[bool, str]:
    with contextlib.suppress(InvalidValueError):  # Decimal, Fraction and the numbers of other libraries
        bound = metric_value(metric, bound)
    if not _is_finite(bound):
        return False, f"the threshold on {metric} is {_show(bound)}: only a finite bound can be judged"
    is_own = version.objective.get("metric") == metric
    value = version.objective.get("value") if is_own else version.metrics.get(metric)
    if not _is_finite(value):
        return False, f"{metric} is {_show(value)}, and a threshold of {_show(bound)} is set on it"
    declared = _declared(version)
    objective = declared if declared and declared.metric == metric else Objective.of(metric)
    side = "at least" if objective.higher_is_better else "at most"
    passes = not objective.better(bound, value)
    verb = "passes" if passes else "fails"
    return passes, f"{metric} {_show(value)} {verb} its threshold ({side} {_show(bound)})"


def _beats(challenger: ModelVersion, champion: ModelVersion, min_delta: float) -> tuple[bool, list[str]]:
    obstacle = _why_incomparable(challenger, champion)
    if obstacle:
        return False, [obstacle]
    better, reason = _gains(challenger, champion, min_delta)
    if challenger.data.get("fingerprint"):
        return better, [reason]
    return better, ["neither run recorded a data fingerprint: that their data is the same is assumed", reason]


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
    if not _has_value(champion):
        return f"the objective of {label} is {_show(theirs.get('value'))}: nothing can be compared with it"
    return None


def _gains(challenger: ModelVersion, champion: ModelVersion, min_delta: float) -> tuple[bool, str]:
    ours, theirs = challenger.objective["value"], champion.objective["value"]
    objective = Objective.of(challenger.objective["metric"], challenger.objective["mode"])
    gain = objective.gain(ours, theirs)
    # 0.82 against 0.81 is a gain of 0.01 for a person, and a little less in binary
    enough = gain > 0 if min_delta == 0 else gain >= min_delta or math.isclose(gain, min_delta, rel_tol=1e-9)
    asked = f"at least {_show(min_delta)}" if min_delta else "more than 0"
    verb = "beats" if enough else "does not beat"
    text = f"{objective.label} {_show(ours)} {verb} {_label(champion)}, {_show(theirs)}"
    return enough, f"{text}: a gain of {gain:.4g}, {asked} is asked"


def _has_value(version: ModelVersion) -> bool:
    return _objective(version)[0]


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "run_id": version.run_id,
        "objective": dict(version.objective),
        "metrics": dict(version.metrics),
        "fingerprint": version.data.get("fingerprint"),
    }


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _show(value: Any) -> str:
    return "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
