"""`judge` asks the gate by hand: the keys are those of a sweep, the exit code is the decision."""

import json
from pathlib import Path

import pytest
from command_line import Say
from scored_versions import add_version

from tracking import ModelRegistry


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
    first, second, sentence, *_, last = told.splitlines()
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
