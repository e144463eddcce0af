"""What lies in the place of a sweep's files costs that sweep, or that file, alone; nothing is waited for or followed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sockets import put_socket
from written import write_sweep

from sweeps.cli.app import main
from sweeps.errors import SweepError
from sweeps.state.lock import await_jobs, hold_as_job, locked
from tracking.process.announcements import announced


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir()


def a_socket(path: Path) -> None:
    put_socket(path)


odd = pytest.mark.parametrize("put", [pipe, device, loop, folder, a_socket])


@odd
def test_a_sweep_whose_lock_is_no_file_is_named_and_the_others_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], put: Callable[[Path], None]
) -> None:
    write_sweep(tmp_path, [{"x": 1}], name="good")
    put(write_sweep(tmp_path, [{"x": 1}], name="odd") / "sweep.lock")
    assert main(["list", "--json", "--store", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert [each["sweep"] for each in json.loads(out)] == ["good"]
    assert "left out: odd: cannot lock" in err
    assert main(["show", "odd", "--store", str(tmp_path)]) == 1
    assert main(["leaderboard", "odd", "--store", str(tmp_path)]) == 0


@pytest.mark.parametrize("name", ["sweep.lock", "jobs.lock"])
def test_a_lock_that_is_a_link_leaves_what_it_leads_to_alone(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / name).symlink_to(outside)
    for hold in (
        (hold_as_job, await_jobs) if name == "jobs.lock" else (lambda path: locked(path).__enter__(),)
    ):
        with pytest.raises(SweepError, match="is a link, and links are not followed"):
            hold(sweep)
    assert outside.read_text() == "precious"


@odd
@pytest.mark.parametrize("option", [[], ["--tail", "2"], ["--follow"], ["--json"]])
def test_a_log_that_is_no_file_is_one_line_of_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], put: Callable[[Path], None], option: list[str]
) -> None:
    job = write_sweep(tmp_path, [{"x": 1}], name="mine") / "jobs" / "0"
    job.mkdir(parents=True)
    put(job / "output.log")
    assert main(["logs", "mine", "0", *option, "--store", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@odd
def test_runs_announced_in_no_file_are_none(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "runs.jsonl")
    assert announced(tmp_path, 1) == []


@pytest.mark.parametrize("linked", ["sweeps", "sweeps/mine", "sweeps/mine/jobs", "sweeps/mine/jobs/0"])
def test_no_link_to_a_folder_outside_is_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], linked: str
) -> None:
    store, outside = tmp_path / "store", tmp_path / "outside"
    job = write_sweep(store, [{"x": 1}], name="mine") / "jobs" / "0"
    job.mkdir(parents=True)
    (job / "output.log").write_text("secret\n")
    (store / linked).rename(outside)
    (store / linked).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    assert main(["logs", "mine", "0", "--store", str(store)]) == 1
    if not linked.startswith("sweeps/mine/jobs"):
        for command in (["list"], ["aggregate", "mine"], ["show", "mine"]):
            assert main([*command, "--store", str(store)]) == 1
    out, err = capsys.readouterr()
    assert "secret" not in out
    assert "is a link, and links are not followed" in err
    assert sorted(outside.rglob("*")) == before


def test_a_link_of_the_users_own_to_a_sweep_is_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.symlink_to(write_sweep(tmp_path / "store", [{"x": 1}]))
    assert main(["leaderboard", str(mine)]) == 0


@pytest.mark.parametrize(
    "found",
    [
        "[1]",
        "7",
        "{}",
        "null",
        '{"promoted"',
        '{"promoted": 1, "model_name": "m", "reasons": []}',
        '{"promoted": true, "model_name": "m", "reasons": [1]}',
        '{"promoted": true, "model_name": [], "reasons": []}',
    ],
)
def test_a_decision_that_is_none_is_named_and_the_sweep_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], found: str
) -> None:
    (write_sweep(tmp_path, [{"x": 1}], name="mine") / "promotion.json").write_text(found)
    for option in ([], ["--json"]):
        assert main(["show", "mine", *option, "--store", str(tmp_path)]) == 1
        out, err = capsys.readouterr()
        assert "val_auc" in out
        assert "promotion.json" in err
