"""Two versions judged on the same rows, in a process of its own: what is decided, kept and counted."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scored_versions import ROWS, add_version

from tracking import ChampionChangedError, InvalidValueError, ModelRegistry, Verdict
from tracking.gate import Gate, Selection, gate_settings
from tracking.gate.scores_file import read_scores
from tracking.registry import EventKind, KeptVerdict

SCORER = "scored_versions.score"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "experiments"


@pytest.fixture
def registry(store: Path) -> ModelRegistry:
    registry = ModelRegistry(store)
    champion = add_version(registry, store, skill=0.6, own=1)
    registry.promote("ctr", champion.version, reason="the first")
    return registry


def judge(
    registry: ModelRegistry, number: int, selection: Selection | None = None, **settings: Any
) -> Verdict:
    asked = gate_settings({"scorer": SCORER, "draws": 200, **settings})
    return Gate(registry, asked).judge("ctr", number, by="me", selection=selection)


def kinds(registry: ModelRegistry) -> list[str]:
    return [event.kind.value for event in registry.history("ctr")]


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
        ({"scorer": "scored_versions.nothing"}, "the scorer scored_versions.nothing could not be imported: AttributeError"),
        ({"scorer": "no_such_module.score"}, "ModuleNotFoundError: No module named 'no_such_module'"),
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


def test_what_already_is_the_champion_is_not_judged(registry: ModelRegistry) -> None:
    verdict = judge(registry, 1)
    assert verdict.reasons[0] == "version 1 already is the champion"
    assert registry.verdict("ctr", 1) is None


def test_a_champion_that_changes_meanwhile_is_judged_against(
    registry: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_version(registry, store, skill=1.0, own=2)
    add_version(registry, store, skill=1.5, own=3)
    record = ModelRegistry.record_verdict

    def record_late(
        self: ModelRegistry, name: str, number: int, verdict: Verdict, *, scores: bytes | None = None
    ) -> KeptVerdict:
        kept = record(self, name, number, verdict, scores=scores)
        if self.aliases(name)["champion"] == 1:
            self.promote(name, 2, reason="by another sweep")
        return kept

    monkeypatch.setattr(ModelRegistry, "record_verdict", record_late)
    verdict = judge(registry, 3)
    assert verdict.champion is not None
    assert verdict.champion["version"] == 2
    assert registry.verdict("ctr", 3) == verdict


INTERRUPTED = """
import signal, sys
from tracking import ModelRegistry
from tracking.gate import Gate, gate_settings
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
gate = Gate(ModelRegistry(sys.argv[1]), gate_settings({"scorer": "scored_versions.score"}), say=print)
gate.judge("ctr", 2)
"""


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_the_scoring_process_ends_with_the_one_that_asked_it(
    registry: ModelRegistry, store: Path, by: signal.Signals
) -> None:
    add_version(registry, store, fault="hangs")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", INTERRUPTED, str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    assert b"loads v2" in process.stdout.readline()
    (child,) = wait_for_children(process.pid)
    process.send_signal(by)
    process.communicate()
    wait_for_the_end(child)
    assert kinds(registry) == ["registered", "promoted", "registered"]


def wait_for_children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while not (found := children.read_text().split()):
        time.sleep(0.01)
    return [int(each) for each in found]


def wait_for_the_end(pid: int) -> None:
    def is_alive() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    while is_alive():
        time.sleep(0.01)


def test_the_parent_loads_no_library_of_numbers(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2)
    code = INTERRUPTED + "assert not {'numpy', 'scipy', 'torch'} & set(sys.modules)"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code, str(store)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "the gate loads v2 and the champion v1 ...",
        "judging v2 against the champion v1 on 4,000 rows ...",
    ]


def test_two_judgements_of_the_same_give_the_same_bytes_of_scores(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.0, own=2)
    file = store / "models" / "ctr" / "v2" / "scores.npz"
    judge(registry, 2)
    before = file.read_bytes()
    judge(registry, 2, alpha=0.04)
    assert file.read_bytes() == before
    assert np.isfinite(read_scores(file)["challenger"]).all()


def test_an_event_says_who_judged(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.0, own=2)
    judge(registry, 2)
    told = [event for event in registry.history("ctr") if event.kind is EventKind.LOOKED]
    assert [(event.by, event.version, event.look) for event in told] == [("me", 2, 1)]


class Rerun(ModuleType):
    """Stands for the part that makes runs again."""

    def __init__(self, *, is_reproduced: bool | None) -> None:
        super().__init__("tracking.rerun")
        self.asked: list[tuple[str, Path]] = []
        self.is_reproduced = is_reproduced

    def rerun(self, run_id: str, store: Path) -> Any:
        self.asked.append((run_id, store))
        if self.is_reproduced is None:
            raise InvalidValueError("its commit is gone")
        return SimpleNamespace(is_reproduced=self.is_reproduced, sentence=f"{run_id} was compared")


@pytest.mark.parametrize("is_reproduced", [True, False, None])
def test_a_run_that_must_be_made_again_is_once_everything_else_passes(
    registry: ModelRegistry, store: Path, monkeypatch: pytest.MonkeyPatch, is_reproduced: bool | None
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    add_version(registry, store, skill=0.6, own=3)
    part = Rerun(is_reproduced=is_reproduced)
    monkeypatch.setitem(sys.modules, "tracking.rerun", part)
    assert not judge(registry, 3, require_rerun=True).promote
    assert part.asked == []
    verdict = judge(registry, 2, require_rerun=True)
    assert part.asked == [("run_002", store)]
    assert verdict.promote is (is_reproduced is True)
    said = "could not be made again: its commit is gone" if is_reproduced is None else "run_002 was compared"
    assert any(said in each for each in verdict.reasons)
    judge(registry, 2, require_rerun=True)
    again = 1 if is_reproduced else 2  # what failed may be mended
    assert len(part.asked) == again
    assert kinds(registry).count("looked") == 2


def test_a_version_that_somebody_has_taken_back_is_not_promoted_again(
    registry: ModelRegistry, store: Path
) -> None:
    add_version(registry, store, skill=1.5, own=2)
    promoted = judge(registry, 2)
    assert promoted.promote
    registry.rollback("ctr", reason="worse on mobile", by="anna")
    refused = judge(registry, 2)
    assert refused.reasons == ("version 2 was rolled back by anna: worse on mobile; promote it by hand",)
    assert registry.aliases("ctr") == {"champion": 1}
    registry.archive("ctr", 2, reason="of no use")
    assert judge(registry, 2, alpha=0.04).reasons == ("version 2 is archived",)
    assert kinds(registry).count("looked") == 1
    assert registry.verdict("ctr", 2) == promoted


def test_a_scorer_that_reads_from_stdin_finds_nothing(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2, fault="asks")
    assert judge(registry, 2).promote


def test_a_promotion_replaces_the_champion_that_was_judged_or_none(
    registry: ModelRegistry, store: Path
) -> None:
    for own in (2, 3):
        add_version(registry, store, skill=1.5, own=own)
    for instead_of, now in ((2, "version 1, not version 2"), (None, "version 1, not none")):
        with pytest.raises(
            ChampionChangedError, match=f"the champion of 'ctr' is {now}: judge version 3 again"
        ):
            registry.promote("ctr", 3, reason="better", instead_of=instead_of)
    assert kinds(registry).count("promoted") == 1
    registry.promote("ctr", 3, reason="better", instead_of=1)
    registry.promote("ctr", 3, reason="better", instead_of=1)  # it is already
    assert registry.aliases("ctr") == {"champion": 3}
    assert kinds(registry).count("promoted") == 2


def test_a_comparison_that_fails_has_spent_its_look_and_says_so(registry: ModelRegistry, store: Path) -> None:
    add_version(registry, store, skill=1.5, own=2, fault="dies later")
    verdict = judge(registry, 2, rules={"not_worse": {"latency_p95": "50%"}})
    assert not verdict.promote
    assert verdict.reasons[0] == "the two versions could not be compared: its process ended with exit code 6"
    assert verdict.facts["look"]["number"] == 1
    assert kinds(registry)[-2:] == ["looked", "refused"]


@pytest.mark.parametrize("asked", [{"alpha": 0.9}, {"looks": 2}, {"alpha": 0.9, "looks": 10}])
def test_a_level_cannot_be_bought_after_the_first_look(
    registry: ModelRegistry, store: Path, asked: dict[str, Any]
) -> None:
    judge(registry, add_version(registry, store, skill=0.6, own=2).version)
    late = add_version(registry, store, skill=1.5, own=3).version
    refused = judge(registry, late, **asked)
    assert not refused.promote
    assert refused.reasons[0].startswith(
        "the looks at these rows are counted with alpha 0.05 and no plan since 20"
    )
    assert refused.reasons[0].endswith("as asked; judge by new rows to change them")
    assert refused.facts["look"] is None
    assert refused.facts["split"]["rows"] == ROWS
    assert kinds(registry).count("looked") == 1
    found = judge(registry, late)
    assert found.promote
    assert found.facts["look"]["number"] == 2


def test_rows_of_a_file_that_decided_before_go_on_being_counted_and_the_verdict_says_it(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    def judged_by(rows: list[int]) -> Verdict:
        (tmp_path / "rows.txt").write_text("\n".join(map(str, rows)))
        return judge(registry, 2, split=str(tmp_path / "rows.txt"))

    add_version(registry, store, skill=0.6, own=2)
    first = judged_by([*range(1000)])
    assert judged_by([*reversed(range(1000))]) == first, "the same rows in another order"
    less = judged_by([*range(1, 1000)])
    assert less.facts["look"] | {"level": None} == {
        "number": 2, "alpha": 0.05, "level": None, "planned": None, "of": first.facts["split"]["hash"], "overlap": 1.0,
    }  # fmt: skip
    told = f"100% of these rows were looked at before, as rows of the split {first.facts['split']['hash'][:12]}: "
    assert any(each.startswith(told) for each in less.reasons)
    assert judged_by([*range(500, 1500)]).facts["look"]["number"] == 3
    new = judged_by([*range(2000, 3000)])
    assert new.facts["look"]["number"] == 1
    assert not any("looked at before" in each for each in new.reasons)
    assert "row_hash" not in new.facts["split"]
