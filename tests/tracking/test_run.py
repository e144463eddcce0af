"""The live handle: how a run ends, the files it leaves, the callbacks it makes."""

import json
import pickle
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tracking import (
    CorruptFileError,
    ExperimentTracker,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    Run,
    RunStatus,
    active_run,
    job_context,
)


def test_a_run_that_leaves_its_block_is_completed(tracker: ExperimentTracker) -> None:
    with tracker.start_run(
        "x", tags={"team": "ml"}, description="d", params={"lr": 0.1}, data={"fingerprint": "sha256:1"}
    ) as run:
        run.log({"a": 1.0}, step=0)
        run.set_tags({"stage": "b"})
    record = tracker.record(run.run_id)
    assert record.status is RunStatus.COMPLETED
    assert record.finished_at >= record.created_at
    assert record.params == {"lr": 0.1}
    assert record.tags == {"team": "ml", "stage": "b"}
    assert record.data == {"fingerprint": "sha256:1"}
    assert record.summary["a"].max == 1.0
    assert record.error is None


def test_the_data_of_a_run_may_be_recorded_while_it_runs(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        run.set_data({"fingerprint": "sha256:1", "rows": 3})
        with pytest.raises(InvalidValueError, match="data must be a mapping"):
            run.set_data("sha256:2")  # type: ignore[arg-type]
    record = tracker.record(run.run_id)
    assert record.data == {"fingerprint": "sha256:1", "rows": 3}
    assert record.fingerprint == "sha256:1"


def test_a_run_that_raises_is_failed_and_keeps_the_traceback(tracker: ExperimentTracker) -> None:
    def train() -> None:
        raise RuntimeError("CUDA out of memory\n  tried 3 GB")

    with pytest.raises(RuntimeError, match="CUDA"), tracker.start_run("x") as run:
        train()
    record = tracker.record(run.run_id)
    assert record.status is RunStatus.FAILED
    assert record.error == "RuntimeError: CUDA out of memory"
    text = (run.run_dir / "error.txt").read_text()
    assert "in train" in text
    assert "tried 3 GB" in text


def test_a_run_that_cannot_start_is_failed_and_not_left_open(tracker: ExperimentTracker) -> None:
    with pytest.raises(InvalidValueError, match="parameter 'seed'"):
        tracker.start_run("x", params={"seed": 10**309})
    assert active_run() is None
    assert tracker.record("run_001").status is RunStatus.FAILED


@pytest.mark.parametrize(
    ("code", "status"), [(0, "completed"), (None, "completed"), (3, "failed"), ("bye", "failed")]
)
def test_sys_exit_ends_a_run_by_its_code(tracker: ExperimentTracker, code: object, status: str) -> None:
    with pytest.raises(SystemExit), tracker.start_run("x") as run:
        raise SystemExit(code)
    assert tracker.record(run.run_id).status == status


def test_a_run_that_was_finished_inside_its_block_stays_so(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        run.finish("failed", error="no data")
    assert tracker.record(run.run_id).status == "failed"


@pytest.mark.parametrize("status", ["running", "done", ""])
def test_a_run_cannot_be_finished_with_another_status(tracker: ExperimentTracker, status: str) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidValueError, match="is none of completed, failed, killed"):
        tracker.finish_run(run_id, status=status)


def test_start_run_records_the_provenance_of_the_run(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x", config="lr: 0.1\n", overrides=["lr=0.1", "a='b: c'"]) as run:
        pass
    environment = json.loads((run.run_dir / "env.json").read_text())
    assert environment["packages"]["orjson"]
    assert environment["python"]
    assert len(json.loads((run.run_dir / "git.json").read_text())["commit"]) == 40
    assert (run.run_dir / "config.yaml").read_text() == "lr: 0.1\n"
    import yaml

    assert yaml.safe_load((run.run_dir / "overrides.yaml").read_text()) == ["lr=0.1", "a='b: c'"]


def test_a_run_without_git_is_fine(
    tracker: ExperimentTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    with tracker.start_run("x") as run:
        pass
    told = json.loads((run.run_dir / "git.json").read_text())
    assert (told["commit"], told["reproducible"]) == (None, False)


def test_artifacts_are_copied_under_their_name(tracker: ExperimentTracker, tmp_path: Path) -> None:
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")
    run_id = tracker.create_run("x")
    run = tracker.open_run(run_id)
    assert run.log_artifact(source) == run.artifacts_dir / "model.pt"
    assert run.log_artifact(str(source), "plots/best.pt").read_bytes() == b"weights"
    inside = run.artifacts_dir / "model.pt"
    assert run.log_artifact(inside) == inside
    assert inside.read_bytes() == b"weights"
    tracker.log_artifact(run_id, str(source), "model_best.pt")
    assert (tracker.record(run_id).run_dir / "artifacts" / "model_best.pt").exists()


def test_an_artifact_that_is_no_file_is_refused(tracker: ExperimentTracker, tmp_path: Path) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    with pytest.raises(MissingFileError, match="is not a file or folder; give the path"):
        run.log_artifact(tmp_path / "absent.pt")


def test_an_artifact_does_not_leave_through_a_link(tracker: ExperimentTracker, tmp_path: Path) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    (tmp_path / "a.txt").write_text("a")
    (run.artifacts_dir / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leads out of the artifacts folder"):
        run.log_artifact(tmp_path / "a.txt", "out/b.txt")


def test_a_stop_file_asks_the_run_to_stop(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        assert not run.should_stop()
        (run.run_dir / "stop").touch()
        assert run.should_stop()


def test_the_active_run_is_the_innermost_open_one(tracker: ExperimentTracker) -> None:
    assert active_run() is None
    with tracker.start_run("x") as outer:
        with tracker.start_run("y") as inner:
            assert active_run() is inner
        assert active_run() is outer
    assert active_run() is None


def test_a_thread_has_its_own_active_run_and_else_that_of_the_process(tracker: ExperimentTracker) -> None:
    with tracker.start_run("outer") as outer, ThreadPoolExecutor(1) as pool:
        assert pool.submit(active_run).result() is outer
        inner = pool.submit(tracker.start_run, "inner").result()
        assert pool.submit(active_run).result() is inner
        assert active_run() is outer
        pool.submit(inner.finish).result()
        assert pool.submit(active_run).result() is outer


def test_the_error_of_the_block_is_the_one_that_is_raised_when_the_store_fails_too(
    tracker: ExperimentTracker, caplog: pytest.LogCaptureFixture
) -> None:
    def train(run: Run) -> None:
        (run.run_dir / "run.json").write_text("{")
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(RuntimeError, match="CUDA") as caught, tracker.start_run("x") as run:
        train(run)
    (note,) = caught.value.__notes__
    assert note.startswith("run_001 could not be finished as failed: ")
    assert "run.json is not valid JSON" in note
    assert note in caplog.text
    assert active_run() is None


def test_the_error_of_the_store_is_raised_when_there_is_no_other(tracker: ExperimentTracker) -> None:
    with pytest.raises(CorruptFileError, match=r"run\.json is not valid JSON"), tracker.start_run("x") as run:
        (run.run_dir / "run.json").write_text("{")
    assert active_run() is None


def test_runs_made_inside_a_job_belong_to_it_and_are_announced(tracker: ExperimentTracker) -> None:
    told: list[tuple[str, Path]] = []

    def on_start(run_id: str, run_dir: Path) -> None:
        assert (run_dir / "run.json").exists()
        told.append((run_id, run_dir))

    with job_context(sweep="s1", job=3, key="k", config_hash="h", on_start=on_start):
        with tracker.start_run("x") as run:
            pass
        run_id = tracker.create_run("x")
    assert tracker.record(run.run_id).sweep == {
        "id": "s1",
        "job": 3,
        "key": "k",
        "config_hash": "h",
        "attempt": 1,
    }
    assert [told_id for told_id, _ in told] == [run.run_id, run_id]
    assert tracker.record(tracker.create_run("x")).sweep is None


def test_a_tracker_can_be_pickled(tracker: ExperimentTracker) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1})
    other = pickle.loads(pickle.dumps(tracker))
    other.log_metrics(run_id, {"a": 2})
    assert tracker.record(run_id).summary["a"].count == 2


def test_the_library_prints_nothing(tracker: ExperimentTracker, capfd: pytest.CaptureFixture[str]) -> None:
    with tracker.start_run("x", params={"a": 1}) as run:
        run.log({"b": 1})
    tracker.compare_runs([run.run_id])
    assert capfd.readouterr() == ("", "")


def test_data_that_is_no_mapping_makes_no_run(tracker: ExperimentTracker) -> None:
    for data in (5, "sha256:1", ["a"], [], 0):
        with pytest.raises(InvalidValueError, match="data must be a mapping"):
            tracker.start_run("x", data=data)  # type: ignore[arg-type]  # the mistake
    assert tracker.list_runs() == []


def test_an_error_that_is_not_valid_unicode_is_escaped(tracker: ExperimentTracker) -> None:
    with pytest.raises(RuntimeError), tracker.start_run("x") as run:
        raise RuntimeError("cannot open caf\udce9.csv")
    assert tracker.record(run.run_id).status == "failed"
    assert tracker.record(run.run_id).error == r"RuntimeError: cannot open caf\udce9.csv"
    assert r"caf\udce9.csv" in (run.run_dir / "error.txt").read_text()


def test_a_run_can_be_finished_with_the_exception_itself(tracker: ExperimentTracker) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    run.finish("failed", error=ValueError("no data"))
    assert tracker.record(run.run_id).error == "ValueError: no data"
    for wrong in (5, ["no data"], b"no data"):
        with pytest.raises(InvalidValueError, match="error must be text or an exception"):
            run.finish("failed", error=wrong)  # type: ignore[arg-type]  # the mistake


def _group() -> Exception:
    return ExceptionGroup("two fell over", [ValueError("a"), KeyError("b")])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (_group(), "ExceptionGroup: two fell over (2 sub-exceptions)"),
        (ValueError("\nfirst\nsecond"), "ValueError: first"),
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError("a" * 2000), "ValueError: " + "a" * 985 + "..."),
    ],
)
def test_the_error_of_a_run_is_the_line_that_names_the_exception(
    tracker: ExperimentTracker, error: Exception, line: str
) -> None:
    with pytest.raises(type(error)) as caught, tracker.start_run("x") as run:
        raise error
    assert tracker.record(run.run_id).error == line
    run.finish("failed", error="".join(traceback.format_exception(caught.value)))
    assert tracker.record(run.run_id).error == line


@pytest.mark.parametrize("wrong", [None, 5, "", b"model.pt", "a\0b"])
def test_what_is_no_path_is_refused(tracker: ExperimentTracker, wrong: Any) -> None:
    run_id = tracker.create_run("x")
    with pytest.raises(InvalidNameError, match=r"artifact .* is no path of a file or folder"):
        tracker.log_artifact(run_id, wrong)
    with pytest.raises(InvalidNameError, match=r"base_dir .* is no path of a file or folder"):
        ExperimentTracker(wrong)
