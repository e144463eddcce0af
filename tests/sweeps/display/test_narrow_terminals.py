"""On a narrow terminal: what was swept stays, under short names; long values are cut where they still differ."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from written import on_terminal, plain, write_sweep

from sweeps.display.live import LiveTable
from sweeps.display.preview import tell_plan
from sweeps.display.scoreboard import Scoreboard
from sweeps.display.tables import short_names
from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob
from tracking import ExperimentTracker, job_context
from tracking.cli.toolkit.fitting import GAP, Column, cut, fit
from tracking.objective import At, Direction, Objective

SWEEP = "20260131-093000"
RATES = [{"training.learning_rate": 10.0**-n, "model.dropout": n / 10} for n in range(1, 5)]


def table(text: str) -> tuple[list[str], list[list[str]]]:
    """The names of the columns and the rows of the table in a text."""
    lines = plain(text).splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("───"))
    rows = [re.split(r" {2,}", line.strip()) for line in lines[rule + 1 :] if re.match(r" +\S+ {2,}", line)]
    return re.split(r" {2,}", lines[rule - 1].strip()), rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A sweep whose runs logged test metrics."""
    tracker = ExperimentTracker(tmp_path)
    outcomes = {}
    for job in range(4):
        with job_context(sweep=SWEEP, job=job, key="k", config_hash="h"):
            run = tracker.start_run("ctr", params={})
            run.log({"val_auc": 0.7 + job / 100}, step=1)
            run.log({"test_auc": 0.6, "test_acc": 0.8, "test_loss": 0.5})
            run.finish()
        outcomes[job] = {"runs": [run.run_id]}
    outcomes[3] |= {"status": "failed", "error": "ValueError: no such luck"}
    write_sweep(tmp_path, RATES, name=SWEEP, outcomes=outcomes)
    return tmp_path


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("command", ["leaderboard", "jobs"])
def test_swept_columns_are_the_last_to_go_and_each_left_out_one_is_named(
    store: Path, command: str, columns: int
) -> None:
    text = on_terminal(columns, command, "latest", "--store", str(store))
    names, rows = table(text)
    assert max(len(line) for line in plain(text).splitlines() if "───" in line) <= columns
    if columns >= 40:
        assert {"learning_rate", "dropout"} <= set(names)
    assert [row[1] for row in rows if row[0] in {"1", "2", "3"}]
    if columns == 200:
        assert {"run", "time", "status"} <= set(names)
        assert "no room for" not in text
    if columns <= 60:
        said = " ".join(plain(text).split())
        assert "time" in said.partition("no room for: ")[2].partition(";")[0].split(", ")


def test_epochs_go_first_then_the_time_the_test_metrics_the_status_and_the_run(store: Path) -> None:
    gone: list[str] = []
    for columns in range(120, 39, -1):
        text = on_terminal_names(store, columns)
        gone += [name for name in text if name not in gone]
    assert gone == ["epochs", "time", "test_loss", "test_acc", "test_auc", "status", "run"]


def on_terminal_names(store: Path, columns: int) -> list[str]:
    """The columns of the leaderboard for which a terminal has no room."""
    from sweeps.display.tables import _row_columns
    from sweeps.ranking.aggregate import rank

    board = rank(store / "sweeps" / "20260131-093000")
    every = _row_columns(board, board.rows)
    kept = {id(column) for column, _ in fit(every, columns)}
    return [column.name for column in every if id(column) not in kept]


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_an_id_is_on_one_line(store: Path, columns: int) -> None:
    text = plain(on_terminal(columns, "list", "--store", str(store)))
    assert "20260131-093000" in text
    assert "finished" in text
    assert max(map(len, text.splitlines())) <= columns


def test_in_a_pipe_cells_are_whole(tmp_path: Path, podium: Callable) -> None:
    long = "x" * 300
    write_sweep(tmp_path, [{"a.path": long}, {"a.path": long[1:]}])
    for command in ("leaderboard", "jobs", "show"):
        assert long in podium(command, "latest", "--store", str(tmp_path)).out


def test_values_that_differ_in_the_middle_still_differ_when_they_are_cut(tmp_path: Path) -> None:
    points = [
        {"data.path": f"/data/sets/of/the/shop/version_{n}/train_and_validation.parquet"} for n in range(9)
    ]
    write_sweep(tmp_path, points)
    for columns in (80, 60, 40, 30):
        text = plain(on_terminal(columns, "jobs", "latest", "--store", str(tmp_path)))
        values = re.findall(r"\S*…\S*", text)
        assert len(values) == len(set(values)) == 9
        assert "some cells are cut" in " ".join(text.split())


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_show_fits_a_terminal_with_a_line_per_key(tmp_path: Path, columns: int) -> None:
    long = [{"a.very.long.path.to.the.learning_rate": f"{'v' * 50}{n}", "dims": [64, n]} for n in range(5)]
    write_sweep(tmp_path, long)
    lines = plain(on_terminal(columns, "show", "latest", "--store", str(tmp_path))).splitlines()
    swept = lines[1 : next(number for number, line in enumerate(lines) if line.startswith("ranked"))]
    assert max(map(len, swept)) <= columns
    assert "learning_rate:" in swept[0]
    assert "[64, 3]" in "\n".join(swept)


def test_the_live_table_and_the_preview_keep_what_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [PlannedJob(number, (), point, None) for number, point in enumerate(RATES)]
    objective = Objective("val_auc", Direction.MAX, At.BEST)
    for width in (40, 60):
        board = Scoreboard(jobs, list(RATES[0]), objective, slots=2)
        board.finished(Outcome(0, JobStatus.COMPLETED, 1.0, runs=("run_001",)), 0.5)
        board.heard(Event(EventKind.STARTED, 1, {}))
        board.heard(Event(EventKind.RUN, 1, {"run": "run_002"}))
        console = Console(file=io.StringIO(), width=width, height=14, force_terminal=True)
        live = LiveTable(console, board, lambda _run: None)
        with live.drawing():
            live.say("a note that is longer than one line of a narrow terminal can hold, and longer than two")
        console.file = io.StringIO()
        console.print(live.render())
        drawn = plain(console.file.getvalue()).splitlines()
        assert {"learning_rate", "dropout"} <= set(drawn[0].split())
        assert len(drawn) < 14
        assert max(map(len, drawn)) <= width
        assert " ".join(" ".join(drawn).split()).endswith("and longer than two")
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setenv("COLUMNS", "40")
    tell_plan(None, jobs, list(RATES[0]), 2, tmp_path)
    assert {"learning_rate", "dropout"} <= set(table(out.getvalue())[0])


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["training.learning_rate", "seed"], ["learning_rate", "seed"]),
        (["model.encoder.depth", "model.decoder.depth"], ["encoder.depth", "decoder.depth"]),
        (["a.b.c", "b.c"], ["a.b.c", "b.c"]),
        (["job.status", "task.run"], ["job.status", "task.run"]),  # columns of ours
        (["layers.0", "layers.1.dim"], ["layers.0", "dim"]),
        (["model/encoder", "db@source"], ["encoder", "db@source"]),
        (["loss.val_auc"], ["loss.val_auc"]),  # the objective
        (["status", "params.status", "val_auc"], ["params.params.status", "params.status", "params.val_auc"]),
        (["a.", ".", ""], ["a.", ".", ""]),
    ],
)
def test_a_key_is_shown_by_the_last_parts_that_no_other_column_has(keys: list[str], names: list[str]) -> None:
    assert list(short_names(keys, ["val_auc"]).values()) == names


@given(st.lists(st.text("ab.0/", max_size=8), unique=True, max_size=8))
def test_short_names_are_as_different_as_the_keys(keys: list[str]) -> None:
    names = short_names(keys)
    assert len(set(names.values())) == len(keys)
    assert all(key.endswith(name) for key, name in names.items())


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 30))
def test_a_cut_text_is_no_wider_than_asked_and_others_are_whole(texts: list[str], width: int) -> None:
    texts = [text for text in texts if text.isprintable()]
    for text, short in zip(texts, cut(texts, width), strict=True):
        assert cell_len(short) <= width
        assert short == text if cell_len(text) <= width else "…" in short


columns = st.builds(
    lambda name, cells, drop, keeps: Column(
        name, cells, drop=1 if keeps else drop, keeps=keeps, brief=name[:3]
    ),
    st.text("abcdef", min_size=1, max_size=15),
    st.lists(st.text("xyz", max_size=60), min_size=2, max_size=2),
    st.integers(0, 5),
    st.booleans(),
)


@given(st.lists(columns, min_size=1, max_size=6), st.integers(1, 120))
def test_a_table_fits_and_no_kept_column_goes_before_one_that_may_be_left_out(
    every: list[Column], width: int
) -> None:
    kept = fit(every, width)
    room = width - GAP * (len(kept) - 1)
    if any(column.keeps for column in every) and room >= len(kept):
        assert sum(short.width for _, short in kept) <= room
    stays = {id(column) for column, _ in kept}
    gone = [column for column in every if id(column) not in stays]
    if any(column.keeps for column in gone):
        assert not any(column.drop and not column.keeps for column, _ in kept)
    assert all(column.drop for column in gone)
