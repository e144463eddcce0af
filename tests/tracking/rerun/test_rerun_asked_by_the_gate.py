"""The gate asks that the run of a challenger can be made again: of a result that the run keeps, else by making it."""

from dataclasses import replace
from pathlib import Path

import pytest
from rerun_project import TRAIN, commit, run

from tracking import ModelRegistry, Verdict
from tracking.gate import Gate, gate_settings
from tracking.rerun import Likeness, Noise, rerun, results_of, standing_rerun
from tracking.rerun.result import keep
from tracking.store.store import Store

SAVED = TRAIN + '    (run.artifacts_dir / "model.json").write_text("{}")\n'
BY_CHANCE = "import random\nscale = 0.5 + random.SystemRandom().random() / 10\n"


@pytest.fixture
def registry(repo: Path, store: Path) -> ModelRegistry:
    """A champion, and a challenger with less loss."""
    (repo / "train.py").write_text(SAVED)
    commit(repo)
    return judged_runs(repo, store)


def judged_runs(repo: Path, store: Path) -> ModelRegistry:
    registry = ModelRegistry(store)
    for number, rate in enumerate(("0.9", "0.1"), 1):
        run(repo, "train.py", rate, "--seed", "3")
        run_id = f"run_{number:03}"
        value = Store(store).scan.record(Store(store).require(run_id)).last_values["loss"]
        objective = {"metric": "loss", "mode": "min", "value": value}
        registry.register("m", run_id, files=["model.json"], objective=objective)
    registry.promote("m", 1, reason="the first")
    return registry


def judge(registry: ModelRegistry) -> tuple[Verdict, list[str]]:
    said: list[str] = []
    gate = Gate(registry, gate_settings({"require_rerun": True}), say=said.append)
    return gate.judge("m", 2), said


def runs(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "runs").iterdir())


def rule(verdict: Verdict) -> dict[str, object]:
    (found,) = (each for each in verdict.facts["rules"] if each["rule"] == "rerun")
    return dict(found)


def test_a_run_that_differs_when_it_is_made_again_is_refused_with_the_reason(repo: Path, store: Path) -> None:
    (repo / "train.py").write_text(SAVED)
    (repo / "steps.py").write_text(BY_CHANCE)
    commit(repo)
    registry = judged_runs(repo, store)

    verdict, said = judge(registry)

    assert not verdict.promote
    assert registry.aliases("m") == {"champion": 1}
    assert verdict.reasons[0].startswith("run_003 differs from run_002: loss is ")
    assert ", was " in verdict.reasons[0]
    assert verdict.sentence.startswith(
        "v2 of m is not promoted over v1: run_003 differs from run_002: loss is "
    )
    assert rule(verdict)["passes"] is False
    assert said == ["making the run run_002 of v2 again ..."]
    assert registry.history("m")[-1].reason == verdict.sentence
    # a kept result that differs is no last word
    assert judge(registry)[1] == said
    assert runs(store) == ["run_001", "run_002", "run_003", "run_004"]


def test_a_run_that_was_made_again_already_is_not_made_once_more(
    registry: ModelRegistry, store: Path
) -> None:
    kept = rerun("run_002", store)
    assert standing_rerun("run_002", store) == kept

    verdict, said = judge(registry)

    assert verdict.promote
    told = (
        f"run_003 repeats run_002 to the last digit: 3 points (made again by {kept.by} on {kept.at:%Y-%m-%d})"
    )
    assert rule(verdict) | {"reason": told, "passes": True} == rule(verdict)
    assert said == []
    assert runs(store) == ["run_001", "run_002", "run_003"]


def test_a_run_that_was_never_made_again_is_made_and_promoted(registry: ModelRegistry, store: Path) -> None:
    verdict, said = judge(registry)
    assert verdict.promote
    assert rule(verdict)["reason"] == "run_003 repeats run_002 to the last digit: 3 points"
    assert said == ["making the run run_002 of v2 again ..."]


@pytest.mark.parametrize(
    "why", ["the present code ran", "the config changed", "an older version", "newer than it"]
)
def test_a_kept_result_of_something_else_does_not_stand(
    registry: ModelRegistry, repo: Path, store: Path, why: str
) -> None:
    paths = Store(store).paths.run("run_002")
    kept = rerun("run_002", store, here=why == "the present code ran")
    assert kept.verdict is Likeness.IDENTICAL
    if why == "the config changed":
        paths.config.write_text("rate: 7\n")
    elif why == "an older version":
        keep(paths, replace(kept, made_from=None))
    elif why == "newer than it":
        Store(store).amend("run_002", lambda _: {"finished_at": "2999-01-01T00:00:00+00:00"})
    assert standing_rerun("run_002", store) is None
    assert standing_rerun("run_001", store) is None


@pytest.mark.parametrize(("metric", "is_asked_again"), [("loss", False), ("accuracy", True)])
def test_noise_counts_where_it_is_that_of_the_objective(
    registry: ModelRegistry, store: Path, metric: str, is_asked_again: bool
) -> None:
    noise = Noise(metric, 0.5, (0.4, 0.6), 0.1, 0.9, ("run_004", "run_005"), (4, 5))
    within = replace(rerun("run_002", store), verdict=Likeness.WITHIN_NOISE, noise=noise)
    keep(Store(store).paths.run("run_002"), within)
    assert results_of(Store(store).paths.run("run_002"))[-1] == within
    assert bool(judge(registry)[1]) is is_asked_again
