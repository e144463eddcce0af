"""Areas and curves of ranked scores, and all metrics, are those of scikit-learn."""

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given
from hypothesis import strategies as st

from tracking.statistics import ranked
from tracking.statistics.formulas import auc, by_class, macro_auc
from trainer.data.target import TaskKind
from trainer.tasks.metrics import METRICS, measure

Array = np.ndarray[Any, Any]
Case = tuple[Array, Array, Array | None]


@st.composite
def cases(draw: st.DrawFn, classes: int = 2) -> Case:
    """Draw targets, scores with many ties, and weights that may be missing or zero."""
    rows = draw(st.integers(2, 40))
    stream = np.random.default_rng(draw(st.integers(0, 10_000)))
    target = stream.integers(0, draw(st.integers(1, classes)), rows)
    score = np.round(stream.random((rows, classes) if classes > 2 else rows), draw(st.integers(0, 3)))
    if classes > 2:
        score = (score + 1e-3) / (score + 1e-3).sum(axis=1, keepdims=True)
    kind = draw(st.sampled_from(["none", "whole", "any", "some zero"]))
    weights = {"none": None, "whole": stream.integers(1, 4, rows), "any": stream.random(rows) + 0.01}
    weight = weights.get(kind, stream.integers(0, 2, rows))
    return target, score, None if weight is None else weight.astype(np.float64)


def both_count(target: Array, weight: Array | None) -> bool:
    counts = np.ones(len(target)) if weight is None else weight
    return bool(counts[target > 0].sum() > 0 and counts[target == 0].sum() > 0)


@given(cases())
def test_the_area_under_the_roc_curve_and_the_average_precision(case: Case) -> None:
    target, score, weight = case
    if not both_count(target, weight):
        assert np.isnan(auc(target, score, weight))
        return
    assert auc(target, score, weight) == pytest.approx(
        theirs.roc_auc_score(target, score, sample_weight=weight)
    )
    found = measure(TaskKind.BINARY, "average_precision", target, score, weight)
    assert found == pytest.approx(theirs.average_precision_score(target, score, sample_weight=weight))


@given(cases())
def test_the_curves(case: Case) -> None:
    target, score, weight = case
    if not both_count(target, weight) or (weight is not None and not weight.all()):
        return  # rows that count for nothing are points twice here
    false, true = ranked.roc_curve(target > 0, score, weight)
    wanted = theirs.roc_curve(target, score, sample_weight=weight)
    if weight is None:
        np.testing.assert_allclose(false, wanted[0])
        np.testing.assert_allclose(true, wanted[1])
    assert np.trapezoid(true, false) == pytest.approx(np.trapezoid(wanted[1], wanted[0]))
    found = ranked.precision_recall_curve(target > 0, score, weight)
    for own, other in zip(
        found, theirs.precision_recall_curve(target, score, sample_weight=weight), strict=False
    ):
        np.testing.assert_allclose(own, other)


@given(cases())
def test_the_metrics_of_two_classes(case: Case) -> None:
    target, score, weight = case
    if weight is not None and not weight.any():
        return
    how = {"sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one class, for which ours are the same numbers
        wanted = {
            "f1": theirs.f1_score(target, score > 0.5, zero_division=0, **how),
            "brier": theirs.brier_score_loss(target, score, pos_label=1, labels=[0, 1], **how),
        }
    for name, value in wanted.items():
        assert measure(TaskKind.BINARY, name, target, score, weight) == pytest.approx(value)


@given(cases(classes=4))
def test_the_metrics_of_several_classes(case: Case) -> None:
    target, chances, weight = case
    if weight is not None and not weight.any():
        return
    how = {"sample_weight": weight, "zero_division": 0}
    predicted, present = chances.argmax(axis=1), np.unique(target)
    table = theirs.precision_recall_fscore_support(target, predicted, labels=range(4), **how)
    rows = by_class(target, chances, tuple("abcd"), weight)
    for place, name in enumerate(("precision", "recall", "f1")):
        assert [each[name] for each in rows] == pytest.approx(list(table[place]))
    assert [each["rows"] for each in rows] == np.bincount(target, minlength=4).tolist()
    wanted = theirs.f1_score(target, predicted, labels=present, average="macro", **how)
    assert measure(TaskKind.MULTICLASS, "f1", target, chances, weight) == pytest.approx(wanted)
    if weight is None or weight.all():
        areas = [
            theirs.roc_auc_score(target == code, chances[:, code], sample_weight=weight)
            for code in present
            if len(present) > 1
        ]
        wanted = np.mean(areas) if areas else np.nan
        assert macro_auc(target, chances, weight) == pytest.approx(wanted, nan_ok=True)


@given(cases())
def test_the_metrics_of_numbers(case: Case) -> None:
    _, value, weight = case
    if weight is not None and not weight.any():
        return
    target = np.round(np.sin(np.arange(len(value)) * 7) * 100, 1)
    how = {"sample_weight": weight}
    wanted = {
        "rmse": theirs.root_mean_squared_error(target, value, **how),
        "mae": theirs.mean_absolute_error(target, value, **how),
    }
    if weight is None or np.count_nonzero(weight) > 1:
        wanted["r2"] = theirs.r2_score(target, value, **how)
    for name, each in wanted.items():
        assert measure(TaskKind.REGRESSION, name, target, value, weight) == pytest.approx(each)


def test_a_score_that_is_no_number_has_no_area() -> None:
    assert np.isnan(auc(np.array([0, 1]), np.array([0.5, np.nan])))


def test_scores_of_a_model_load_no_scikit_learn() -> None:
    names = {kind.value: [*METRICS[kind]] for kind in TaskKind}
    code = f"""
import sys
import numpy as np
from tracking.statistics.formulas import auc, by_class, macro_auc
from trainer.tasks.metrics import measure
from trainer.tasks.threshold import choose
from trainer.data.target import TaskKind
target, chance = np.array([0, 1, 1, 0]), np.array([0.1, 0.7, 0.4, 0.6])
both = np.stack([1 - chance, chance], axis=1)
for kind, names in {names}.items():
    for name in names:
        measure(TaskKind(kind), name, target, both if kind == "multiclass" else chance)
auc(target, chance), macro_auc(target, both), by_class(target, both, ("a", "b")), choose("f1", target, chance)
sys.exit("sklearn" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
