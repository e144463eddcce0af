"""Exported tables have the values of the store."""

import csv
import io
import json
import math
import os
import threading
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from command_line import Say
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracking import ExperimentTracker, InvalidValueError, StoreUnwritableError
from tracking.store.store import Store
from tracking.transfer import Table, TableFormat, history_table, run_table, write_table
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
