"""Exported tables have the values of the store; imported runs are whole, and imported only once."""

import csv
import io
import json
import math
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from command_line import Say
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, InvalidValueError, StoreUnwritableError, TrackingError
from tracking.store.store import Store
from tracking.transfer import Table, TableFormat, history_table, import_runs, run_table, write_table
from tracking.transfer.tables import write_text

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
NUMBERS = st.floats() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**64, -(2**70), 10**300])
CELLS = st.none() | st.booleans() | NUMBERS | TEXT | st.lists(st.integers(-9, 9))
TITLES = st.lists(TEXT.filter(bool), min_size=1, max_size=4, unique=True)


def same(one: Any, other: Any) -> bool:
    """Equal in value and type, NaN to NaN."""
    is_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return is_nan or (type(one) is type(other) and one == other)


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[Any]) -> tuple[list[str], list[list[Any]]]:
    columns = draw(TITLES)
    rows = st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=5)
    return columns, draw(rows)


@given(tables(TEXT))
def test_any_text_survives_csv(table: tuple[list[str], list[list[str]]]) -> None:
    columns, rows = table
    out = io.StringIO(newline="")
    assert write_text(Table(tuple(columns), rows), out, TableFormat.CSV, exact=True) == len(rows)
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True)) == [columns, *rows]


@given(tables(TEXT | st.from_regex(r"[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-][0-9A-Z(]*", fullmatch=True)))
def test_no_text_of_a_run_is_a_formula_in_csv_and_all_else_stays(
    table: tuple[list[str], list[list[str]]],
) -> None:
    columns, rows = table
    out = io.StringIO(newline="")
    write_text(Table(tuple(columns), rows), out, TableFormat.CSV)
    told = list(csv.reader(io.StringIO(out.getvalue(), newline=""), strict=True))
    for given_cell, cell in zip(chain(columns, *rows), chain(*told), strict=True):
        assert cell in (given_cell, f"'{given_cell}")
        if (
            cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
            and cell
        ):
            float(cell)  # a number is shown, not run
        elif cell != given_cell:
            assert given_cell[0] in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def test_export_marks_formulas_unless_exact_bytes_are_asked_for(
    tracker: ExperimentTracker, base: Path, say: Say, tmp_path: Path
) -> None:
    params = {
        "cmd": '=HYPERLINK("http://x.example","y")',
        "=name": "-1",
        "lr": -0.5,
        "neg": "-cmd",
        "list": ["=1"],
    }
    with tracker.start_run("e", params=params, description="@SUM(A1)", capture_output=False) as run:
        run.log({"loss": -math.inf})

    def row(*words: str) -> dict[str, str]:
        assert say("export", "e", "--output", str(tmp_path / "x.csv"), *words, "--store", str(base))[0] == 0
        (found,) = csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text()))
        return found

    safe, exact = row(), row("--exact")
    assert (safe["cmd"], safe["description"], safe["neg"]) == (f"'{params['cmd']}", "'@SUM(A1)", "'-cmd")
    assert (exact["cmd"], exact["description"], exact["=name"]) == (params["cmd"], "@SUM(A1)", "-1")
    for found in (safe, exact):
        assert (found["lr"], found["loss"], found["list"]) == ("-0.5", "-Infinity", '["=1"]')
    assert safe["'=name"] == "-1"
    assert "apostrophe" in say("export", "--help")[1]


@given(tables(NUMBERS))
def test_numbers_survive_csv_exactly(table: tuple[list[str], list[list[float]]]) -> None:
    columns, rows = table
    out = io.StringIO(newline="")
    write_text(Table(tuple(columns), rows), out, TableFormat.CSV)
    back = list(csv.reader(io.StringIO(out.getvalue(), newline="")))[1:]
    for row, told in zip(rows, back, strict=True):
        assert all(same(value, type(value)(text)) for value, text in zip(row, told, strict=True))


@given(tables(CELLS))
def test_json_has_a_list_of_objects_with_typed_values(table: tuple[list[str], list[list[Any]]]) -> None:
    columns, rows = table
    out = io.StringIO(newline="")
    write_text(Table(tuple(columns), rows), out, TableFormat.JSON)
    told = json.loads(out.getvalue())
    texts = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    for row, back in zip(rows, told, strict=True):
        assert list(back) == columns
        for value, found in zip(row, back.values(), strict=True):
            assert same(value, texts[found] if isinstance(value, float) and isinstance(found, str) else found)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(tables(CELLS))
def test_a_parquet_column_keeps_its_values_and_tells_nan_from_an_absent_value(
    tmp_path: Path, table: tuple[list[str], list[list[Any]]]
) -> None:
    import pyarrow.parquet as pq

    columns, rows = table
    path = tmp_path / "table.parquet"
    assert write_table(Table(tuple(columns), rows), path, TableFormat.PARQUET) == len(rows)
    back = pq.read_table(path)
    assert back.column_names == columns
    for index in range(len(columns)):
        values = [row[index] for row in rows]
        told = back.column(index).to_pylist()
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int} and any(
            abs(value or 0) > 2**63 for value in values
        ):  # no column of numbers holds it
            values, kinds = [value if value is None else str(value) for value in values], {str}
        for value, found in zip(values, told, strict=True):
            if value is None or kinds == {type(value)} or (len(kinds) == 1 and float in kinds):
                expected = value if not isinstance(value, list) else json.dumps(value, separators=(",", ":"))
                assert same(expected, found)
            elif kinds == {int, float}:
                assert same(float(value), found)
            else:
                assert isinstance(found, str)


@pytest.fixture
def runs(tracker: ExperimentTracker) -> list[str]:
    ids = []
    for number, value in enumerate((0.5, math.nan), 1):
        run_id = tracker.create_run("x", tags={"team": "a,b"}, description='says "hi"\nthere')
        tracker.log_params(run_id, {"lr": 0.1 * number, "dims": [1, 2], "score": "text"})
        tracker.log_metrics(run_id, {"auc": value, "score": 1}, step=2)
        tracker.log_metrics(run_id, {"auc": math.inf}, step=1)
        tracker.finish_run(run_id)
        ids.append(run_id)
    return ids


def test_titles_of_columns_are_bare_names_where_these_are_unique(
    tracker: ExperimentTracker, runs: list[str]
) -> None:
    table = run_table(tracker.records())
    assert table.columns == (
        *("run_id", "experiment_name", "status", "created_at", "finished_at", "description", "error"),
        *("team", "lr", "dims", "params.score", "auc", "metrics.score"),
    )
    first, second = table.rows
    assert first[0] == "run_001"
    assert isinstance(first[3], datetime)
    assert list(first[7:]) == ["a,b", 0.1, [1, 2], "text", 0.5, 1]
    assert math.isnan(second[-2])


def test_columns_are_chosen_as_fields_of_filters(tracker: ExperimentTracker, runs: list[str]) -> None:
    table = run_table(tracker.records(), "run_id, auc, metrics.auc.count, lr")
    assert table.columns == ("run_id", "auc", "metrics.auc.count", "lr")
    assert list(next(iter(table.rows))) == ["run_001", 0.5, 2, 0.1]
    with pytest.raises(InvalidValueError, match="did you mean auc"):
        run_table(tracker.records(), "run_id, aucc")


@pytest.mark.parametrize("kind", TableFormat)
def test_histories_are_a_long_table_with_a_row_per_point(
    tracker: ExperimentTracker, base: Path, runs: list[str], tmp_path: Path, kind: TableFormat
) -> None:
    import pandas as pd

    path = tmp_path / "out" / f"points.{kind}"
    assert write_table(history_table(Store(base), runs), path, kind) == 6
    read = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}[kind]
    frame = read(path)
    assert list(frame.columns) == ["run_id", "metric", "step", "value", "timestamp"]
    points = frame[(frame.run_id == "run_001") & (frame.metric == "auc")]
    assert {int(step): float(value) for step, value in zip(points.step, points.value, strict=True)} == {
        1: math.inf,
        2: 0.5,
    }


@pytest.mark.parametrize("kind", list(TableFormat))
def test_a_link_to_a_file_stays_a_link_and_a_pipe_is_written_into(tmp_path: Path, kind: TableFormat) -> None:
    table = [("a", "b"), [(1, "x"), (2, "y")]]
    write_table(Table(*table), tmp_path / "plain", kind)
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    (tmp_path / "there").mkdir()
    link.symlink_to("there/table")
    write_table(Table(*table), link, kind)  # leads nowhere as yet
    write_table(Table(*table), link, kind)
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_table(Table(*table), pipe, kind)
    reader.join()
    expected = (tmp_path / "plain").read_bytes()
    assert (tmp_path / "there" / "table").read_bytes() == expected == read[0]
    assert link.is_symlink()
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["link", "pipe", "plain", "table", "there"]


def test_a_table_is_not_written_over_a_folder_or_into_a_full_device(tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/full")):
        with pytest.raises(StoreUnwritableError, match=f"cannot write {path}: "):
            write_table(Table(("a",), [(1,)]), path, TableFormat.CSV)


def test_an_export_that_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def rows() -> Any:
        yield ["a"]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_table(Table(("x",), rows()), path, TableFormat.CSV)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


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
