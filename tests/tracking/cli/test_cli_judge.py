"""`judge` asks the gate by hand: the keys are those of a sweep, the exit code is the decision."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Say
from scored_versions import add_version

from tracking import ModelRegistry, Verdict, job_context
from tracking.gate import Gate, gate_settings
from tracking.gate.earlier import earlier_settings


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PODIUM_STORE", str(tmp_path / "experiments"))
    registry = ModelRegistry(tmp_path / "experiments")
    add_version(registry, tmp_path / "experiments", value=0.7, skill=0.6, own=1)
    registry.promote("ctr", 1, reason="the first")
    add_version(registry, tmp_path / "experiments", value=0.8, skill=1.5, own=2)
    return tmp_path / "experiments"


def test_a_version_is_judged_on_rows_and_promoted(store: Path, say: Say) -> None:
    code, told, _ = say(
        "judge", "ctr@2", "--scorer", "scored_versions.score", "--set", "rules.not_worse.log_loss=1%", "--set", "draws=200"
    )  # fmt: skip
    assert code == 0
    whose, first, second, sentence, *_, last = told.splitlines()
    assert whose == "settings: the defaults"
    assert first == "the gate loads v2 and the champion v1 ..."
    assert second == "judging v2 against the champion v1 on 4,000 rows ..."
    assert sentence.startswith("v2 of ctr is promoted over v1: auc is 0.78")
    assert last == f"All of it: python -m tracking verdict ctr@2 --store {store}"
    assert ModelRegistry(store).aliases("ctr") == {"champion": 2}


def test_a_refusal_is_exit_code_1(store: Path, say: Say) -> None:
    code, told, _ = say("judge", "ctr", "2", "--set", "rules.min_gain=0.2", "--by", "me", "--json")
    assert code == 1
    verdict = json.loads(told)
    assert (verdict["promote"], verdict["basis"], verdict["by"]) == (False, "recorded", "me")
    assert "a gain of 0.1, at least 0.2 is asked" in verdict["sentence"]
    assert verdict["settings"]["rules"]["min_gain"] == 0.2


@pytest.mark.parametrize(("words", "said"), [
    (["--set", "rules.min_gain"], "write KEY=VALUE"),
    (["--set", "rules.min_gain=x"], "rules.min_gain='x': allowed is a finite number"),
    (["--set", "rules=3", "--set", "rules.min_gain=1"], "rules has a value already"),
    (["--set", "colour=1"], "colour: unknown key"),
    (["--set", "rules.superiority=null"], "rules.superiority=null: allowed are true and false"),
])  # fmt: skip
def test_settings_that_cannot_work_are_refused(store: Path, say: Say, words: list[str], said: str) -> None:
    code, _, told = say("judge", "ctr@2", *words)
    assert code == 2
    assert said in told
    assert ModelRegistry(store).verdict("ctr", 2) is None


def test_a_judgement_that_compares_nothing_ends_with_what_stays(store: Path, say: Say) -> None:
    assert say("judge", "ctr@1")[1].splitlines()[-1] == "Nothing was compared, and no verdict is kept."
    assert say("judge", "ctr@2")[0] == 0
    code, told, _ = say("judge", "ctr@2")
    assert code == 1
    assert "version 2 already is the champion" in told
    stays = (
        f"Nothing was compared; the verdict of before stays: python -m tracking verdict ctr@2 --store {store}"
    )
    assert told.splitlines()[-1] == stays
    assert say("rollback", "ctr", "--why", "worse")[0] == 0
    code, told, _ = say("judge", "ctr@2")
    assert "was rolled back" in told
    assert told.splitlines()[-1] == stays


def test_a_judgement_that_fails_is_kept_beside_the_one_that_counts(store: Path, say: Say) -> None:
    rules = ["--set", "rules.min_gain=0.4", "--set", "draws=200"]
    assert say("judge", "ctr@2", "--scorer", "scored_versions.score", *rules)[0] == 1
    code, told, _ = say("judge", "ctr@2", "--set", "cluster=planet", *rules)
    assert code == 1
    assert told.splitlines()[-1] == f"All of it: python -m tracking verdict ctr@2 --number 2 --store {store}"
    assert "auc is" in say("verdict", "ctr@2")[1]
    found = ModelRegistry(store).verdicts("ctr", 2)
    assert [(each.compared, each.counts) for each in found] == [(True, True), (False, False)]
    refused = [each.verdict for each in ModelRegistry(store).history("ctr") if each.kind == "refused"]
    assert refused == [each.sha256 for each in found]
    assert say("verify", "ctr")[0] == 0
    history = store / "models" / "ctr" / "events.jsonl"
    history.write_text("".join(line for line in history.read_text().splitlines(True) if "looked" not in line))
    code, _, told = say("verify", "ctr")
    assert code == 1
    assert "the history has no such look" in told
    assert "ctr, its history" in told
    assert "changed or removed" in told


def test_the_same_comparison_returns_its_verdict_though_another_counts(store: Path, say: Say) -> None:
    words = ["judge", "ctr@2", "--scorer", "scored_versions.score", "--set", "draws=200", "--json", "--set"]
    first = json.loads(say(*words, "rules.min_gain=0.4")[1])
    second = json.loads(say(*words, "rules.min_gain=0.5")[1])
    assert first["look"]["number"], second["look"]["number"] == (1, 2)
    assert json.loads(say(*words, "rules.min_gain=0.4")[1]) == first
    assert [each.counts for each in ModelRegistry(store).verdicts("ctr", 2)] == [False, True]


def test_a_version_is_judged_again_as_it_was_judged_before(store: Path, say: Say) -> None:
    say(
        "judge",
        "ctr@2",
        "--scorer",
        "scored_versions.score",
        "--set",
        "draws=200",
        "--set",
        "rules.min_gain=0.4",
    )
    code, told, _ = say("judge", "ctr@2", "--set", "draws=300")
    assert code == 1
    assert told.splitlines()[0] == "settings: those of the verdict on v2"
    asked = ModelRegistry(store).verdict("ctr", 2).facts["settings"]
    assert (asked["scorer"], asked["draws"], asked["rules"]["min_gain"]) == (
        "scored_versions.score",
        300,
        0.4,
    )


def test_a_version_is_judged_as_its_sweep_asked(store: Path, say: Say) -> None:
    registry = ModelRegistry(store)
    with job_context(sweep="s1", job=1, key="k", config_hash="h"):
        add_version(registry, store, value=0.9, skill=0.6, own=5)
    gate = gate_settings({"scorer": "scored_versions.score", "draws": 200}).to_json()
    decision = {"model_name": "ctr", "version": 3, "gate": gate}
    (store / "sweeps" / "s1").mkdir(parents=True)
    (store / "sweeps" / "s1" / "promotion.json").write_text(json.dumps(decision))
    code, told, _ = say("judge", "ctr@3")
    assert code == 1
    assert told.splitlines()[0] == "settings: those of the sweep s1"
    assert registry.verdict("ctr", 3).basis == "scores"


def test_a_challenger_without_settings_is_judged_as_the_champion_was(store: Path, say: Say) -> None:
    say("judge", "ctr@2", "--scorer", "scored_versions.score", "--set", "draws=200")
    add_version(ModelRegistry(store), store, value=0.99, skill=1.4, own=3)
    code, told, _ = say("judge", "ctr@3")
    assert code == 1
    assert told.splitlines()[0] == "settings: those of the champion's verdict (v2)"
    assert ModelRegistry(store).verdict("ctr", 3).basis == "scores"


def test_recorded_values_decide_where_nothing_else_is_known_and_it_is_said_first(
    store: Path, say: Say
) -> None:
    _, told, _ = say("judge", "ctr@2")
    assert told.splitlines()[0] == (
        "settings: the defaults; recorded values decide, because no scorer is known: give one with --scorer"
    )


def test_recorded_values_undo_no_refusal_by_scores_unless_they_are_insisted_on(store: Path, say: Say) -> None:
    registry = ModelRegistry(store)
    add_version(registry, store, value=0.99, skill=0.6, own=3)
    say("judge", "ctr@3", "--scorer", "scored_versions.score", "--set", "draws=200")
    by_scores = registry.verdict("ctr", 3)
    by_values = Gate(registry, gate_settings({})).judge("ctr", 3)
    assert not by_values.promote
    assert "the gate has refused version 3 by scores" in by_values.sentence
    assert registry.verdict("ctr", 3) == by_scores
    assert registry.aliases("ctr") == {"champion": 1}
    code, told, _ = say("judge", "ctr@3", "--recorded")
    assert code == 0
    assert "settings: those of the verdict on v3; recorded values decide, as --recorded asks" in told
    assert (
        "v3 of ctr is promoted over v1 by recorded values, although the gate has refused it by scores" in told
    )


def test_recorded_values_need_no_scorer(store: Path, say: Say) -> None:
    code, _, told = say("judge", "ctr@2", "--recorded", "--scorer", "scored_versions.score")
    assert code == 2
    assert "--recorded scores nothing" in told


def test_an_imported_version_brings_no_scorer_along(store: Path) -> None:
    registry = ModelRegistry(store)
    kept = Verdict(False, "No.", ("no",), "scores", {"settings": {"scorer": "os.system"}})
    registry.record_verdict("ctr", 2, kept)
    version = registry.version("ctr", 2)
    assert earlier_settings(registry, version).settings.scorer == "os.system"
    assert earlier_settings(registry, replace(version, origin={"store": "other"})) is None


def test_a_model_of_the_trainers_is_judged_as_its_sweeps_are(store: Path) -> None:
    version = replace(ModelRegistry(store).version("ctr", 2), loader="trainer:load_model")
    settings = earlier_settings(ModelRegistry(store), version).settings
    assert settings.scorer == "trainer.promotion.score"
    assert settings.rules.thresholds == {"val_auc": 0.6}


def test_a_former_champion_that_was_judged_again_says_what_promoted_it(store: Path, say: Say) -> None:
    scored = ["--scorer", "scored_versions.score", "--set", "draws=200"]
    registry = ModelRegistry(store)
    day = f"{registry.history('ctr')[0].at:%Y-%m-%d}"
    assert say("judge", "ctr@2", *scored)[0] == 0
    assert "promoted it" not in say("verdict", "ctr@2")[1]
    add_version(registry, store, value=0.9, skill=3.0, own=3)
    assert say("judge", "ctr@3", *scored)[0] == 0
    assert say("judge", "ctr@2", *scored)[0] == 1  # against version 3
    assert say("judge", "ctr@1", *scored)[0] == 1
    told = say("verdict", "ctr@2")[1]
    assert "NOT PROMOTED: ctr, version 2" in told
    assert f"\nAnother verdict promoted it on {day}; --number 1 shows it.\n" in told
    assert "PROMOTED: ctr, version 2" in say("verdict", "ctr@2", "--number", "1")[1]
    assert "promoted it" not in say("verdict", "ctr@2", "--number", "1")[1]
    (by,) = {event.by for event in registry.history("ctr") if event.reason == "the first"}
    assert f"\n{by} promoted it on {day}: the first\n" in say("verdict", "ctr@1")[1]


def test_a_version_that_was_never_promoted_says_nothing_of_a_promotion(store: Path, say: Say) -> None:
    assert say("judge", "ctr@2", "--set", "rules.min_gain=0.4")[0] == 1
    assert "promoted it" not in say("verdict", "ctr@2")[1]
    say("promote", "ctr@2", "--why", "we need it", "--by", "ann")
    assert "ann promoted it on" in say("verdict", "ctr@2")[1]


def test_a_promotion_whose_verdict_is_gone_says_so(store: Path, say: Say) -> None:
    assert say("judge", "ctr@2", "--set", "rules.min_gain=0.05")[0] == 0
    assert say("rollback", "ctr", "--why", "try")[0] == 0
    assert say("promote", "ctr@1", "--why", "stays")[0] in (0, 1)
    registry = ModelRegistry(store)
    version = registry.version("ctr", 2)
    (version.path / "verdicts" / "001.json").unlink()
    (version.path / "verdict.json").unlink()
    registry.record_verdict("ctr", 2, Verdict(False, "Worse.", ("worse",)))
    assert "Another verdict promoted it on" in (told := say("verdict", "ctr@2")[1])
    assert "; it is not kept." in told
