"""No crash loses or duplicates a point: the journal and its views, cut at every byte and stopped at every step."""

import json
import math
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from tracking import CorruptFileError, ExperimentTracker, StoreUnwritableError
from tracking.doctor import examine
from tracking.store.store import Store


def values(tracker: ExperimentTracker, run_id: str, metric: str = "a") -> list[Any]:
    return [point["value"] for point in tracker.get_run(run_id)["metrics"].get(metric, [])]


def summarised(tracker: ExperimentTracker, run_id: str, metric: str = "a") -> tuple[int, Any]:
    summary = tracker.record(run_id).summary[metric]
    return summary.count, summary.last


def test_metrics_json_is_there_from_the_first_call_on_and_complete_at_the_finish(
    tracker: ExperimentTracker,
) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    assert not (run.run_dir / "metrics.json").exists()
    for step in range(50):
        run.log({"a": step, "b": math.inf}, step=step)
        assert (run.run_dir / "metrics.json").exists()
    run.finish()
    metrics = json.loads((run.run_dir / "metrics.json").read_text())
    assert [point["value"] for point in metrics["a"]] == list(range(50))
    assert metrics["b"][0]["value"] == "Infinity"
    assert list(metrics["a"][0]) == ["step", "value", "timestamp"]
    assert not (run.run_dir / "metrics.jsonl").exists()


def test_logging_after_the_finish_continues_the_history(tracker: ExperimentTracker) -> None:
    run = tracker.open_run(tracker.create_run("x"))
    for value in range(4):
        run.log({"a": value})
        run.finish()
    assert values(tracker, run.run_id) == [0, 1, 2, 3]
    run.log({"a": 4})
    assert (run.run_dir / "metrics.jsonl").exists()
    assert values(tracker, run.run_id) == [0, 1, 2, 3, 4]
    assert summarised(tracker, run.run_id) == (5, 4)


def test_a_line_torn_at_any_byte_is_skipped_and_cut_before_the_next(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    run_id = tracker.create_run("x")
    for value in range(3):
        tracker.log_metrics(run_id, {"a": value, "é": 1.5}, step=value)
    journal = base / "runs" / run_id / "metrics.jsonl"
    whole = journal.read_bytes()
    start = whole.rstrip(b"\n").rindex(b"\n") + 1
    shutil.copytree(base, tmp_path / "before")
    for size in range(start, len(whole) - 1):
        shutil.rmtree(base)
        shutil.copytree(tmp_path / "before", base)
        other = ExperimentTracker(base)
        journal.write_bytes(whole[:size])
        assert values(other, run_id) == [0, 1]
        assert summarised(other, run_id) == (2, 1)
        other.log_metrics(run_id, {"a": 9})
        assert values(other, run_id) == [0, 1, 9]
        assert summarised(other, run_id) == (3, 9)


def test_a_line_without_its_newline_counts_once_the_run_goes_on(
    tracker: ExperimentTracker, base: Path
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1})
    tracker.log_metrics(run_id, {"a": 2})
    tracker.open_run(run_id).release()
    journal = base / "runs" / run_id / "metrics.jsonl"
    journal.write_bytes(journal.read_bytes()[:-1])
    other = ExperimentTracker(base)
    other.log_metrics(run_id, {"a": 9})
    assert values(other, run_id) == [1, 2, 9]
    assert summarised(other, run_id) == (3, 9)


def test_only_the_damaged_line_of_a_journal_is_lost(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = tracker.create_run("x")
    for value in range(3):
        tracker.log_metrics(run_id, {"a": value})
    journal = base / "runs" / run_id / "metrics.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + b"\0" * 20 + b"\n" + b'{"no": "log call"}\n' + lines[2])
    assert values(tracker, run_id) == [0, 2]
    assert "a damaged line" in caplog.text
    assert "a line that is not a log call" in caplog.text


def test_the_damaged_lines_of_a_journal_are_kept_when_the_run_is_finished(
    tracker: ExperimentTracker, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = tracker.create_run("x")
    folder = base / "runs" / run_id
    kept = []
    for damage in (b"\0\r\0" * 20 + b"\n", b'{"no": "log call"}\n'):
        for value in range(3):
            tracker.log_metrics(run_id, {"a": value})
        with (folder / "metrics.jsonl").open("ab") as journal:
            journal.write(damage)
        tracker.log_metrics(run_id, {"a": 3})
        tracker.finish_run(run_id)
        kept.append(damage)
        assert (folder / "metrics.damaged.txt").read_bytes() == b"".join(kept)
        assert "1 damaged line kept in metrics.damaged.txt" in caplog.text
    assert values(tracker, run_id) == [0, 1, 2, 3] * 2
    assert [finding.place for finding in examine(Store(base)).findings] == [
        "runs/run_001/metrics.damaged.txt"
    ]


def test_the_views_can_be_deleted_or_damaged_at_any_time(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    folder = base / "runs" / run_id
    for value in range(20):
        tracker.log_metrics(run_id, {"a": value})
    for spoil in (
        lambda path: path.unlink(missing_ok=True),
        lambda path: path.write_text("{"),
        lambda path: path.write_text('{"metrics": {"a": 1}, "journal_bytes": 3}'),
    ):
        spoil(folder / "summary.json")
        (folder / "metrics.json").write_text("{")
        assert summarised(ExperimentTracker(base), run_id) == (20, 19)
        assert values(ExperimentTracker(base), run_id) == list(range(20))
    tracker.finish_run(run_id)
    (folder / "summary.json").unlink()
    assert summarised(tracker, run_id) == (20, 19)


def test_an_interrupted_finish_or_restart_loses_and_duplicates_no_point(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop after every rename, link and unlink of a finish and of a restart."""

    class Stopped(BaseException):
        pass

    def attempt(limit: int, *, log: bool) -> bool:
        shutil.rmtree(base, ignore_errors=True)
        shutil.copytree(tmp_path / "before", base)
        count = 0

        def counted(name: str) -> None:
            real = getattr(Path, name)

            def step(self: Path, *args: Any, **kwargs: Any) -> Any:
                nonlocal count
                if not self.name.startswith(".") or name == "replace":
                    count += 1
                    if count > limit:
                        raise Stopped
                return real(self, *args, **kwargs)

            patch.setattr(Path, name, step)

        with monkeypatch.context() as patch:
            counted("replace")
            counted("unlink")
            tracker = ExperimentTracker(base)
            try:
                if log:
                    tracker.log_metrics("run_001", {"a": 3})
                tracker.finish_run("run_001")
            except Stopped:
                done = False
            else:
                done = True
        found = values(ExperimentTracker(base), "run_001")
        assert found[:3] == [0, 1, 2]
        assert found[3:] in ([], [3]) if log else not found[3:]
        assert summarised(ExperimentTracker(base), "run_001") == (len(found), found[-1])
        ExperimentTracker(base).log_metrics("run_001", {"a": 9})
        assert values(ExperimentTracker(base), "run_001") == [*found, 9]
        assert summarised(ExperimentTracker(base), "run_001")[0] == len(found) + 1
        return done

    tracker = ExperimentTracker(tmp_path / "before")
    run_id = tracker.create_run("x")
    for value in range(3):
        tracker.log_metrics(run_id, {"a": value})
    limits = 0
    while not attempt(limits, log=False):
        limits += 1
    tracker.finish_run(run_id)
    while not attempt(limits, log=True):
        limits += 1
    assert limits >= 4


def test_two_writers_of_one_run_lose_no_point_and_summarise_alike(base: Path) -> None:
    one, two = ExperimentTracker(base), ExperimentTracker(base)
    run_id = one.create_run("x")
    for value in range(10):
        one.log_metrics(run_id, {"a": value})
        two.log_metrics(run_id, {"a": value + 0.5})
    assert summarised(one, run_id) == (20, 9.5)
    two.finish_run(run_id)
    one.log_metrics(run_id, {"a": 99})  # its open file was removed by the finish of the other
    assert summarised(two, run_id) == (21, 99)
    assert len(values(two, run_id)) == 21


def test_threads_share_one_run(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x") as run:
        barrier = threading.Barrier(8)

        def work(number: int) -> None:
            barrier.wait()
            for step in range(200):
                run.log({"a": number, f"t{number}": step}, step=step)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    metrics = tracker.get_run(run.run_id)["metrics"]
    assert len(metrics["a"]) == 1600
    assert all([point["value"] for point in metrics[f"t{number}"]] == list(range(200)) for number in range(8))
    assert tracker.record(run.run_id).summary["a"].count == 1600


def test_more_open_runs_than_the_tracker_keeps_files_for(tracker: ExperimentTracker) -> None:
    run_ids = [tracker.create_run("x") for _ in range(70)]
    for value in range(3):
        for run_id in run_ids:
            tracker.log_metrics(run_id, {"a": value})
    assert all(values(tracker, run_id) == [0, 1, 2] for run_id in run_ids)


def test_a_damaged_metrics_json_is_named_and_kept(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 1})
    tracker.finish_run(run_id)
    path = base / "runs" / run_id / "metrics.json"
    path.write_text('{"a": [{"step"')
    for call in (lambda: tracker.get_run(run_id), lambda: tracker.log_metrics(run_id, {"a": 2})):
        with pytest.raises(CorruptFileError, match=r"metrics\.json is not valid JSON"):
            call()
    assert path.read_text() == '{"a": [{"step"'


def test_a_full_disk_refuses_the_call_and_keeps_the_journal_whole(
    tracker: ExperimentTracker, base: Path
) -> None:
    import resource
    import signal

    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"a": 0})
    size = (base / "runs" / run_id / "metrics.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        with pytest.raises(StoreUnwritableError, match=r"cannot write .*metrics\.jsonl"):
            tracker.log_metrics(run_id, {"a": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)
    tracker.log_metrics(run_id, {"a": 2})
    assert values(tracker, run_id) == [0, 2]
