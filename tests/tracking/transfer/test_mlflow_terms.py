"""Names, texts, steps and points in MLflow's terms, and back; what an export says where MLflow is not at hand."""

import math
import posixpath
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from command_line import Say
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker, TrackingError
from tracking.transfer.mlflow.flat_yaml import read_flat
from tracking.transfer.mlflow.point_batches import send_points
from tracking.transfer.mlflow.steps import StepNumbers
from tracking.transfer.mlflow.targets import checked_uri, shown, sqlite_path
from tracking.transfer.mlflow.translation import Sent, fit_names, sent_history, text_of, value_of

# without the ends of lines that YAML knows beyond those of files; no name may hold them
LINES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x85\u2028\u2029"))
LONG = st.text("word ' :\"\\#-", min_size=60, max_size=200)
NUMBERS = st.floats() | st.integers() | st.lists(st.integers() | st.floats() | st.text("a'\"\\"))


@given(
    st.dictionaries(
        st.from_regex(r"k[a-z_]{1,8}", fullmatch=True), LINES | LONG | st.integers() | st.none(), min_size=1
    ),
    st.booleans(),
)
def test_a_flat_mapping_is_read_as_a_yaml_library_wrote_it(
    given_values: dict[str, Any], is_unicode: bool
) -> None:
    text = yaml.safe_dump(given_values, default_flow_style=False, allow_unicode=is_unicode)
    assert read_flat(text) == {
        key: None if value is None else str(value) for key, value in given_values.items()
    }


@pytest.mark.parametrize(
    "text", ["a: &x 1", "a: !!python/object:os.system", "a: |", "no entry", 'a: "open', "a: {b: 1}"]
)
def test_anything_but_a_flat_mapping_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|has no"):
        read_flat(text)


@given(st.text() | NUMBERS.map(str))
def test_a_parameter_that_is_read_as_a_value_has_its_text_again(text: str) -> None:
    assert text_of(value_of(text)) == text


def test_a_text_becomes_a_value_only_where_python_writes_that_value_so() -> None:
    assert [value_of(text) for text in ("1", "0.001", "1e-05", "True", "None", "[1, 'a']")] == [
        1,
        0.001,
        1e-05,
        True,
        None,
        [1, "a"],
    ]
    kept = ("007", "1.10", "1_000", "true", "[1,2]", "(1, 2)", "__import__('os')", "[" * 9000, " 1")
    assert [value_of(text) for text in kept] == list(kept)


@given(st.lists(st.text(min_size=1, max_size=300) | st.text("./ _a@", min_size=1), unique=True))
def test_every_name_becomes_one_that_mlflow_takes_and_no_two_become_one(names: list[str]) -> None:
    sent = fit_names(names)
    assert len(set(sent.values())) == len(names)
    for name in sent.values():
        plain = posixpath.normpath(name)
        assert re.fullmatch(r"[/\w.\- :]{1,250}", name)
        assert plain == name != "."
        assert not plain.startswith(("..", "/"))


def test_a_name_that_mlflow_takes_stays_as_it_is() -> None:
    names = ["loss", "val/auc", "a b:c-d.e", "größe", "a_b", "a@b"]
    assert list(fit_names(names).values()) == [*names[:-1], "a_b_2"]


def point(step: Any, value: float = 1.0, stamp: str = "2026-01-02T03:04:05.006+00:00") -> dict[str, Any]:
    return {"step": step, "value": value, "timestamp": stamp}


def test_steps_become_whole_numbers_and_points_that_mlflow_would_merge_stay_apart() -> None:
    moment = 1767323045006
    sent = sent_history(
        {
            "a": [point(0), point(5), point(None, 2.0), point(None, math.nan), point(None, math.nan)],
            "once": [point(None)],
            "half": [point(0.5), point(1), point(1.5)],
            "twice": [point(3), point(3), point(3, stamp="never")],
        },
        otherwise=7,
    )
    assert sent.steps == {
        "a": StepNumbers(without=[6, 7, 8]),
        "once": StepNumbers(without=[0]),
        "half": StepNumbers({0: 0.5, 2: 1.5}),
    }
    assert sent.renumbered == ["half"]
    assert [each.step for each in sent.points["a"]] == [0, 5, 6, 7, 8]
    assert [each.step for each in sent.points["half"]] == [0, 1, 2]
    assert sent.points["twice"] == [Sent(1.0, moment, 3), Sent(1.0, moment + 1, 3), Sent(1.0, 7, 3)]


def test_points_go_into_a_database_once_and_the_latest_is_known(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as sql, sql:
        for table, key in (
            ("metrics", "key, timestamp, step, run_uuid, value, is_nan"),
            ("latest_metrics", "key, run_uuid"),
        ):
            sql.execute(
                f"CREATE TABLE {table} (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, "
                f"is_nan BOOLEAN, PRIMARY KEY ({key}))"
            )
    there: Any = SimpleNamespace(uri=f"sqlite:///{path}")
    points = {
        "a": [Sent(0.5, 10, 0), Sent(0.25, 11, 1)],
        "odd": [Sent(math.nan, 10, 0), Sent(math.inf, 10, 1)],
    }
    assert sum(send_points(there, "r", points, is_new=True)) == 4
    points["a"].insert(1, Sent(0.75, 12, 0))  # logged late, to an earlier step
    assert sum(send_points(there, "r", points, is_new=False)) == 1
    with closing(sqlite3.connect(path)) as sql:
        latest = sql.execute("SELECT key, step, value, is_nan FROM latest_metrics ORDER BY key").fetchall()
        nan = sql.execute("SELECT value, is_nan FROM metrics WHERE key = 'odd' AND step = 0").fetchone()
    assert latest == [("a", 1, 0.25, 0), ("odd", 1, 1.7976931348623157e308, 0)]
    assert nan == (0.0, 1)
    with closing(sqlite3.connect(path)) as sql, sql:
        sql.execute("CREATE TRIGGER t AFTER INSERT ON metrics BEGIN SELECT RAISE(ABORT, 'no'); END")
        sql.execute("DELETE FROM metrics")
    called: list[int] = []
    there.log_points = lambda _run_id, waiting: called.append(len(waiting)) or iter([len(waiting)])
    assert sum(send_points(there, "r", points, is_new=True)) == 5  # tables that do more are left to MLflow
    assert called == [5]


def test_an_address_or_a_path_says_where_to_export_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert checked_uri("http://localhost:5000") == "http://localhost:5000"
    assert checked_uri("mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert checked_uri("mlruns") == (tmp_path / "mlruns").as_uri()
    assert sqlite_path("sqlite:///mlflow.db") == tmp_path / "mlflow.db"
    assert sqlite_path("postgresql://me:secret@host/db") is None
    assert shown("https://me:secret@host/x") == "https://***@host/x"
    with pytest.raises(TrackingError, match="is no place to export to"):
        checked_uri(" ")


def test_without_mlflow_an_export_is_one_sentence_and_a_look_needs_no_mlflow(
    tracker: ExperimentTracker, base: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with tracker.start_run("e", params={"a@b": 1}, tags={"long": "x" * 9000}, capture_code=False) as run:
        run.log({"loss": 0.5}, step=0)
        run.log_text("hello", "notes.md")
    database = tmp_path / "new.db"
    words = ("export", "e", "--store", str(base), "--to", str(database))
    code, out, err = say(*words)
    assert (code, out) == (1, "")
    assert "podium[mlflow]" in err
    code, out, err = say(*words, "--dry-run")
    assert (code, database.exists()) == (0, False)
    assert out.startswith("Would send 1 new run with 1 point and ")
    assert "run_001: MLflow refuses names of params: 'a@b' became 'a_b'" in err
    assert "run_001: tags of more than 8,000 characters were cut: long" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "mlflow"], "--format mlflow needs --to: sqlite:///mlflow.db"),
        (["--to", "x.db", "--histories"], "--histories is for tables, and --to is for MLflow"),
        (["--to", "x.db", "--format", "csv"], "--format csv is for tables"),
        (["--dry-run"], "--dry-run is for an export to MLflow"),
        (["--format", "xls"], "is none of csv, json, parquet, mlflow"),
    ],
)
def test_options_of_tables_and_of_mlflow_are_not_mixed(
    base: Path, say: Say, words: list[str], message: str
) -> None:
    base.mkdir()
    code, out, err = say("export", *words, "--store", str(base))
    assert (code, out) == (2, "")
    assert message in err
