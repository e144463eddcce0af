"""A value stays in its cell of leaderboard.csv and leaderboard.md, whatever it is; leaderboard.json has it exactly."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from written import write_sweep

from sweeps.display.tables import parameter, swept_columns
from sweeps.jobs import JobState
from sweeps.ranking.aggregate import aggregate
from sweeps.ranking.leaderboard import Candidate, Leaderboard, Row, write_leaderboard
from sweeps.ranking.table_text import told_apart
from tracking.cli.toolkit.output import one_line
from tracking.files import read_json
from tracking.objective import At, Direction, Objective

MARKDOWN = [MarkdownIt("commonmark").enable("table"), MarkdownIt("js-default")]
HTML = "x\n\n# Heading <img src=x onerror=alert(1)>\n<script>a</script> &lt; &#60; <!-- -->"
NASTY = (
    HTML,
    "a|b", "a\\|b", "a\\\\|b", "\\", "|", "a\\", "`a|b`", "``", "` | `", "*a* _b_ __c__ ~~d~~ **",
    "[a](http://b)", "![a](b)", "[a]: b", "<http://a.b>", "https://a.b www.a.b c@d.e", "$x$", "---", "- a", "1. a",
    "> a", "    code", "a\r\nb", "a\u2028b", "\x1b[31m", "\u202e", "{{ x }}", "a  \nb", "\u200b", "|---|",
)  # fmt: skip
FORMULAS = (
    "\x1b[31m\x07\x00\x9b", "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "=cmd|' /C calc'!A0",
)  # fmt: skip
text = st.text(max_size=15) | st.text("|\\`*_[]()<>&#!~$-+=@:/.\n\r ab1", max_size=15)


def each_of(values: Iterable[str], **others: str) -> Callable[[Any], Any]:
    """Try each of the values too, beside those that are drawn."""

    def decorated(test: Any) -> Any:
        for value in values:
            test = example(value=value, **others)(test)
        return test

    return decorated


def board(key: str, value: Any, error: str | None = None, name: str = "mine") -> Leaderboard:
    objective = Objective("loss", Direction.MIN, At.BEST)
    row = Row(1, 0, "run_001", {key: value}, 0.5, {"test_loss": 0.25}, 3, 4.0, JobState.COMPLETED, error)
    return Leaderboard(name, objective, (key,), ("test_loss",), (row,))


def written(folder: Path, leaderboard: Leaderboard) -> tuple[str, str]:
    write_leaderboard(leaderboard, folder)
    return (folder / "leaderboard.csv").read_bytes().decode(), (folder / "leaderboard.md").read_text()


def shown(inline: Token) -> str:
    """The text of a cell, a heading or a paragraph that is nothing but text."""
    assert [child.type for child in inline.children or ()] in ([], ["text"])
    return "".join(child.content for child in inline.children or ())


@pytest.mark.parametrize("markdown", MARKDOWN, ids=["commonmark", "with-extensions"])
@given(key=text, value=text, name=text)
@each_of(NASTY, key="x", name="mine")
@example(key="training.learning_rate", value="__init__", name="a_b")
def test_markdown_shows_keys_values_errors_and_names_as_text_in_their_cells(
    tmp_path_factory: pytest.TempPathFactory, markdown: MarkdownIt, key: str, value: str, name: str
) -> None:
    _, page = written(tmp_path_factory.getbasetemp(), board(key, value, error=value, name=name))
    tokens = markdown.parse(page)
    kinds = [token.type for token in tokens if token.level == 0]
    assert kinds == [
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "table_open", "table_close",
    ]  # fmt: skip
    heading, paragraph, *cells = [shown(token) for token in tokens if token.type == "inline"]
    assert heading.split() == f"Sweep {one_line(name)}".split()
    assert paragraph == "Ranked by the best loss (min)."
    assert cells[2].split() == one_line(key).split()
    assert len(cells) == 2 * 9
    assert cells[11].split() == one_line(value).split()
    assert cells[17].split() == one_line(value).split()


def test_ordinary_names_are_readable_in_the_markdown_itself(tmp_path: Path) -> None:
    _, page = written(tmp_path, board("training.learning_rate", "1e-3"))
    assert "training.learning_rate | loss | test_loss |" in page
    assert "| run_001 | 1e-3 | 0.5 |" in page


@given(key=text, value=text)
@each_of(FORMULAS, key="x")
@example(key="=x", value="1")
def test_the_csv_has_a_row_per_job_and_no_formula(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
) -> None:
    def kept(text: str) -> str:
        controls = [char for char in text if unicodedata.category(char) == "Cc" and char not in "\t\n\r"]
        for char in controls:
            text = text.replace(char, repr(char)[1:-1])
        return text.removeprefix("'")

    text, _ = written(tmp_path_factory.getbasetemp(), board(key, value, error=value))
    head, row = csv.reader(io.StringIO(text, newline=""))
    assert head[2].removeprefix("'") == kept(key)
    assert row[2].removeprefix("'") == kept(value)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
    for cell in (head[2], row[2], row[-1]):
        assert not cell or cell[0] not in "=@\t\r\n\uff1d\uff0b\uff0d\uff20"
        assert not cell or cell[0] not in "+-" or float(cell) is not None


@pytest.mark.parametrize("value", [-1, -1.5, "-1", "+1e-3", "-inf", 0.001, [-1, 2], None, True])
def test_numbers_and_what_is_no_formula_stay_as_they_are_in_the_csv(tmp_path: Path, value: object) -> None:
    text, _ = written(tmp_path, board("x", value))
    row = list(csv.reader(io.StringIO(text)))[1]
    assert row[2] == ("" if value is None else str(value))


def test_the_json_is_exact(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, [{"a\n|": f"={HTML}\x1b"}])
    aggregate(folder)
    assert read_json(folder / "leaderboard.json")["rows"][0]["point"] == {"a\n|": f"={HTML}\x1b"}
    assert "\n# Heading" not in (folder / "leaderboard.md").read_text()


OURS = [
    "rank",
    "run",
    "loss",
    "epochs",
    "duration_s",
    "status",
    "error",
    "n",
    "loss_std",
    "jobs",
    "test_loss",
]
names = st.lists(st.sampled_from([*OURS, "x", "metrics.loss", "params.rank"]), unique=True)


@settings(max_examples=30)
@pytest.mark.parametrize("repeats", [(), ("seed",), ("seed", "data.fold")])
@given(swept=names, report=st.lists(st.sampled_from([*OURS, "metrics.loss"])))
@example(swept=["status", "rank", "x"], report=["loss"])
def test_no_two_columns_have_the_same_name(
    tmp_path_factory: pytest.TempPathFactory, repeats: tuple[str, ...], swept: list[str], report: list[str]
) -> None:
    point = {key: f"value of {key}" for key in swept}
    one = replace(board("x", 1), swept=tuple(swept), report=tuple(report), repeats=repeats)
    one = replace(one, rows=(replace(one.rows[0], point=point),))
    if repeats:
        mean = Candidate(1, point, (0,), 1, 0.5, None, {}, {}, None)
        one = replace(one, candidates=(mean,))
    text, _ = written(tmp_path_factory.getbasetemp(), one)
    (row,) = csv.DictReader(io.StringIO(text))
    assert len(row) == len(text.splitlines()[0].split(","))
    assert (row["rank"], row["loss"]) == ("1", "0.5")
    assert {f"value of {key}" for key in swept} <= set(row.values())
    columns = [name for name, value in row.items() if value.startswith("value of ")]
    assert all(name.endswith(key) for name, key in zip(columns, swept, strict=True))


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1, 2.0, "a", None, True], ["1", "2", "a", "null", "True"]),
        ([1, 1.0, "1", 2], ["1", "1.0", "'1'", "2"]),
        ([math.nan, "nan", 0.5], ["nan", "'nan'", "0.5"]),
        ([None, "null", "None"], ["null", "'null'", "None"]),
        ([True, "True"], ["True", "'True'"]),
        ([0.1234567, 0.1234568, 0.5, 0.5], ["0.1234567", "0.1234568", "0.5", "0.5"]),
        ([[1], "[1]"], ["[1]", "'[1]'"]),
    ],
)
def test_different_values_of_a_column_do_not_look_alike(
    tmp_path: Path, values: list[Any], texts: list[str]
) -> None:
    assert told_apart(values, parameter) == texts
    columns = swept_columns(["x"], [{"x": value} for value in values] + [{}])
    assert columns[0].cells == [*texts, "-"]
    one = board("x", 1)
    rows = tuple(replace(one.rows[0], job=job, point={"x": value}) for job, value in enumerate(values))
    text, _ = written(tmp_path, replace(one, rows=rows))
    cells = [row["x"] for row in csv.DictReader(io.StringIO(text))]
    assert len(set(cells)) == len(set(map(repr, values)))
