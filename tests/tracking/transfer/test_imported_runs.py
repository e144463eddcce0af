"""Imported runs are whole, and imported only once."""

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker, InvalidValueError, TrackingError
from tracking.store.store import Store
from tracking.transfer import import_runs


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def other(tmp_path: Path) -> ExperimentTracker:
    return ExperimentTracker(tmp_path / "other")


def fill(tracker: ExperimentTracker, *values: float) -> list[str]:
    ids = []
    for value in values:
        with tracker.start_run("x", params={"value": value}) as run:
            run.log({"auc": value}, step=0)
            (run.artifacts_dir / "plots").mkdir()
            (run.artifacts_dir / "plots" / "stop").write_text("an artifact of this name")
            (run.run_dir / "stop").touch()
        ids.append(run.run_id)
    return ids


def take(tracker: ExperimentTracker, other: ExperimentTracker, **options: Any) -> Any:
    source = Store(other.base_dir)
    return import_runs(Store(tracker.base_dir), source, source.scan.run_ids(), **options)


def test_an_imported_run_is_the_run_with_all_its_files(
    tracker: ExperimentTracker, other: ExperimentTracker
) -> None:
    fill(other, 0.5)
    before = contents(other.base_dir)
    assert take(tracker, other).copied == {"run_001": "run_001"}
    assert contents(other.base_dir) == before
    here, there = tracker.get_run("run_001"), other.get_run("run_001")
    assert here is not None
    assert there is not None
    assert {**here, "run_dir": ""} == {**there, "run_dir": ""}
    copied, origin = (contents(t.base_dir / "runs" / "run_001") for t in (tracker, other))
    assert copied.keys() == origin.keys() - {"stop"}
    assert copied["artifacts/plots/stop"] == b"an artifact of this name"
    entry = json.loads(copied["run.json"])
    assert entry["imported_from"] == {"store": str(other.base_dir.resolve()), "run_id": "run_001"}
    assert list((tracker.base_dir / ".podium" / "incoming").iterdir()) == []
    published = json.loads((tracker.base_dir / "metadata.json").read_text())
    assert [run["run_id"] for run in published] == ["run_001"]


def test_an_imported_file_keeps_its_mode_but_no_right_to_act_as_its_owner(
    tracker: ExperimentTracker, other: ExperimentTracker
) -> None:
    fill(other, 0.5)
    tool = other.base_dir / "runs" / "run_001" / "artifacts" / "tool"
    tool.touch()
    tool.chmod(0o6750)
    take(tracker, other)
    copied = tracker.base_dir / "runs" / "run_001" / "artifacts" / "tool"
    assert stat.S_IMODE(copied.stat().st_mode) == 0o750
    assert copied.stat().st_mtime_ns == tool.stat().st_mtime_ns


def test_runs_whose_ids_are_or_were_taken_get_new_numbers(
    tracker: ExperimentTracker, other: ExperimentTracker
) -> None:
    fill(tracker, 0.1, 0.2)
    tracker.delete_run("run_002")
    fill(other, 0.3, 0.4, 0.5)
    assert take(tracker, other).copied == {"run_001": "run_003", "run_002": "run_004", "run_003": "run_005"}
    values = {run.run_id: run.params["value"] for run in tracker.records()}
    assert values == {"run_001": 0.1, "run_003": 0.3, "run_004": 0.4, "run_005": 0.5}
    assert tracker.create_run("x") == "run_006"


def test_a_run_is_imported_once_even_from_a_moved_store_or_through_a_third_one(
    tracker: ExperimentTracker, other: ExperimentTracker, tmp_path: Path
) -> None:
    fill(tracker, 0.1)
    fill(other, 0.3)
    assert take(tracker, other).copied == {"run_001": "run_002"}
    again = take(tracker, other)
    assert (again.copied, again.present) == ({}, {"run_001": "run_002"})
    other.base_dir.rename(tmp_path / "moved")
    moved = ExperimentTracker(tmp_path / "moved")
    assert take(tracker, moved).present == {"run_001": "run_002"}
    third = ExperimentTracker(tmp_path / "third")
    assert take(third, moved).copied == {"run_001": "run_001"}
    assert take(tracker, third).present == {"run_001": "run_002"}
    assert take(moved, tracker).copied == {"run_001": "run_002"}  # only the one that is not its own


def test_a_copy_of_a_renumbered_copy_is_still_known_as_the_same_run(
    tracker: ExperimentTracker, other: ExperimentTracker, tmp_path: Path
) -> None:
    fill(tracker, 0.1)
    fill(other, 0.3)
    assert take(tracker, other).copied == {"run_001": "run_002"}
    third = ExperimentTracker(tmp_path / "third")
    take(third, tracker)
    again = take(third, other)
    assert (again.copied, again.present) == ({}, {"run_001": "run_002"})


def test_running_and_damaged_runs_are_left_out_with_the_reason(
    tracker: ExperimentTracker, other: ExperimentTracker
) -> None:
    running = other.create_run("x")
    damaged, fine = fill(other, 0.1, 0.2)
    (other.base_dir / "runs" / damaged / "params.json").write_text("{")
    outcome = take(tracker, other)
    assert outcome.copied == {fine: fine}
    assert "it is running; if it has ended: python -m tracking finish run_001" in outcome.left_out[running]
    assert "params.json is not valid JSON" in outcome.left_out[damaged]


def test_a_run_whose_process_died_is_imported_as_killed_with_all_its_points(
    tracker: ExperimentTracker, other: ExperimentTracker
) -> None:
    code = (
        "import os, signal; from tracking import ExperimentTracker as T; "
        f"t = T({str(other.base_dir)!r}); r = t.create_run('x'); t.log_metrics(r, {{'a': 1}}, 3); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd()).returncode == -signal.SIGKILL
    before = contents(other.base_dir)
    take(tracker, other)
    assert contents(other.base_dir) == before
    run = tracker.get_run("run_001")
    assert run is not None
    assert run["finished_at"]
    assert run["metrics"]["a"][0]["value"] == 1
    entry = json.loads((tracker.base_dir / "runs" / "run_001" / "run.json").read_text())
    assert entry["status"] == "killed"
    assert not list((tracker.base_dir / "runs" / "run_001").glob("*.jsonl"))


def test_a_store_of_other_code_is_imported(
    write_plain_store: Callable[..., None], base: Path, tmp_path: Path
) -> None:
    write_plain_store(2)
    target = ExperimentTracker(tmp_path / "target")
    outcome = take(target, ExperimentTracker(base))
    assert outcome.copied == {"run_001": "run_001"}
    assert list(outcome.left_out) == ["run_002"]
    run, before = target.get_run("run_001"), ExperimentTracker(base).get_run("run_001")
    assert run is not None
    assert before is not None
    assert {**run, "run_dir": ""} == {**before, "run_dir": ""}
    assert take(target, ExperimentTracker(base)).present == {"run_001": "run_001"}


def test_links_to_files_of_the_store_become_files_and_no_link_is_followed_out_of_it(
    tracker: ExperimentTracker, other: ExperimentTracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (run_id,) = fill(other, 0.1)
    artifacts = other.base_dir / "runs" / run_id / "artifacts"
    (other.base_dir / "weights.pt").write_bytes(b"weights")
    (artifacts / "linked.pt").symlink_to(other.base_dir / "weights.pt")
    (tmp_path / "secret").write_bytes(b"secret")
    (artifacts / "out").symlink_to(tmp_path / "secret")
    (artifacts / "nowhere").symlink_to("gone")
    (artifacts / "round").symlink_to(artifacts)
    os.mkfifo(artifacts / "pipe")
    take(tracker, other)
    copied = tracker.base_dir / "runs" / run_id / "artifacts"
    assert (copied / "linked.pt").read_bytes() == b"weights"
    assert not (copied / "linked.pt").is_symlink()
    assert (copied / "out").is_symlink()
    assert f"out is a link out of the store, to {tmp_path / 'secret'}: copied as a link" in caplog.text
    assert (copied / "nowhere").is_symlink()
    assert (copied / "round").is_symlink()
    assert not (copied / "pipe").exists()


def test_a_dry_run_changes_nothing(tracker: ExperimentTracker, other: ExperimentTracker) -> None:
    fill(other, 0.1, 0.2)
    assert list(take(tracker, other, dry_run=True).copied) == ["run_001", "run_002"]
    assert not tracker.base_dir.exists()


def test_an_interrupted_import_leaves_whole_runs_and_can_be_repeated(
    tracker: ExperimentTracker, other: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracking.files import atomic

    ids = fill(other, 0.1, 0.2, 0.3)
    calls = []

    def interrupted(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write_json(*arguments, **options)

    write_json = atomic.write_json
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_json", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take(tracker, other)
    assert [path.name for path in (tracker.base_dir / "runs").iterdir()] == ids[:1]
    assert list((tracker.base_dir / ".podium" / "incoming").iterdir()) == []
    assert list(take(tracker, other).copied) == ids[1:]


def _take_all(base: Path, other: Path) -> None:
    take(ExperimentTracker(base), ExperimentTracker(other))


def test_two_imports_at_once_copy_no_run_twice(tracker: ExperimentTracker, other: ExperimentTracker) -> None:
    fill(other, *(number / 10 for number in range(10)))
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_take_all, args=(tracker.base_dir, other.base_dir)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [run.params["value"] for run in tracker.records()] == [number / 10 for number in range(10)]


def test_importing_from_the_store_itself_or_from_a_missing_store_is_refused(
    tracker: ExperimentTracker, other: ExperimentTracker, tmp_path: Path
) -> None:
    fill(tracker, 0.1)
    with pytest.raises(InvalidValueError, match="is the store itself"):
        take(tracker, ExperimentTracker(tracker.base_dir / ".." / tracker.base_dir.name))
    with pytest.raises(InvalidValueError, match="there is no store"):
        take(tracker, other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrackingError, match="it has no folder 'runs'"):
        take(tracker, ExperimentTracker(tmp_path / "empty"))


def test_a_run_that_has_more_points_there_is_named_and_stays(other: ExperimentTracker, say: Say) -> None:
    with other.start_run("x") as run:
        run.log({"a": 1.0}, step=0)
    run_id, place = run.run_id, str(other.base_dir)
    assert say("import", place)[0] == 0
    assert say("import", place)[0] == 0
    with other.open_run(run_id) as run:
        run.log({"a": 2.0}, step=1)
    for _ in range(2):  # nothing is changed by it
        code, _, warnings = say("import", place)
        assert code == 1
        assert f"{run_id}: it has 2 points there and 1 here" in warnings


def test_a_run_that_has_lost_points_is_imported_and_named(other: ExperimentTracker, say: Say) -> None:
    with other.start_run("x") as run:
        run.log({"a": 1.0}, step=0)
    (run.run_dir / "metrics.json").unlink()
    code, _, warnings = say("import", str(other.base_dir))
    assert code == 1
    assert f"{run.run_id}: it has 0 of 1 points that its summary.json counted" in warnings
