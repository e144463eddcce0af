"""Rows count by their weight: one of weight 0 counts for nothing, wherever rows are counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_versions import add_version, judge, rows_of_numbers, scores_of

from tracking import ModelRegistry, Verdict
from tracking.gate.judgement import obstacles, split_of
from tracking.gate.remarks import weight_sentences
from tracking.gate.scores import Scores, column_of
from tracking.gate.scores import scores_of as checked
from tracking.gate.scores_file import read_scores
from tracking.registry import RemarkKind

ROWS = 600


def judged(store: Path, weighted: int, **settings: Any) -> Verdict:
    """Judge a far better challenger on rows of which only the first have a weight."""
    registry = ModelRegistry(store)
    for own, skill in ((1, 0.1), (2, 4.0)):
        add_version(registry, store, skill=skill, own=own, rows=ROWS, weighted=weighted)
        if own == 1:
            registry.promote("ctr", 1, reason="the first")
    return judge(registry, 2, **settings)


def told(verdict: Verdict, kind: RemarkKind) -> list[str]:
    return [each["words"] for each in verdict.facts["remarks"] if each["kind"] == kind.value]


def scores(weight: Any, **more: Any) -> Scores:
    return checked(scores_of(rows=len(weight)) | {"weight": weight, **more})


def test_rows_of_weight_0_do_not_make_rows_enough(tmp_path: Path) -> None:
    verdict = judged(tmp_path, 20)
    assert not verdict.promote
    assert "20 rows decide nothing: at least 100 are asked (min_rows)" in verdict.reasons
    assert told(verdict, RemarkKind.WEIGHTS) == ["judged on 20 of 600 rows; 580 have weight 0"]
    assert (verdict.facts["split"]["rows"], verdict.facts["split"]["weightless"]) == (20, 580)
    assert sum(verdict.facts["split"]["classes"].values()) == 20


def test_enough_rows_with_a_weight_promote_and_the_others_are_told(tmp_path: Path) -> None:
    verdict = judged(tmp_path, 300, rules={"not_worse": {"latency_p50": 1.0}})
    assert verdict.promote, verdict.reasons
    assert "judged on 300 of 600 rows; 300 have weight 0" in verdict.reasons
    kept = read_scores(tmp_path / "models" / "ctr" / "v2" / "scores.npz")
    assert len(kept["row"]) == 300
    assert kept["weight"].all()


def test_rows_of_weight_0_do_not_make_a_first_champion(store: Path) -> None:
    registry = ModelRegistry(store)
    add_version(registry, store, skill=4.0, rows=ROWS, weighted=20)
    verdict = judge(registry, 1, rules={"thresholds": {"auc": 0.5}})
    assert not verdict.promote
    assert "20 rows decide nothing: at least 100 are asked (min_rows)" in verdict.reasons


def test_slices_count_the_rows_that_have_a_weight(tmp_path: Path) -> None:
    regions = scores_of(rows=ROWS)["columns"]["region"]
    rows = {name: int((regions[:300] == name).sum()) for name in ("north", "south")}
    few, many = sorted(rows, key=lambda name: rows[name])
    assert (regions == few).sum() >= rows[many] > rows[few]  # with the rows of weight 0 both had enough
    verdict = judged(tmp_path, 300, min_rows=rows[many], rules={"slices": {"region": 0.5}})
    assert told(verdict, RemarkKind.UNJUDGED) == [
        f"region is not judged where it has fewer than {rows[many]} rows (min_rows): {few} ({rows[few]})"
    ]
    assert [each["slice"] for each in verdict.facts["rules"] if each["slice"]] == [["region", many]]


def test_all_that_belongs_to_a_row_goes_with_it() -> None:
    weight = np.array([0.0, 2.0, 0.0, 1.0, 3.0, 0.0])
    raw = scores_of(rows=6)
    found = scores(weight, row=[f"id{each}" for each in range(6)], predict_one=lambda place: place)
    assert len(found) == 3
    assert found.weightless == 3
    assert found.row.tolist() == ["id1", "id3", "id4"]
    assert found.weight is not None
    assert found.weight.tolist() == [2.0, 1.0, 3.0]
    assert found.prediction.tolist() == raw["prediction"][[1, 3, 4]].tolist()
    assert found.target.tolist() == raw["target"][[1, 3, 4]].tolist()
    assert column_of(found, "rare").tolist() == ["1", "3", "4"]
    assert found.predict_one is not None
    assert [found.predict_one(place) for place in range(3)] == [1, 3, 4]
    assert split_of(found, None, "user")["clusters"] <= 3


def test_rows_of_weight_0_do_not_make_old_rows_look_like_new_ones() -> None:
    numbers = list(range(1000))
    hashes = rows_of_numbers(numbers)["row_hash"]
    weight = (np.arange(1000) < 50).astype(float)
    assert (
        scores(weight, row_hash=hashes).sketch
        == checked(scores_of(rows=50) | {"row_hash": hashes[:50]}).sketch
    )


def test_versions_whose_rows_of_weight_0_differ_are_not_compared() -> None:
    ones = np.ones(200)
    fewer = (np.arange(200) < 150).astype(float)
    assert any(
        "on 150 rows that have a weight and the champion on 200 rows that have a weight" in each
        for each in obstacles(scores(fewer), scores(ones))
    )
    turned = fewer[::-1].copy()
    assert any("different rows" in each for each in obstacles(scores(fewer), scores(turned)))


@pytest.mark.parametrize(("weight", "words"), [
    (np.full(1000, 0.3), []),
    (np.r_[np.ones(20), np.zeros(980)], ["judged on 20 of 1,000 rows; 980 have weight 0"]),
    (np.r_[np.ones(999), 0.0], ["judged on 999 of 1,000 rows; 1 has weight 0"]),
    (
        np.r_[np.ones(20), np.full(980, 1e-200)],
        ["the weights are so unequal that these 1,000 rows tell about as much as 20 of equal weight"],
    ),
    (np.r_[np.ones(500), np.full(500, 0.5)], []),
])  # fmt: skip
def test_weights_are_told_where_they_leave_few_rows(weight: Any, words: list[str]) -> None:
    found = scores(weight)
    assert weight_sentences(len(found), found.weightless, found.effective) == words
