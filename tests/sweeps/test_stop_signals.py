"""A signal that comes while no job runs ends the sweep with the way to resume it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.errors import SweepInterruptedError
from sweeps.ranking.exit_errors import resumable
from sweeps.stop_signals import STOPPING, Interruptions

HANDLED = {number: signal.getsignal(number) for number in STOPPING}


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_before_or_after_the_jobs_says_how_to_resume(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    folder = tmp_path / "sweeps" / "mine"
    (folder / "plan.json").touch()
    closed = []

    def sweep() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)  # an impatient user does not cut off what the first one closes
            closed.append(True)

    with pytest.raises(SweepInterruptedError) as stopped, resumable(folder):
        sweep()
    assert closed
    hint = f"resume with: python -m sweeps resume mine --store {tmp_path}"
    assert str(stopped.value) == f"stopped by {number.name}; {hint}"
    assert stopped.value.exit_code == 128 + number
    assert {number: signal.getsignal(number) for number in STOPPING} == HANDLED


def test_a_signal_among_the_jobs_is_heard_there(tmp_path: Path) -> None:
    said: list[str] = []
    with resumable(tmp_path):
        interruptions = Interruptions(lambda: said.append("stop"), said.append)
        with interruptions.heard():
            os.kill(os.getpid(), signal.SIGTERM)
    assert interruptions.last is signal.SIGTERM
    assert len(said) == 2


def test_a_sweep_that_is_stopped_while_it_is_planned_leaves_its_name_free(
    run_script: Callable, tmp_path: Path
) -> None:
    script = """
import os, signal
import hydra
from hydra.core.config_store import ConfigStore

node = {"defaults": ["_self_", {"override hydra/sweeper": "podium"}, {"override hydra/launcher": "podium"}], "x": 1}


def check(cfg):
    os.kill(os.getpid(), signal.SIGTERM)


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(cfg):
    return 1.0


if __name__ == "__main__":  # the check imports this once more, and Hydra 1.4 warns of a config that is stored twice
    ConfigStore.instance().store(name="config", node=node)
    main()
"""
    answer = run_script(script, "-m", "x=1,2", "hydra.sweeper.name=mine", "hydra.sweeper.check=app.check")
    assert answer.returncode == 128 + signal.SIGTERM
    assert answer.stderr == "stopped by SIGTERM; no job was started and nothing is kept\n"
    assert not (tmp_path / "experiments" / "sweeps" / "mine").exists()
