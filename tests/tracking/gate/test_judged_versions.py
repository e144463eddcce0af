"""Two versions judged on the same rows, in a process of its own: what is decided and counted."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from scored_versions import ROWS, add_version, judge, kinds

from tracking import ModelRegistry
from tracking.gate import Selection
from tracking.gate.scores_file import read_scores


def test_a_better_challenger_is_promoted_and_its_verdict_is_kept(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    verdict = judge(registry, 2)
    assert verdict.promote, verdict.reasons
    assert verdict.sentence.startswith("v2 of ctr is promoted over v1: auc is 0.78")
    assert verdict.basis == "scores"
    assert registry.aliases("ctr") == {"champion": 2}
    kept = registry.verdict("ctr", 2)
    assert kept == verdict
    assert kept.facts["look"]["number"] == 1
    assert kept.facts["split"]["rows"] == ROWS
    assert sum(kept.facts["split"]["classes"].values()) == ROWS
    assert {each["rule"] for each in kept.facts["rules"]} == {"rows", "superiority", "threshold"}
    assert len(kept.facts["pictures"]["curves"]) == 2
    assert kept.facts["differences"][0]["method"] == "delong"
    scores = read_scores(store / "models" / "ctr" / "v2" / kept.facts["scores"])
    assert sorted(scores) == ["challenger", "champion", "row", "target"]
    assert kinds(registry)[-2:] == ["looked", "promoted"]


def test_equal_versions_are_refused_in_words_with_what_the_rows_could_have_shown(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=0.6, own=2)
    verdict = judge(registry, 2)
    assert not verdict.promote
    assert registry.aliases("ctr") == {"champion": 1}
    assert "on the same 4,000 rows" in verdict.reasons[0]
    assert any(
        "would be promoted 8 times in 10 with these rows at this look" in each for each in verdict.reasons
    )
    assert verdict.facts["power"]["detectable"] > 0
    assert kinds(registry)[-2:] == ["looked", "refused"]
    assert registry.history("ctr")[-1].reason == verdict.sentence


def test_few_clusters_are_told_to_be_too_few(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    verdict = judge(registry, 2, cluster="region")
    power, gain = verdict.facts["power"], verdict.facts["differences"][0]["gain"]
    assert not verdict.promote
    assert power["detectable"] > gain
    assert power["further_rows"] is None
    assert power["further_clusters"] > 0
    assert any(
        "more clusters would tell a gain of the size that was seen" in each for each in verdict.reasons
    )


def test_the_very_same_predictions_are_no_gain(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=0.6, own=1, value=0.81)
    verdict = judge(registry, 2)
    assert verdict.reasons[0].startswith(
        "both versions predict the same for all 4,000 rows: there is no gain"
    )


def test_each_challenger_spends_a_look_and_is_judged_at_a_smaller_level(
    registry: ModelRegistry, store: Path
) -> None:
    levels = []
    for own in (2, 3, 4):
        number = add_version(registry, store, skill=0.6, own=own).version
        look = judge(registry, number).facts["look"]
        assert look["number"] == own - 1
        levels.append(look["level"])
    assert levels[0] > levels[1] > levels[2]
    assert sum(levels) < 0.05


def test_planned_looks_share_the_level_and_after_them_nothing_is_promoted(
    registry: ModelRegistry, store: Path
) -> None:
    for own in (2, 3):
        number = add_version(registry, store, skill=0.6, own=own).version
        assert judge(registry, number, looks=2).facts["look"]["level"] == 0.025
    last = add_version(registry, store, skill=2.0, own=9).version
    verdict = judge(registry, last, looks=2, rules={"not_worse": {"log_loss": 1.0}})
    assert not verdict.promote
    assert verdict.reasons[0].startswith("all 2 planned looks at these rows are spent")


def test_the_same_judgement_again_is_the_same_look_and_the_kept_verdict(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=0.6, own=2)
    first = judge(registry, 2)
    assert judge(registry, 2) == first
    assert kinds(registry).count("looked") == kinds(registry).count("refused") == 1
    other = judge(registry, 2, rules={"min_gain": 0.01})
    assert other.facts["look"]["number"] == 2, "other rules are another look"


STEPS = [
    (skill, step)
    for skill, last in ((1.5, "promote"), (0.6, "refuse"))
    for step in ("spend_look", "record_verdict", last)
]


@pytest.mark.parametrize(("skill", "step"), STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_judgement_that_was_cut_off_at_any_step_is_the_same_look_with_the_same_result(
    registry: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str, skill: float
) -> None:
    add_version(registry, store, skill=skill, own=2)
    original = getattr(ModelRegistry, step)

    def cut_off(*arguments: Any, **options: Any) -> None:
        if when == "after":
            original(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ModelRegistry, step, cut_off)
        with pytest.raises(KeyboardInterrupt):
            judge(registry, 2)
    verdict = judge(registry, 2)
    told = kinds(registry)
    assert told.count("looked") == 1
    assert told.count("promoted") == 1 + (skill > 1)
    assert told.count("refused") == (skill < 1)
    if verdict.reasons != ("version 2 already is the champion",):
        assert verdict.facts["look"]["number"] == 1
        assert verdict.promote is (skill > 1)
    kept = registry.verdict("ctr", 2)
    assert kept is not None
    assert kept.promote is (skill > 1)
    scores = store / "models" / "ctr" / "v2" / "scores.npz"
    assert kept.facts["scores_sha256"] == hashlib.sha256(scores.read_bytes()).hexdigest()


def test_the_first_version_needs_its_thresholds_alone_and_spends_no_look(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    add_version(registry, tmp_path, value=0.7, skill=0.1)
    refused = judge(registry, 1, rules={"thresholds": {"val_auc": 0.6, "auc": 0.9}})
    assert (refused.promote, refused.basis) == (False, "first")
    assert refused.reasons[0].startswith("auc 0.")
    assert "fails its threshold (at least 0.9) on the rows of the gate" in refused.reasons[0]
    first = judge(registry, 1, rules={"thresholds": {"val_auc": 0.6, "auc": 0.5, "log_loss": 0.8}})
    assert first.promote
    assert first.sentence.startswith("v1 of ctr is promoted: it is the first champion")
    assert "looked" not in kinds(registry)


def test_without_thresholds_on_the_rows_the_first_version_is_not_scored(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    add_version(registry, tmp_path, value=0.7, fault="raises")
    assert judge(registry, 1, rules={"thresholds": {"val_auc": 0.6}}).promote


def test_a_recorded_threshold_that_fails_spends_no_look(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, value=0.6, skill=1.5)
    verdict = judge(registry, 2, rules={"thresholds": {"val_auc": 0.7}})
    assert verdict.reasons == ("val_auc 0.6 fails its threshold (at least 0.7)",)
    assert "looked" not in kinds(registry)


def test_guards_and_slices_are_judged_together(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    rules = {
        "min_gain": 0.02,
        "not_worse": {"log_loss": 0.01, "profit": "10%", "size": "50%"},
        "slices": {"region": 0.01},
    }
    verdict = judge(registry, 2, rules=rules, cluster="user")
    assert verdict.promote, verdict.reasons
    ruled = {(each["rule"], each["measure"], *(each["slice"] or ())): each for each in verdict.facts["rules"]}
    assert ("slice", "auc", "region", "north") in ruled
    assert ruled["not_worse", "size"]["low"] == ruled["not_worse", "size"]["gain"]
    assert all(
        each["adjusted_p"] <= each["level"] * 9 for each in ruled.values() if each["adjusted_p"] is not None
    )
    assert verdict.facts["differences"][0]["clusters"] == 400


def test_a_slower_challenger_is_refused_by_its_latency(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2, slow_s=0.004)
    verdict = judge(registry, 2, rules={"not_worse": {"latency_p95": "50%"}})
    assert not verdict.promote
    assert "latency_p95 is" in verdict.reasons[0]
    assert " ms against " in verdict.reasons[0]


@pytest.mark.parametrize(("task", "metric", "picture"), [
    ("regression", "val_rmse", "residuals"),
    ("multiclass", "val_accuracy", "reliability"),
    ("multiclass", "val_auc", "reliability"),
    ("binary", "val_profit", "curves"),
])  # fmt: skip
def test_every_task_and_own_measures_are_judged(tmp_path: Path, task: str, metric: str, picture: str) -> None:
    registry = ModelRegistry(tmp_path)
    for own, skill in ((1, 0.3), (2, 0.9)):
        add_version(registry, tmp_path, metric=metric, task=task, own=own, skill=skill)
    registry.promote("ctr", 1, reason="the first")
    verdict = judge(registry, 2)
    assert verdict.promote, verdict.reasons
    assert verdict.sentence.startswith(f"v2 of ctr is promoted over v1: {metric.removeprefix('val_')} is ")
    assert len(verdict.facts["pictures"][picture]) == 2
    assert len(verdict.facts["pictures"]["gains"]["counts"]) == 40


def test_a_file_of_rows_decides_where_one_is_given(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    rows = tmp_path / "rows.csv"
    rows.write_text("row\n" * 1500)
    assert judge(registry, 2, split=str(rows)).facts["split"]["rows"] == 1500


def test_a_scorer_gets_the_packages_that_are_allowed(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    allowed = {"scorer": "scored_versions.score_allowed", "allow": ["my_package"]}
    assert judge(registry, 2, **allowed).promote


def test_the_luck_of_the_best_of_many_is_told(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=0.6, own=2)
    values = tuple(0.80 - 0.002 * place for place in range(16))
    selection = Selection("val_auc", values, 0, tuple(0.72 for _ in values))
    found = judge(registry, 2, selection).facts["selection"]
    assert (found["jobs"], found["selected_at"], found["metric"]) == (16, 0.80, "val_auc")
    assert found["overestimated_by"] == pytest.approx(0.80 - found["here"])
    assert found["by_choosing"] == pytest.approx(0.016)
