"""Scores in, a judgement out: every rule that the rows of the gate decide, and what a verdict shows beside them.

It runs in the scoring process, and in tests without one.
"""

import hashlib
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tracking.gate import remarks as words
from tracking.gate import wording
from tracking.gate.decision import decided, enough_rows, reached
from tracking.gate.illustrating import pictures
from tracking.gate.measuring import Beside, Comparison, attempted, compared, value_of
from tracking.gate.outcomes import SUPERIORITY, Outcome, Question
from tracking.gate.rules import GateSettings, is_recorded
from tracking.gate.scores import Scores, column_of, differences_of_rows
from tracking.registry.model_records import Remark, RemarkKind
from tracking.statistics.difference import Difference
from tracking.statistics.levels import look_level

TOLERATED = 0.01  # share of rows that may be training rows beyond those that duplicates explain


def split_of(scores: Scores, champion: Scores | None, cluster: str | None) -> dict[str, Any]:
    """Return what a verdict says of the rows: as the challenger has them, and which share of them each version trained on."""
    clusters = None if cluster is None else attempted(lambda: len(np.unique(column_of(scores, cluster))))[0]
    return {
        "name": scores.split_name,
        "hash": scores.split_hash,
        "rows": len(scores),
        "weightless": scores.weightless,
        "classes": scores.rows_of_classes,
        "cluster": cluster,
        "clusters": clusters and int(clusters),
        "duplicates": scores.duplicates and int(scores.duplicates["rows"]),
        "trained_on": _trained_on(scores, champion),
    }


def values_of_rows(scores: Scores, settings: GateSettings) -> str | None:
    """Return a hash of what decides beside the rows and their targets, in any order of the rows; None where nothing does.

    These are the weights and the columns of clusters and slices, which the hash of a split need not hold. Where nothing but
    targets tells the rows, the name of the split is one of them.
    """
    names = sorted({*settings.rules.slices, *([] if settings.cluster is None else [settings.cluster])})
    found = {f"column {name}": column_of(scores, name) for name in names}
    if scores.weight is not None:
        found["weight"] = scores.weight.astype("<f8")
    digest = hashlib.sha256()
    for name, values in found.items():
        order = np.lexsort((values, scores.row if scores.hashes is None else scores.hashes))
        texts = (
            "\0".join(values[order].tolist()).encode()
            if values.dtype.kind == "U"
            else values[order].tobytes()
        )
        digest.update(name.encode() + b"\0" + texts)
    if not scores.is_known:
        digest.update(f"split {settings.split}".encode())
    return digest.hexdigest() if found or not scores.is_known else None


def _trained_on(challenger: Scores, champion: Scores | None) -> dict[str, Any] | None:
    """Return which `share` of the rows equals rows that each version trained on, and which is `expected`; None where neither is known."""
    both = {
        "challenger": challenger.trained_on,
        "champion": None if champion is None else champion.trained_on,
    }
    if not any(both.values()):
        return None
    return {
        who: told and {"share": float(told["share"]), "expected": float(told.get("expected", 0.0))}
        for who, told in both.items()
    }


def counted_by(scores: Scores) -> dict[str, Any]:
    """Return what the registry counts a look by, beside the hash of the split: whether the rows have decided before."""
    by_chance = (scores.duplicates or {}).get("expected", 0.0)
    return {"rows": scores.sketch, "explained": float(by_chance)}


def obstacles(challenger: Scores, champion: Scores | None) -> Iterator[str]:
    """Yield why the scores decide nothing, a sentence each: other rows, or rows that a version trained on."""
    for who, scores in (("challenger", challenger), ("champion", champion)):
        told = scores.trained_on if scores is not None else None
        if told and not _is_explained(told):
            yield (
                f"the {who} trained on {told['share']:.1%} of the rows that are to decide, and duplicates explain "
                f"{told.get('expected', 0.0):.1%}: give rows that no version trained on"
            )
    yield from _repeated(challenger) or (_repeated(champion) if champion is not None else ())
    if champion is not None:
        yield from differences_of_rows(challenger, champion)


def _repeated(scores: Scores) -> list[str]:
    """Say that more rows are the same as another than training rows are: they would count as several."""
    told = scores.duplicates
    if told and told.get("expected") is not None and not _is_explained(told):
        return [
            f"{told['share']:.1%} of the rows that are to decide are the same as another, and of as many training rows "
            f"{told['expected']:.1%} are: give each row once"
        ]
    return []


def _is_explained(told: Mapping[str, float]) -> bool:
    """Return whether a share of rows is no larger than the expected one, when chance is allowed for."""
    share, expected = float(told["share"]), float(told.get("expected", 0.0))
    rows = max(1.0, float(told.get("of", told.get("rows", 1.0))))
    chance = 3 * float(np.sqrt(max(0.0, expected * (1 - expected)) / rows))
    return share <= expected + chance + TOLERATED


def judged(
    question: Question, challenger: Scores, champion: Scores | None, look: int | None
) -> dict[str, Any]:
    """Return the judgement as plain data: outcomes, differences, power, selection and pictures.

    Without a champion only the thresholds on these rows count, and nothing is compared.
    """
    settings = question.settings
    told: dict[str, Any] = {"look": None, "differences": [], "power": None}
    comparison: Comparison | None = None
    outcomes: list[Outcome]
    remarks: list[Remark] = []
    if champion is None or look is None:
        outcomes = [enough_rows(len(challenger), settings.min_rows)]
    else:
        level = look_level(look, alpha=settings.alpha, planned=settings.looks)
        beside = Beside(question.challenger.size, question.champion.size if question.champion else None)
        comparison = compared(challenger, champion, settings, question.objective, beside)
        outcomes = decided(comparison, settings, level)
        told["look"] = {"number": look, "alpha": settings.alpha, "level": level, "planned": settings.looks}
        remarks.append(Remark(RemarkKind.LOOK, wording.look(look, level, settings.alpha)))
        few = words.unjudged_sentences(comparison.unjudged, settings.min_rows)
        remarks += [Remark(RemarkKind.UNJUDGED, each) for each in few]
        told["differences"] = [each.to_json() for each in _differences(comparison)]
    weights = words.weight_sentences(len(challenger), challenger.weightless, challenger.effective)
    remarks += [Remark(RemarkKind.WEIGHTS, each) for each in weights]
    leaks = words.trained_on_sentences(_trained_on(challenger, champion))
    remarks += [Remark(RemarkKind.TRAINED_ON, each) for each in leaks]
    outcomes += _thresholds(question, challenger)
    gain = comparison.objective.difference if comparison else None
    superiority = next((each for each in outcomes if each.rule == SUPERIORITY), None)
    if superiority is not None and gain is not None:
        told["power"] = words.power_of(superiority, gain, settings)
        if told["power"] is not None and not superiority.passes:
            remarks.append(Remark(RemarkKind.POWER, words.power_sentence(gain.measure, told["power"])))
    told["selection"] = None
    if question.selection is not None:
        _, here, _ = value_of(question.objective.label, challenger, question.objective.mode)
        told["selection"] = words.selection_of(question.selection, question.objective, here)
        if (luck := words.selection_sentence(told["selection"])) is not None:
            remarks.append(Remark(RemarkKind.SELECTION, luck))
    numbers = (question.challenger.version, question.champion.version if question.champion else None)
    return told | {
        "rules": [each.to_json() for each in outcomes],
        "remarks": [each.to_json() for each in remarks],
        "pictures": pictures(challenger, champion, numbers, gain),
        "versions": _versions(),
    }


def _thresholds(question: Question, challenger: Scores) -> Iterator[Outcome]:
    """Yield the outcome of each threshold on these rows; those on recorded values are judged elsewhere."""
    for name, bound in question.settings.rules.thresholds.items():
        if is_recorded(name):
            continue
        measure, value, problem = value_of(name, challenger)
        is_maximum = measure is not None and not measure.mode.higher_is_better
        yield reached(name, value, bound, is_maximum=is_maximum, problem=problem)


def _differences(comparison: Comparison) -> Iterator[Difference]:
    """Yield the difference in each measure once, that of the objective first."""
    told = set()
    ruled = [each.difference for each in (comparison.objective, *comparison.guards) if each.slice is None]
    for each in (*ruled, *comparison.others):
        if each is not None and each.measure not in told:
            told.add(each.measure)
            yield each


def _versions() -> dict[str, str]:
    import scipy

    return {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
