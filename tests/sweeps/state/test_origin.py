"""A recorded command is run again for the user who started it, and only shown to others."""

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import SweepError
from sweeps.plan.plan import Plan
from sweeps.state.origin import is_own, key_path, require_own, signed
from tracking.files import read_json, write_json

OBJECTIVE = {"metric": "loss", "mode": "min", "at": "best"}
PLAN = Plan(
    "mine", "2026-01-31T09:30:00+00:00", ("/usr/bin/python", "app.py", "-m", "name='é'"), ("x",), OBJECTIVE, None, 1,
    cwd="/home/me", store="/home/me/experiments", store_key="store",
)  # fmt: skip


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for this user's key alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_plan_is_own_after_it_was_written_and_read(tmp_path: Path) -> None:
    assert not is_own(PLAN)
    signed(PLAN).save(tmp_path / "plan.json")
    assert is_own(Plan.read(tmp_path / "plan.json"))
    mode = key_path().stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert signed(PLAN) == signed(PLAN)


@pytest.mark.parametrize(
    "change",
    [
        {"command": ("/bin/sh", "-c", "touch pwned")},
        {"command": (*PLAN.command, "x=2")},
        {"cwd": "/tmp"},
        {"sweep": "other"},
        {"store": "/elsewhere"},
        {"store_key": "hydra.job.chdir"},
        {"signature": None},
        {"signature": "0" * 64},
        {"signature": 1},
        {"signature": "é"},
    ],
)
def test_a_plan_that_was_changed_is_not(change: dict[str, Any]) -> None:
    plan = signed(PLAN)
    assert is_own(plan)
    assert not is_own(replace(plan, **change))


def test_a_plan_of_another_user_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = signed(PLAN)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert not is_own(theirs)
    assert is_own(signed(PLAN))
    assert not is_own(theirs)


@pytest.mark.parametrize("fault", ["readable", "short", "a link", "a folder"])
def test_a_key_that_others_may_know_is_none(fault: str) -> None:
    plan, key = signed(PLAN), key_path()
    if fault == "readable":
        key.chmod(0o640)
    elif fault == "short":
        key.write_bytes(key.read_bytes()[:16])
    else:
        key.rename(key.with_name("kept"))
        key.symlink_to("kept") if fault == "a link" else key.mkdir()
    assert not is_own(plan)
    assert signed(PLAN).signature is None


def test_without_a_place_for_a_key_a_plan_is_unsigned(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.write_text("a file, not a folder")
    assert signed(PLAN) == PLAN
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", _no_home)
    assert signed(PLAN) == PLAN


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_the_refusal_shows_the_command_and_how_to_run_it(tmp_path: Path) -> None:
    with pytest.raises(SweepError) as refusal:
        require_own(PLAN, tmp_path / "sweeps" / "mine")
    assert "cd /home/me && /usr/bin/python app.py -m 'name='\"'\"'é'" in str(refusal.value)
    assert f"python -m sweeps resume mine --store {tmp_path} --yes" in str(refusal.value)


def test_a_sweep_of_this_user_is_resumed_without_a_question(sweep: Callable, podium: Callable) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.name=mine")
    assert is_own(Plan.read(result.dir / "plan.json"))
    assert podium("resume", "mine").code == 0


@pytest.mark.parametrize("origin", ["forged", "older", "foreign"])
def test_the_command_of_a_sweep_from_elsewhere_is_shown_and_run_when_asked(
    sweep: Callable, podium: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.name=mine")
    path = result.dir / "plan.json"
    plan = read_json(path)
    if origin == "foreign":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    else:
        del plan["signature"]
    if origin == "forged":
        plan["command"] = ["/bin/sh", "-c", "touch pwned", "\x1b[31m"]
    write_json(path, plan)
    refused = podium("resume", "mine")
    assert refused.code == 1
    assert refused.out == ""
    assert refused.err.startswith("sweeps: mine: its recorded command is not run")
    assert refused.err.count("\n") == 1
    assert "\x1b" not in refused.err
    assert not (tmp_path / "pwned").exists()
    if origin != "forged":
        assert podium("resume", "mine", "--yes").code == 0


def test_processes_that_start_at_once_share_one_key() -> None:
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            os._exit(not is_own(signed(PLAN)))
        children.append(child)
    assert {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children} == {0}
    assert [path.name for path in key_path().parent.iterdir()] == ["key"]
