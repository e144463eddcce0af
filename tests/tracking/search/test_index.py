"""The read index: where it lies, which damage it survives, and which changes it notices."""

import json
import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker
from tracking.cli.app import main
from tracking.doctor import examine
from tracking.objective import Objective
from tracking.process import identity
from tracking.search.catalog import Catalog
from tracking.search.index import Index, refresh
from tracking.search.index.database import VERSION
from tracking.search.index.rows import cell, place_of, value_in
from tracking.store.scan import Scan
from tracking.store.store import Store
from tracking.values.names import is_component, order_of

ROOT = Path(__file__).parents[3]
BEST = "import sys; from tracking import ExperimentTracker; print(ExperimentTracker(sys.argv[1]).get_best_run('auc')['run_id'])"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "podium"


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is too large for all of it to be looked at."""
    monkeypatch.setattr(refresh, "SMALL", 0)
    monkeypatch.setattr(refresh, "SLICE", 0)


@pytest.fixture
def runs(tracker: ExperimentTracker) -> list[str]:
    ids = []
    for value in (0.5, 0.7, 0.6):
        with tracker.start_run("x", params={"lr": value}, capture_output=False) as run:
            run.log({"auc": value})
        ids.append(run.run_id)
    return ids


def file_of(base: Path) -> Path:
    return Catalog(Store(base)).index.path


def best(base: Path) -> str | None:
    catalog = Catalog(Store(base))
    try:
        return catalog.best(Objective.of("auc", "max", "last"), None, pytest.fail)
    finally:
        catalog.index.close()


def test_reading_many_runs_leaves_one_file_in_the_cache_and_none_in_the_store(
    base: Path, cache: Path, runs: list[str]
) -> None:
    before = sorted(base.rglob("*"))
    assert best(base) == "run_002"
    assert sorted(base.rglob("*")) == before
    assert [path for path in cache.rglob("*") if path.is_file()] == [file_of(base)]


def test_writing_never_makes_an_index(base: Path, cache: Path, runs: list[str]) -> None:
    assert not cache.exists()


def test_a_store_is_found_again_by_the_folder_that_its_path_leads_to(
    base: Path, cache: Path, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(base)
    monkeypatch.chdir(tmp_path)
    for path in (base, tmp_path / "link", Path("experiments")):
        assert best(path) == "run_002"
    assert [path for path in cache.rglob("*") if path.is_file()] == [file_of(base)]


def test_the_index_folder_of_an_older_version_is_left_alone(base: Path, runs: list[str]) -> None:
    old = base / ".podium" / "index" / f"{identity.host_name()}.1.sqlite"
    old.parent.mkdir()
    old.write_bytes(b"no database")
    assert best(base) == "run_002"
    assert examine(Store(base)).findings == []
    for command in ("reindex", "gc"):
        assert main([command, "--store", str(base)]) == 0
    assert old.read_bytes() == b"no database"


def test_another_store_at_the_same_path_is_noticed(
    base: Path, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "SMALL", 0)
    monkeypatch.setattr(refresh, "SLICE", 1)
    tracker = ExperimentTracker(tmp_path / "other")
    for value in (0.9, 0.8, 0.7):
        with tracker.start_run("x", capture_output=False) as run:
            run.log({"auc": value})
    for path in (base, tracker.base_dir):
        Catalog(Store(path)).index.check()
        time.sleep(0.05)  # until the stamps are old enough to be trusted
        Catalog(Store(path)).index.check()
    shutil.rmtree(base)
    tracker.base_dir.rename(base)
    assert best(base) == "run_001"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no database" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), path.symlink_to(path.parent / "nowhere" / "file")),
        lambda path: execute(path, "PRAGMA user_version = 99"),
        lambda path: execute(path, "DROP TABLE metrics"),
        lambda path: execute(path, "UPDATE documents SET entry = 'spoiled'"),
        lambda path: execute(path, "DELETE FROM state"),
    ],
    ids=["gone", "empty", "garbage", "cut", "folder", "link", "version", "table", "document", "state"],
)
def test_a_spoiled_index_changes_no_answer(
    base: Path, cache: Path, runs: list[str], spoil: Callable[[Path], object]
) -> None:
    reader = Catalog(Store(base))
    expected = reader.records(None, pytest.fail)
    spoil(file_of(base))
    for catalog in (reader, Catalog(Store(base))):
        assert catalog.records(None, pytest.fail) == expected
        assert catalog.best(Objective.of("auc", "max", "last"), None, pytest.fail) == "run_002"
        catalog.index.close()


def execute(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


def test_a_copied_store_makes_an_index_of_its_own(base: Path, runs: list[str], tmp_path: Path) -> None:
    assert best(base) == "run_002"
    copy = tmp_path / "copy"
    shutil.copytree(base, copy)
    shutil.rmtree(copy / "runs" / "run_002")
    assert best(copy) == "run_003"
    assert best(base) == "run_002"


def test_an_index_from_before_the_last_boot_is_rebuilt(base: Path, runs: list[str]) -> None:
    assert best(base) == "run_002"
    execute(file_of(base), "UPDATE metrics SET last = 1 WHERE run = 1")
    execute(file_of(base), "UPDATE state SET value = 'boot ' || value WHERE key = 'birth'")
    assert best(base) == "run_002"


def test_the_wait_for_an_index_that_another_process_locks_is_limited(
    base: Path, cache: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.search.index.database.BUSY_S", 0.05)
    assert best(base) == "run_002"
    holder = sqlite3.connect(file_of(base), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    ExperimentTracker(base).log_metrics("run_001", {"auc": 0.9})
    assert best(base) == "run_001"
    holder.close()
    assert best(base) == "run_001"


@pytest.mark.parametrize("lack", ["home", "room"])
def test_without_a_cache_folder_the_index_is_kept_in_memory(
    base: Path, runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", "" if lack == "home" else str(tmp_path / "file"))
    if lack == "home":
        monkeypatch.setattr(Path, "home", refuse)
    reader = ExperimentTracker(base)
    assert reader.get_best_run("auc")["run_id"] == "run_002"
    opened = reader._catalog.index._opened
    ExperimentTracker(base).log_metrics("run_001", {"auc": 0.9})
    assert reader.get_best_run("auc")["run_id"] == "run_001"
    assert reader._catalog.index._opened is opened


def refuse() -> Path:
    raise RuntimeError("no home")


def test_reading_an_absent_or_empty_store_writes_nothing(base: Path, cache: Path) -> None:
    for _ in range(2):
        reader = ExperimentTracker(base)
        assert reader.records() == []
        assert reader.search_runs("lr > 0") == []
        assert reader.get_best_run("auc") is None
        assert not any(path.is_file() for path in base.rglob("*"))
        assert not cache.exists()
        (base / "runs").mkdir(parents=True, exist_ok=True)
    # the same reader sees the first run that is made
    run_id = ExperimentTracker(base).create_run("x")
    assert [record.run_id for record in reader.records()] == [run_id]


def test_each_host_has_a_file_of_its_own(
    base: Path, cache: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("one", "two"):
        monkeypatch.setattr(identity, "host_name", lambda host=host: host)
        assert best(base) == "run_002"
    assert sorted(path.name for path in file_of(base).parent.iterdir()) == [
        f"one.{VERSION}.sqlite",
        f"two.{VERSION}.sqlite",
    ]


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


def test_a_rebuilt_index_answers_the_same(base: Path, runs: list[str]) -> None:
    reader = Catalog(Store(base))
    expected = reader.records(None, pytest.fail)
    told: list[tuple[int, int]] = []
    reader.index.progress = lambda done, total: told.append((done, total))
    reader.index.rebuild()
    assert reader.records(None, pytest.fail) == expected
    assert told[0] == (3, 3)


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


def test_a_damaged_metadata_json_is_reported_and_hides_no_run(
    base: Path, runs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (base / "runs" / "claimed").mkdir()
    (base / "metadata.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert [run.run_id for run in ExperimentTracker(base).records()] == runs
    assert "metadata.json is not valid JSON" in caplog.text


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


names = st.text(max_size=8).filter(is_component)


@given(
    st.lists(st.one_of(names, st.from_regex(r"run_[0-9]{1,4}(_[0-9]{1,3})?", fullmatch=True)), unique=True)
)
def test_the_index_sorts_run_ids_as_lists_do(run_ids: list[str]) -> None:
    assert sorted(run_ids, key=place_of) == sorted(run_ids, key=order_of)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_cell_keeps_a_value_and_its_type(value: object) -> None:
    database = sqlite3.connect(":memory:")
    ((kept,),) = database.execute("SELECT ?", (cell(value),))
    database.close()
    found = value_in(kept)
    assert found == value
    assert type(found) is type(value)


def test_an_index_without_a_store_can_be_closed_and_collected(base: Path) -> None:
    index = Index(Scan(Store(base).paths))
    index.close()
    assert index.ask(lambda view: view.numbers()) == []
    index.close()
