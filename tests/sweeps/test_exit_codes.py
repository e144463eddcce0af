"""A sweep ends with the code that its jobs deserve, also when it is resumed and nothing is left to run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from quadratic import Sweep

# The app returns nothing when it tracks; the metric is what is ranked.
RETURNS_NOTHING = ("-m", "x=1,2", "hydra.sweeper.objective.metric=null", "hydra.sweeper.name=mine")
PROMOTES = ("hydra.sweeper.promotion.promote=true", "hydra.sweeper.promotion.model_name=m")


@pytest.mark.parametrize("more", [(), ("hydra.sweeper.repeat=2",)])
def test_jobs_that_return_nothing_completed_when_nothing_was_asked_for(
    sweep: Callable, podium: Callable, more: tuple[str, ...]
) -> None:
    result = sweep(*RETURNS_NOTHING, "fault=none", *more)
    assert result.code == 0, result.err
    assert "nothing to rank: no job returned a number; return one from the task" in result.out
    assert {(row["status"], row["error"], row["rank"]) for row in result.rows} == {("completed", None, None)}
    again = podium("resume", "mine")
    assert again.code == 0, again.err
    assert "nothing to rank" in again.out


def test_what_was_logged_is_named_to_choose_from(sweep: Callable) -> None:
    assert "objective.metric; logged: loss, test_loss" in sweep(*RETURNS_NOTHING).out


def test_a_failure_is_one_without_a_ranking_too(sweep: Callable) -> None:
    result = sweep(*RETURNS_NOTHING, "fault=none,raise")
    assert result.code == 1
    assert "nothing to rank" in result.out
    assert "2 of 4 jobs failed" in result.err


def test_a_winner_that_was_asked_for_and_cannot_be_found_is_an_error(
    sweep: Callable, podium: Callable
) -> None:
    for result in (sweep(*RETURNS_NOTHING, *PROMOTES), podium("resume", "mine")):
        assert result.code == 1
        assert "no job returned a number to choose the winner by" in result.err
        assert not (result.dir / "promotion.json").exists()


def test_numbers_that_cannot_be_ranked_stay_an_error(sweep: Callable) -> None:
    result = sweep("-m", "x=inf,nan", "track=false", "hydra.sweeper.objective.metric=null")
    assert result.code == 1
    assert "none of 2 completed jobs has a finite objective to rank by" in result.err


def test_some_jobs_that_return_nothing_are_named_beside_those_that_do(sweep: Callable) -> None:
    result = sweep("-m", "track=true,false", "x=1", "hydra.sweeper.objective.metric=null")
    assert result.code == 0, result.err
    assert [(row["rank"], row["error"]) for row in result.rows] == [
        (1, None),
        (None, "no finite objective to rank by"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("fault=none,raise",), 1),
        (("fault=none,raise", "hydra.sweeper.max_failures=1"), 0),
        (("fault=none,raise", "hydra.sweeper.max_failures=0.4"), 1),
        (("fault=raise",), 1),
        (("x=1,2", "hydra.sweeper.objective.metric=val_auc"), 1),
        (("x=1,2",), 0),
    ],
)
def test_a_resumed_sweep_with_nothing_to_do_ends_as_it_had_ended(
    sweep: Callable, podium: Callable, arguments: tuple[str, ...], code: int
) -> None:
    first: Sweep = sweep("-m", *arguments, "hydra.sweeper.name=mine")
    again: Sweep = podium("resume", "mine")
    assert (first.code, again.code) == (code, code)
    assert "nothing to do" in again.out
    assert again.err == first.err


def test_apps_without_a_config_end_with_0(tmp_path: Path, run_script: Callable) -> None:
    script = """
import hydra

@hydra.main(version_base=None, config_path=None)
def main(cfg):
    print(cfg)

if __name__ == "__main__":
    main()
"""
    for more in ((), ("hydra/callbacks=podium",), ("hydra/launcher=basic",)):
        result = run_script(script, "-m", "hydra/sweeper=podium", "hydra/launcher=podium", "+x=1,2", *more)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""


RETURNS_SEVERAL = """
import hydra


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(cfg):
    return {"loss": 0.5 / cfg.x, "acc": 0.1 * cfg.x}


if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore

    node = {"defaults": ["_self_", {"override hydra/sweeper": "podium"}, {"override hydra/launcher": "podium"}], "x": 1}
    ConfigStore.instance().store(name="config", node=node)
    main()
"""


def test_named_values_need_no_ranking_and_the_named_one_is_ranked_when_the_sweep_is_resumed(
    run_script: Callable, podium: Callable, tmp_path: Path
) -> None:
    first = run_script(RETURNS_SEVERAL, "-m", "x=1,2", "hydra.sweeper.name=mine")
    assert first.returncode == 0, first.stderr
    hint = "python -m sweeps resume mine hydra.sweeper.objective.metric=acc"
    assert hint in first.stdout
    again = podium(*hint.split()[3:])
    assert again.code == 0, again.err
    assert "ranked by acc from now on" in again.out
    assert [(row["rank"], row["job"], row["objective"]) for row in again.rows] == [(1, 1, 0.2), (2, 0, 0.1)]
    assert [row["rank"] for row in podium("resume", "mine").rows] == [1, 2]
    other = podium("resume", "mine", "hydra.sweeper.objective.metric=loss")
    assert other.code == 1
    assert "objective.metric: acc -> loss" in other.err
