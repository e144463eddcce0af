"""What is missing, broken or unknown refuses a promotion, with a sentence, and nothing is lost."""

from pathlib import Path
from typing import Any

import pytest
from scored_versions import ROWS, add_version, judge, kinds

from tracking import InvalidValueError, ModelRegistry

BROKEN = {
    "raises": "could not be loaded and scored: RuntimeError: the weights are of another shape",
    "segfault": "could not be loaded and scored: its process was killed by SIGSEGV",
    "memory": "could not be loaded and scored: MemoryError",
    "killed": "could not be loaded and scored: its process was killed by SIGKILL, as the system does when memory runs out",
    "exits": "could not be loaded and scored: its process ended with exit code 5",
    "leaves": "could not be loaded and scored: its process ended with exit code 5",
    "stops": "could not be loaded and scored: SystemExit",
    "nan": "3 of 4,000 values of 'prediction' are not finite (NaN or infinite)",
    "other split": "the rows decide nothing: the split has changed: ",
}


@pytest.mark.parametrize("side", ["champion", "challenger"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_version_that_cannot_be_scored_or_compared_is_refused_and_nothing_is_lost(
    tmp_path: Path, fault: str, side: str
) -> None:
    registry = ModelRegistry(tmp_path)
    champion = add_version(registry, tmp_path, skill=0.6, **({"fault": fault} if side == "champion" else {}))
    registry.promote("ctr", champion.version, reason="the first")
    add_version(registry, tmp_path, skill=1.5, own=2, **({"fault": fault} if side == "challenger" else {}))
    verdict = judge(registry, 2)
    assert not verdict.promote
    assert BROKEN[fault] in verdict.reasons[0]
    if "could not be loaded" in BROKEN[fault]:
        assert f"the {side} (v{1 if side == 'champion' else 2})" in verdict.reasons[0]
    assert verdict.facts["look"] is None
    assert kinds(registry) == ["registered", "promoted", "registered", "refused"]
    assert registry.verdict("ctr", 2) == verdict
    assert registry.aliases("ctr") == {"champion": 1}


def test_a_scorer_that_hangs_is_ended_at_the_limit(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, fault="hangs")
    verdict = judge(registry, 2, timeout_s=3)
    assert verdict.reasons[0].endswith(
        "the challenger (v2) could not be loaded and scored: it took longer than 3 s (timeout_s)"
    )


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("spoil", ["missing", "changed"])
def test_a_version_whose_files_are_not_those_registered_is_refused(
    registry: ModelRegistry, store: Path, side: int, spoil: str
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    file = store / "models" / "ctr" / f"v{side}" / "model.json"
    file.unlink() if spoil == "missing" else file.write_text("{}")
    verdict = judge(registry, 2)
    assert not verdict.promote
    assert f"(v{side}) could not be loaded" in verdict.sentence
    assert ("is missing" if spoil == "missing" else "is not the file that was registered") in verdict.sentence


def test_a_champion_whose_manifest_is_lost_refuses_the_challenger(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    (store / "models" / "ctr" / "v1" / "manifest.json").unlink()
    verdict = judge(registry, 2)
    assert (verdict.promote, verdict.champion) == (False, None)
    assert "the champion (v1) could not be loaded" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"min_rows": ROWS + 1}, "4,000 rows decide nothing: at least 4,001 are asked"),
        ({"cluster": "planet"}, "cluster: the rows have no column 'planet'; they have: rare, region, user"),
        ({"rules": {"slices": {"planet": 0.1}}}, "rules.slices.planet: the rows have no column 'planet'"),
        ({"rules": {"slices": {"rare": 0.1}}}, "no value of rare has 100 rows"),
        ({"rules": {"not_worse": {"gini": 0.1}}}, "rules.not_worse.gini: no measure of binary predictions is called 'gini'"),
        ({"rules": {"thresholds": {"gini": 0.1}}}, "rules.thresholds.gini: no measure of binary"),
        ({"rules": {"superiority": False, "not_worse": {"brier": 0.1}}}, "rules.superiority=false needs rules.not_worse.auc"),
        ({"rules": {"not_worse": {"calibration_error": 0.0}}}, "calibration_error is 0."),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_computed_refuses(
    registry: ModelRegistry, store: Path, settings: dict[str, Any], reason: str
) -> None:
    add_version(registry, store, skill=1.0, own=2)
    verdict = judge(registry, 2, **settings)
    assert not verdict.promote
    assert any(reason in each for each in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(("scorer", "why"), [
    ("scored_versions.nothing", "AttributeError"),
    ("scored_versions.TIME", "TypeError: scored_versions.TIME is str, not a function"),
    ("no_such_module.score", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("broken.score", "RuntimeError: no licence"),
    ("unread.score", "SyntaxError: invalid syntax"),
    ("leaves.score", "SystemExit: 3"),
    ("dies.score", "its process was killed by SIGKILL"),
])  # fmt: skip
def test_a_scorer_that_cannot_be_imported_is_an_error_and_no_refusal(
    registry: ModelRegistry,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scorer: str,
    why: str,
) -> None:
    for name, text in {
        "broken": "raise RuntimeError('no licence')",
        "unread": "def score(:",
        "leaves": "import sys; sys.exit(3)",
        "dies": "import os; os.kill(os.getpid(), 9)",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    add_version(registry, store, skill=1.0, own=2)
    before = registry.history("ctr")
    with pytest.raises(InvalidValueError, match=f"the scorer {scorer} could not be imported: {why}"):
        judge(registry, 2, scorer=scorer)
    assert registry.history("ctr") == before
    assert registry.verdicts("ctr", 2) == []


@pytest.mark.parametrize(("settings", "said"), [
    ({"cluster": "planet"}, "cluster: the rows have no column 'planet'"),
    ({"rules": {"slices": {"planet": 0.1}}}, "rules.slices.planet: the rows have no column 'planet'"),
    ({"rules": {"not_worse": {"logloss_": 0.1}}}, "rules.not_worse.logloss_: no measure of binary"),
    ({"rules": {"thresholds": {"log_lossx": 0.1}}}, "rules.thresholds.log_lossx: no measure of binary"),
    ({"rules": {"superiority": False, "not_worse": {"brier": 0.1}}}, "rules.superiority=false needs rules.not_worse.auc"),
])  # fmt: skip
def test_a_name_that_does_not_exist_spends_no_look(
    registry: ModelRegistry, store: Path, settings: dict[str, Any], said: str
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    verdict = judge(registry, 2, **settings)
    assert not verdict.promote
    assert "no look was spent, because a rule cannot be judged" in verdict.sentence
    assert said in verdict.sentence
    assert "looked" not in kinds(registry)


def test_an_own_measure_that_is_named_as_ours_counts_for_the_objective_alone(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2, fault="own names")
    verdict = judge(registry, 2, rules={"not_worse": {"brier": 0.1}})
    assert (
        "rules.not_worse.brier: brier is a measure of podium's and one of the scorer's own"
        in verdict.sentence
    )
    assert "looked" not in kinds(registry)
    assert judge(registry, 2).facts["differences"][0]["challenger"] == 0.75


def test_slices_with_few_rows_are_named_as_not_judged(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    verdict = judge(registry, 2, min_rows=2000, rules={"slices": {"region": 0.05}})
    judged = [each["slice"][1] for each in verdict.facts["rules"] if each["slice"]]
    (left,) = {"north", "south"} - {*judged}
    said = f"region is not judged where it has fewer than 2,000 rows (min_rows): {left} (1,"
    assert any(each.startswith(said) for each in verdict.reasons), verdict.reasons


def test_the_objective_stands_once_among_the_measures_and_its_value_is_shown(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2, value=0.83)
    verdict = judge(registry, 2, rules={"superiority": False, "not_worse": {"auc": 0.01}})
    measures = [each["measure"] for each in verdict.facts["differences"]]
    assert sorted(measures) == sorted({*measures})
    (own,) = [each for each in verdict.facts["rules"] if each["asked"] == "a finite value"]
    assert own["challenger"] == 0.83


def test_rows_of_one_class_decide_nothing(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for own in (1, 2):
        add_version(registry, tmp_path, own=own, fault="one class")
    registry.promote("ctr", 1, reason="the first")
    verdict = judge(registry, 2)
    assert not verdict.promote
    assert "auc cannot be judged" in verdict.reasons[0]
