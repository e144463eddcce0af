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
from tracking.transfer.mlflow.connection import CLAIMS, Connection, UnavailableError, failure
from tracking.transfer.mlflow.flat_yaml import read_flat
from tracking.transfer.mlflow.one_at_a_time import exporting_to
from tracking.transfer.mlflow.point_batches import send_points
from tracking.transfer.mlflow.sent_record import SentRecord, put_back
from tracking.transfer.mlflow.steps import StepNumbers, number_steps
from tracking.transfer.mlflow.targets import check_database, checked_uri, shown, sqlite_path
from tracking.transfer.mlflow.translation import (
    UID,
    Sent,
    fit_files,
    fit_names,
    sent_history,
    text_of,
    value_of,
)

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


@pytest.mark.parametrize(("gap", "read"), [(" ", " "), ("\t", "\t"), ("\n", "\n"), (" \n", "\n")])
def test_a_long_gap_is_read_as_soon_as_it_was_written(gap: str, read: str) -> None:
    many = 1 << 19  # it would take minutes to begin anew at each of them
    first = "\n" if "\n" in gap else ""  # of several line ends, the first is the one that is folded
    assert read_flat(f"a: 'x{first}{gap * many} y'") == {"a": f"x{read * many}{'' if first else ' '}y"}


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


STEPS = st.lists(st.none() | st.sampled_from([0, 1, 2, 3, 7, 0.5, 1.5, 2.25, 1e300, -4, -0.5]), max_size=12)


@given(st.lists(STEPS, max_size=4))
def test_a_point_that_was_sent_keeps_its_step_whatever_is_logged_later(exports: list[list[Any]]) -> None:
    known, logged = StepNumbers(), list[Any]()
    sent: dict[Any, int] = {}
    for new in exports:
        is_new = not logged
        logged += new
        given_steps = sorted(step for step in logged if step is not None)
        given_steps += [None] * logged.count(None)
        numbers, known = number_steps(given_steps, known, is_new=is_new)
        without = [number for step, number in zip(given_steps, numbers, strict=True) if step is None]
        found: dict[Any, int] = dict(zip(given_steps, numbers, strict=True))
        found.pop(None, None)
        found |= {("none", index): number for index, number in enumerate(without)}
        assert sent.items() <= found.items()
        assert len(set(found.values())) == len(found)  # a number stands for one step
        sent = found
        assert StepNumbers.from_json(known.to_json(), most=100) == known
        told = {number: known.steps.get(number, number) for number in numbers if number not in known.without}
        assert sorted(told.values()) == sorted(set(given_steps) - {None})


def test_names_of_files_that_a_server_would_cut_are_changed_and_come_back(tmp_path: Path) -> None:
    names = ["plot#1.png", "plot#2.png", "plot?2.png", "q?a.txt", "a b.txt", "a%20b.txt", "d#/x\n.txt"]
    sent = fit_files(names)
    assert list(sent.values()) == [
        *("plot_1.png", "plot_2.png", "plot_2_2.png", "q_a.txt", "a b.txt", "a_20b.txt", "d_/x_.txt")
    ]
    for name in sent.values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = {each: name for name, each in sent.items() if each != name}
    record = SentRecord({"a b.txt": (3, 4)}, ["team"], before, {"loss": StepNumbers({1: 0.5}, [2, 3])})
    record.write(tmp_path / "sent.json")
    assert SentRecord.read(tmp_path / "sent.json") == record
    put_back(tmp_path, {**before, "a b.txt": "../../out", "absent": "x"})
    assert {name: (tmp_path / name).read_text() for name in names} == sent
    (tmp_path / "sent.json").write_text(
        '{"files": {"a": 1}, "tags": 2, "names": [], "steps": {"l": {"without": [[0, 1e99]]}}}'
    )
    assert SentRecord.read(tmp_path / "sent.json") == SentRecord(steps={"l": StepNumbers()})


def test_a_name_that_was_changed_stays_as_it_was_sent() -> None:
    assert fit_names(["a_b", "a@b"], {"a_b": "a@b"}) == {"a_b": "a_b_2", "a@b": "a_b"}
    assert fit_files(["p_1", "p#1"], {"p_1": "p#1"}) == {"p_1": "p_1_2", "p#1": "p_1"}


class Elsewhere:
    """MLflow's client while another export creates the same run `rivals` times just before this one."""

    def __init__(self, rivals: int, *, stays: bool) -> None:
        self.runs: dict[str, dict[str, str]] = {}
        self.rivals, self.stays = rivals, stays

    def create_run(self, _experiment: str, *, tags: dict[str, str], **_options: Any) -> Any:
        if self.rivals:
            self.rivals -= 1
            self.runs[f"theirs {self.rivals}"] = dict(tags)
        self.runs[f"ours {len(self.runs)}"] = dict(tags)
        return self._run(list(self.runs)[-1])

    def _run(self, run_id: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id, lifecycle_stage="active"))

    def search_runs(self, _ids: Any, _query: str, **_options: Any) -> list[Any]:
        return [self._run(run_id) for run_id, tags in self.runs.items() if UID in tags]

    def delete_tag(self, run_id: str, name: str) -> None:
        del self.runs[run_id][name]

    def delete_run(self, run_id: str) -> None:
        assert UID not in self.runs.pop(run_id)

    def wait(self, _seconds: float) -> None:
        if not self.stays:  # the other one saw both as well
            self.runs = {name: tags for name, tags in self.runs.items() if name.startswith("ours")}


@pytest.mark.parametrize(
    ("rivals", "stays", "is_ours"), [(0, True, True), (1, True, False), (2, False, True)]
)
def test_of_two_exports_that_create_a_run_at_once_one_stays(rivals: int, stays: bool, is_ours: bool) -> None:
    client = Elsewhere(rivals, stays=stays)
    there = Connection.__new__(Connection)
    there.__dict__ |= {
        "client": client,
        "_ids": ["1"],
        "_failures": (),
        "_sleep": client.wait,
        "_all": lambda: 3,
    }
    made, is_new = there.create("1", "run_001", 0, {UID: "run_001:ab"})
    assert is_new == is_ours
    assert list(client.runs) == [made.info.run_id]
    client.rivals, client.stays = CLAIMS, False
    client.runs.clear()
    with pytest.raises(TrackingError, match="other exports send it at the same moment"):
        there.create("1", "run_001", 0, {UID: "run_001:ab"})


def test_a_second_export_to_the_same_place_waits_for_the_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = exporting_to(f"sqlite:///{tmp_path}/m.db")
    waited: list[float] = []

    def end_first(seconds: float) -> None:
        waited.append(seconds)
        first.__exit__(None, None, None)

    with first:
        with exporting_to(f"sqlite:///{tmp_path}/other.db"):
            assert waited == []
        with exporting_to(f"sqlite:///{tmp_path}/../{tmp_path.name}/m.db", sleep=end_first):
            assert len(waited) == 1
        first = exporting_to("sqlite:///unused.db")
    assert "another export to sqlite:///" in caplog.text


def test_a_failure_is_one_sentence_without_statements_and_passwords() -> None:
    cases = {
        "(sqlite3.OperationalError) database is locked [SQL: UPDATE x SET y] (Background on this error at: u)": (
            "another program writes into sqlite:///m.db and keeps it locked; stop that one or wait, then export again",
            True,
        ),
        "attempt to write a readonly database [SQL: INSERT]": ("cannot be written by this user", True),
        "table evaluation_datasets already exists [SQL: CREATE TABLE]": (
            "was changed by another program",
            False,
        ),
        "no such host postgres://me:hunter2@h/x": ("refused: no such host postgres://***@h/x", False),
    }
    for text, (message, is_fatal) in cases.items():
        error = failure("sqlite:///m.db", RuntimeError(text))
        assert message in str(error)
        assert "SQL:" not in str(error)
        assert isinstance(error, UnavailableError) == is_fatal
    driver = failure("postgresql://me:hunter2@h/x", ModuleNotFoundError("No module named 'psycopg2'"))
    assert "install the driver for postgresql://" in str(driver)
    assert "hunter2" not in str(driver)


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
    assert shown("http://host/?token=secret&x=1") == "http://host/?token=***&x=1"
    refused = {
        " ": "is no place to export to",
        "localhost:5000": "has no scheme; write http://localhost:5000",
        "10.0.0.1:80/mlflow": "write http://10.0.0.1:80/mlflow",
        "http:/localhost:5000": "lacks slashes; write http://localhost:5000",
        "sqlite:mlflow.db": "lacks slashes; write sqlite:///mlflow.db",
        "sqlite://": "names no file, so nothing would be kept",
        "sqlite:///": "names no file",
        "sqlite:///:memory:": "names no file",
        "sqlite+pysqlite:///?x=1": "names no file",
        "sqlite:///file:x?mode=memory&uri=true": "names no file",
    }
    for to, message in refused.items():
        with pytest.raises(TrackingError, match=re.escape(message)):
            checked_uri(to)


def test_a_database_that_cannot_be_written_is_refused_before_mlflow_tries(
    tmp_path: Path, base: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.db").touch()
    for path, message in (
        (tmp_path, "is a folder; name a file in it"),
        (tmp_path / "absent" / "m.db", "there is no folder"),
        (Path("/dev/null"), "is no file"),
    ):
        with pytest.raises(TrackingError, match=message):
            check_database(path)
    base.mkdir()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    for name in ("m.db", "new.db"):
        with pytest.raises(TrackingError, match="is read-only for this user"):
            check_database(tmp_path / name)
    # nothing to send makes no database
    code, _, err = say("export", "nope", "--store", str(base), "--to", str(tmp_path / "q.db"))
    assert (code, (tmp_path / "q.db").exists()) == (1, False)
    assert "no runs of an experiment 'nope'" in err


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
