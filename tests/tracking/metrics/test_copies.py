"""Copies of a run whose files are of different times: every point counts once, and no repair makes fewer of them."""

import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, MetricSummary
from tracking.doctor import Fault, examine
from tracking.metrics import journal
from tracking.metrics.journal import Journal
from tracking.paths import RunPaths, is_conflict
from tracking.process import identity
from tracking.store.store import Store
from tracking.transfer import import_runs

RELAXED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=25,
)
METRICS = "ab"
Files = dict[str, bytes]


class Guest:
    """The right of a process that logs into a run of another."""

    def take(self) -> bool:
        return False

    def tell(self) -> None:
        pass


class Life:
    """One run whose folder is remembered after each step; each value that is logged is another one."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.tracker = ExperimentTracker(base)
        self.run = self.tracker.open_run(self.tracker.create_run("e"))
        self.paths = RunPaths(self.run.run_dir)
        self.guest = Journal(self.paths, Guest())
        self.count = 0
        self.moments: list[tuple[Files, int]] = []

    def step(self, name: str, many: int) -> None:
        if name == "log":
            for _ in range(many):
                self.run.log(self._next(), step=self.count)
        elif name == "guest":
            for _ in range(many):
                line = {
                    "step": None,
                    "timestamp": f"2026-01-01T00:00:{self.count % 60:02d}",
                    "metrics": self._next(),
                }
                self.guest.append(json.dumps(line).encode() + b"\n")
        elif name == "leave":
            self.guest.retire()
        elif name == "finish":
            self.guest.retire()
            self.run.finish()
        elif name == "reopen":
            self.run.release()
        self.moments.append(({path.name: path.read_bytes() for path in self._files()}, self.count))

    def end(self) -> None:
        self.guest.retire()
        self.run.release()

    def _files(self) -> Iterator[Path]:
        return (path for path in self.paths.folder.iterdir() if path.is_file())

    def _next(self) -> dict[str, float]:
        self.count += 1
        return {METRICS[self.count % 2]: float(self.count)}


STEPS = st.lists(
    st.tuples(st.sampled_from(["log", "log", "guest", "leave", "finish", "reopen"]), st.integers(1, 4)),
    min_size=2,
    max_size=9,
)


def seen(base: Path, run_id: str = "run_001") -> Counter[float]:
    run = ExperimentTracker(base).get_run(run_id)
    assert run is not None
    return Counter(point["value"] for points in run["metrics"].values() for point in points)


def counts(base: Path, run_id: str = "run_001") -> dict[str, int]:
    record = ExperimentTracker(base).record(run_id)
    assert record is not None
    return {name: summary.count for name, summary in record.summary.items()}


def write(base: Path, files: Files) -> Path:
    folder = base / "runs" / "run_001"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@contextmanager
def living(monkeypatch: pytest.MonkeyPatch, *, eager: bool) -> Iterator[Path]:
    """A folder to work in, with views that are written at every call, of journals of any length."""
    with monkeypatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        if eager:
            patch.setattr(journal, "VIEW_SHARE", 1e-9)
            patch.setattr(journal, "CHUNK_BYTES", 100)
        yield Path(folder)


def live(base: Path, steps: list[tuple[str, int]]) -> Life:
    life = Life(base)
    for name, many in steps:
        life.step(name, many)
    life.end()
    return life


def check_that_nothing_makes_fewer(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor, an import and a finish work on a store, and count before and after."""
    before, summarised = seen(base), counts(base)
    assert not before or max(before.values()) == 1  # no point counts twice
    with monkeypatch.context() as patch:
        patch.setattr(identity, "life", lambda *_: identity.Life.GONE)  # all of its writers ended
        target = Store(base.with_name("target"))
        outcome = import_runs(target, Store(base), ["run_001"])
        assert (outcome.points, outcome.left_out) == (before.total(), {})
        assert seen(target.paths.base) == before
        examine(Store(base))
        assert seen(base) == before
        ExperimentTracker(base).finish_run("run_001")
        examine(Store(base))
    assert seen(base) == before
    after = counts(base)
    assert all(after.get(name, 0) >= count for name, count in summarised.items())
    stored = json.loads((base / "runs" / "run_001" / "metrics.json").read_text()) if before else {}
    assert sum(map(len, stored.values())) == before.total()


@RELAXED
@given(steps=STEPS, moments=st.lists(st.integers(0, 8), min_size=1, max_size=4), eager=st.booleans())
def test_a_store_copied_again_and_again_without_deleting_has_the_points_of_the_last_copy(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]], moments: list[int], eager: bool
) -> None:
    with living(monkeypatch, eager=eager) as folder:
        life = live(folder / "here", steps)
        copied = 0
        for moment in sorted(moments):
            files, copied = life.moments[min(moment, len(steps) - 1)]
            write(folder / "there", files)
        assert seen(folder / "there") == Counter(float(value + 1) for value in range(copied))
        assert sum(counts(folder / "there").values()) == copied
        check_that_nothing_makes_fewer(folder / "there", monkeypatch)


@RELAXED
@given(steps=STEPS, data=st.data(), eager=st.booleans())
def test_files_of_any_times_and_conflict_copies_count_each_point_once_and_keep_it(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int]], data: st.DataObject, eager: bool
) -> None:
    with living(monkeypatch, eager=eager) as folder:
        life = live(folder / "here", steps)
        versions: dict[str, list[bytes]] = {}
        for files, _ in life.moments:
            for name, content in files.items():
                known = versions.setdefault(name, [])
                if content not in known:
                    known.append(content)
        mixed: Files = {}
        for name, known in versions.items():
            chosen = data.draw(st.lists(st.sampled_from(known), max_size=2), label=name)
            if name == "run.json":
                chosen = chosen or [known[-1]]
            stem, _, kind = name.rpartition(".")
            names = (name, f"{stem}.sync-conflict-20260102-030405-ABCDEFG.{kind}")
            mixed |= dict(zip(names, chosen, strict=False))
        write(folder / "there", mixed)
        best = max((len(set(_values(content))) for content in mixed.values()), default=0)
        assert seen(folder / "there").total() >= best
        check_that_nothing_makes_fewer(folder / "there", monkeypatch)


def _values(content: bytes) -> list[float]:
    """Return the values in a journal or a metrics.json, by the simplest code."""
    try:
        points = [point for points in json.loads(content).values() for point in points]
        return [point["value"] for point in points]
    except (ValueError, AttributeError, TypeError, KeyError):
        pass
    lines = [
        json.loads(line) for line in content.splitlines() if line.startswith(b"{") and b'"metrics":' in line
    ]
    return [value for line in lines if "step" in line for value in line["metrics"].values()]


def finished(base: Path, count: int) -> Path:
    with ExperimentTracker(base).start_run("e", capture_output=False, capture_code=False) as run:
        for step in range(count):
            run.log({"a": float(step)}, step=step)
    return run.run_dir


@pytest.mark.parametrize(
    "name",
    [
        "metrics.sync-conflict-20260101-101010-ABCDEFG.jsonl",
        "metrics (host's conflicted copy 2026-01-01).jsonl",
        "metrics (SFConflict user 2026-01-01-10-10-10).json",
        "metrics_conflict-20260101-101010.json",
        "metrics (1).jsonl",
        "metrics 2.json",
        "metrics.json.conflict1",
        "metrics-LAPTOP-A1B2.jsonl",
        "metrics-Annas-PC.json",
    ],
)
def test_a_version_that_a_sync_program_kept_adds_what_is_missing_and_is_named(
    tmp_path: Path, name: str
) -> None:
    folder = finished(tmp_path, 10)
    points = json.loads((folder / "metrics.json").read_text())
    more = [*points["a"], {"step": 10, "value": 10.0, "timestamp": "2026-01-01T00:00:00+00:00"}]
    lines = [{"step": p["step"], "timestamp": p["timestamp"], "metrics": {"a": p["value"]}} for p in more]
    is_journal = ".jsonl" in name
    text = "".join(f"{json.dumps(line)}\n" for line in lines) if is_journal else json.dumps({"a": more})
    (folder / name).write_text(text)
    assert seen(tmp_path) == Counter(map(float, range(11)))
    findings = examine(Store(tmp_path)).findings
    assert [(each.fault, each.place) for each in findings if each.fault is Fault.CONFLICT] == [
        (Fault.CONFLICT, f"runs/run_001/{name}")
    ]
    assert len(json.loads((folder / "metrics.json").read_text())["a"]) == 11
    assert (folder / name).read_text() == text
    (folder / name).unlink()
    assert seen(tmp_path) == Counter(map(float, range(11)))
    assert counts(tmp_path) == {"a": 11}


def test_names_of_users_are_no_journals_and_no_conflict_copies(tmp_path: Path) -> None:
    folder = finished(tmp_path, 3)
    line = b'{"step":1,"timestamp":"2026-01-01T00:00:00+00:00","metrics":{"a":7.0}}\n'
    names = [
        "metrics.eval.jsonl",
        "metrics.w.jsonl",
        "metrics_old.json",
        "metrics-final.json",
        "metrics.csv",
        "my.jsonl",
    ]
    for name in names:
        (folder / name).write_bytes(line)
        assert not is_conflict(name)
    assert seen(tmp_path) == Counter([0.0, 1.0, 2.0])
    assert examine(Store(tmp_path)).findings == []
    assert all((folder / name).read_bytes() == line for name in names)


def test_a_lost_metrics_json_leaves_the_summary_to_readers_and_to_a_run_that_goes_on(tmp_path: Path) -> None:
    folder = finished(tmp_path, 5)
    (folder / "metrics.json").write_text(
        json.dumps({"a": json.loads((folder / "metrics.json").read_text())["a"][:2]})
    )
    summary = (folder / "summary.json").read_bytes()
    record = ExperimentTracker(tmp_path).record("run_001")
    assert record is not None
    assert record.summary["a"] == MetricSummary(4.0, 4, 0.0, 0, 4.0, 4, 5, 0)
    (finding,) = examine(Store(tmp_path)).findings
    assert (finding.fault, finding.what) == (Fault.LOST, "it has 2 of the 5 points that summary.json counted")
    assert (folder / "summary.json").read_bytes() == summary
    ExperimentTracker(tmp_path).log_metrics("run_001", {"a": 9.0}, step=9)
    assert counts(tmp_path) == {"a": 3}
    assert (folder / "summary.lost.json").read_bytes() == summary


def test_a_damaged_metrics_json_beside_a_journal_is_kept_when_it_is_replaced(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path)
    run = tracker.open_run(tracker.create_run("e"))
    run.log({"a": 1.0})
    (run.run_dir / "metrics.json").write_bytes(b'{"a": [{"step": 0, "val')
    run.finish()
    assert (run.run_dir / "metrics.damaged.json").read_bytes() == b'{"a": [{"step": 0, "val'
    assert seen(tmp_path) == Counter([1.0])


def test_equal_log_calls_of_one_moment_all_count(tmp_path: Path) -> None:
    tracker = ExperimentTracker(tmp_path / "here")
    run = tracker.open_run(tracker.create_run("e"))
    for _ in range(300):  # many in one millisecond
        run.log({"a": 1.0, "b": math.nan})
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    run.finish()
    shutil.copytree(tmp_path / "here", tmp_path / "there", dirs_exist_ok=True)
    assert (tmp_path / "there" / "runs" / "run_001" / "metrics.jsonl").exists()
    assert counts(tmp_path / "there") == {"a": 300, "b": 300}
    metrics = ExperimentTracker(tmp_path / "there").get_run("run_001")["metrics"]  # type: ignore[index]  # it is there
    assert [len(points) for points in metrics.values()] == [300, 300]


def test_a_run_that_has_not_all_its_points_in_metrics_json_keeps_its_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = ExperimentTracker(tmp_path)
    run_id = tracker.create_run("e")
    tracker.log_metrics(run_id, {"a": 1.0})
    tracker.log_metrics(run_id, {"a": 2.0})
    monkeypatch.setattr(identity, "life", lambda *_: identity.Life.GONE)
    monkeypatch.setattr(journal.MetricsText, "pieces", lambda _: [b"{}"])  # a fault in what is written
    (finding,) = examine(Store(tmp_path)).findings
    assert (finding.fault, finding.outcome) == (Fault.DEAD_RUN, "open")
    assert "has 0 of 2 points of 'a'; the journals stay" in finding.remedy
    assert (tmp_path / "runs" / run_id / "metrics.jsonl").exists()
    assert seen(tmp_path) == Counter([1.0, 2.0])
