"""The read index: where it lies, and which damage it survives."""

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indexed import best, file_of

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


def test_a_rebuilt_index_answers_the_same(base: Path, runs: list[str]) -> None:
    reader = Catalog(Store(base))
    expected = reader.records(None, pytest.fail)
    told: list[tuple[int, int]] = []
    reader.index.progress = lambda done, total: told.append((done, total))
    reader.index.rebuild()
    assert reader.records(None, pytest.fail) == expected
    assert told[0] == (3, 3)


def test_a_damaged_metadata_json_is_reported_and_hides_no_run(
    base: Path, runs: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (base / "runs" / "claimed").mkdir()
    (base / "metadata.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert [run.run_id for run in ExperimentTracker(base).records()] == runs
    assert "metadata.json is not valid JSON" in caplog.text


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
