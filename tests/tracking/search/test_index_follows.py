"""The read index follows its store, whoever changes or reads it."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from indexed import best

from tracking import ExperimentTracker
from tracking.search.catalog import Catalog
from tracking.search.index import refresh
from tracking.store.store import Store

ROOT = Path(__file__).parents[3]


def test_readers_see_what_changes_after_the_end_of_a_run(base: Path, runs: list[str], blind: None) -> None:
    reader = ExperimentTracker(base)
    assert [run.status for run in reader.records()] == ["completed"] * 3
    writer = ExperimentTracker(base)
    for change, expected in (
        (lambda: writer.open_run("run_001").set_tags({"a": 1}), "tags.a == 1"),
        (lambda: writer.log_params("run_001", {"lr": 3}), "params.lr == 3"),
        (lambda: writer.log_metrics("run_001", {"auc": 0.9}), "metrics.auc == 0.9"),
        (lambda: writer.log_metrics("run_001", {"auc": 0.95}), "metrics.auc == 0.95"),
        (lambda: writer.finish_run("run_001", "failed"), "status == 'failed'"),
        (lambda: writer.log_metrics("run_001", {"f1": 0.1}), "metrics.f1 > 0"),
    ):
        assert reader.search_runs(expected) == []
        change()
        assert [run.run_id for run in reader.search_runs(expected)] == ["run_001"]


def test_a_killed_run_is_shown_as_killed_and_read_again_when_it_continues(base: Path, blind: None) -> None:
    code = (
        "import os, signal, sys; from tracking import ExperimentTracker; t = ExperimentTracker(sys.argv[1])\n"
        "r = t.create_run('x'); t.log_metrics(r, {'auc': 0.5}); print(r, flush=True); sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(base)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdin
    with process:
        run_id = process.stdout.readline().decode().strip()
        reader = ExperimentTracker(base)
        assert [(run.run_id, run.status) for run in reader.records()] == [(run_id, "running")]
        assert reader.search_runs("status == 'killed'") == []
        process.send_signal(signal.SIGKILL)
    assert [run.status for run in reader.records()] == ["killed"]
    assert [run.run_id for run in reader.search_runs("status == 'killed'")] == [run_id]
    ExperimentTracker(base).log_metrics(run_id, {"auc": 0.9})
    assert reader.records()[0].summary["auc"].last == 0.9
    assert reader.records()[0].status == "running"


def test_a_large_store_is_checked_in_slices_until_all_runs_were_checked(
    base: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "SMALL", 0)
    monkeypatch.setattr(refresh, "SLICE", 1)
    reader = Catalog(Store(base))
    reader.index.check()
    path = base / "runs" / "run_001" / "params.json"
    path.write_text('{"lr": 7}')

    def found() -> bool:
        return reader.search("params.lr == 7", pytest.fail) != []

    assert [found() for _ in range(3)][-1]


def test_a_full_check_finds_what_was_changed_by_hand(base: Path, runs: list[str], blind: None) -> None:
    reader = Catalog(Store(base))
    assert reader.search("params.lr == 7", pytest.fail) == []
    for _ in range(3):
        reader.index.check()  # until the files are no longer young, and nothing is expected of them
    (base / "runs" / "run_001" / "params.json").write_text('{"lr": 7}')
    reader.index.check()
    assert [run.run_id for run in reader.search("params.lr == 7", pytest.fail)] == ["run_001"]


def test_named_runs_are_compared_by_their_files(base: Path, runs: list[str], blind: None) -> None:
    reader = ExperimentTracker(base)
    reader.records()
    (base / "runs" / "run_001" / "params.json").write_text('{"lr": 7}')
    assert list(reader.compare_runs(["run_002", "run_001"])["lr"]) == [0.7, 7]


def test_processes_that_read_and_write_at_once_all_see_every_run(base: Path) -> None:
    code = (
        "import sys; from tracking import ExperimentTracker; t = ExperimentTracker(sys.argv[1]); seen = 0\n"
        "for n in range(12):\n"
        "    r = t.create_run('x'); t.log_metrics(r, {'auc': n}); t.finish_run(r)\n"
        "    found = {run.run_id for run in t.records()}\n"
        "    assert r in found and len(found) >= seen, (r, found); seen = len(found)\n"
        "    assert t.get_best_run('auc', 'x')['metrics']['auc'][-1]['value'] >= n\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(base)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.communicate()[1] == b""
    reader = Catalog(Store(base))
    assert len(reader.records(None, pytest.fail)) == 48
    assert reader.records(None, pytest.fail) == list(reader.store.scan.records(None, pytest.fail))


def test_a_reader_killed_while_it_builds_loses_nothing(base: Path, runs: list[str]) -> None:
    code = (
        "import os, signal, sys; from tracking.objective import Objective\n"
        "from tracking.search.catalog import Catalog; from tracking.store.store import Store\n"
        "c = Catalog(Store(sys.argv[1])); c.index.progress = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "c.best(Objective.of('auc', at='last'), None, print)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(base)], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert best(base) == "run_002"


def test_a_forked_child_reads_for_itself(base: Path, runs: list[str]) -> None:
    code = (
        "import os, sys; from tracking import ExperimentTracker; t = ExperimentTracker(sys.argv[1])\n"
        "assert len(t.records()) == 3\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    t.create_run('x'); os._exit(0 if len(t.records()) == 4 else 1)\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert len(t.records()) == 4\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(base)], cwd=ROOT, check=True)


def test_threads_share_a_reader(base: Path, runs: list[str]) -> None:
    reader = ExperimentTracker(base)
    found: list[list[str]] = []

    def read() -> None:
        for _ in range(20):
            found.append([run.run_id for run in reader.search_runs("auc >= 0.6", order_by="-auc")])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["run_002", "run_003"]] * 80


def test_a_claimed_folder_is_seen_when_it_becomes_a_run(base: Path, runs: list[str], blind: None) -> None:
    folder = base / "runs" / "run_004"
    folder.mkdir()
    reader = ExperimentTracker(base)
    assert len(reader.records()) == 3
    shutil.copy(base / "runs" / "run_001" / "run.json", folder)
    assert len(reader.records()) == 4


def test_the_entry_of_a_run_of_other_code_is_followed(
    base: Path, write_plain_store: Callable[..., None], blind: None
) -> None:
    write_plain_store()
    reader = ExperimentTracker(base)
    assert len(reader.search_runs("status == 'running'")) == 1
    first, second = json.loads((base / "metadata.json").read_text())
    (base / "metadata.json").write_text(json.dumps([first, {**second, "status": "failed"}]))
    assert reader.search_runs("status == 'running'") == []
