"""Pictures as files: their formats, the same bytes each time, and users' text that is drawn as it is."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tracking.errors import InvalidValueError
from tracking.objective import Objective
from tracking.plots import (
    Curve,
    Look,
    PictureFormat,
    draw_curves,
    draw_parallel,
    draw_scatter,
    write_figure,
)
from tracking.plots.sheet import literal, number, shortened, told_apart
from tracking.records import MetricSummary, RunRecord, RunStatus

ROOT = Path(__file__).parents[3]
MAGIC = {PictureFormat.PNG: b"\x89PNG\r\n", PictureFormat.SVG: b"<?xml", PictureFormat.PDF: b"%PDF-1."}
SCRIPT = """
import sys
from pathlib import Path
from tracking.objective import Objective
from tracking.plots import Curve, Look, draw_curves, write_figure
curves = [Curve(f"run_{n}", [0, 1], [0.1 * n, 0.2]) for n in range(12)]
for kind in ("png", "svg", "pdf"):
    write_figure(Path(sys.argv[1], f"a.{kind}"), draw_curves(Objective.of("val_auc"), curves, Look("x")))
assert not {"matplotlib.pyplot", "tkinter"} & set(sys.modules)
"""


def test_each_format_is_what_its_name_says_and_the_same_from_every_process(tmp_path: Path) -> None:
    folders = [tmp_path / "1", tmp_path / "2"]
    for folder in folders:
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": folder.name, "DISPLAY": "", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "error", "-c", SCRIPT, str(folder)]
        subprocess.run(command, check=True, env=environment)
    for kind, magic in MAGIC.items():
        first, second = ((folder / f"a.{kind}").read_bytes() for folder in folders)
        assert first.startswith(magic)
        assert first == second
    assert len(list(tmp_path.rglob("*.*"))) == 6


def test_pdf_embeds_its_fonts_and_svg_needs_none(tmp_path: Path) -> None:
    figure = draw_curves(Objective.of("auc"), [Curve("run_001", [0, 1], [0.1, 0.2])], Look("x"))
    assert b"/FontFile2" in write_figure(tmp_path / "a.pdf", figure).read_bytes()
    assert b"<text" not in write_figure(tmp_path / "a.svg", figure).read_bytes()


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.PNG.gz", "png"])
def test_an_unknown_ending_is_refused_with_those_that_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    figure = draw_curves(Objective.of("auc"), [Curve("run_001", [0], [0.1])], Look("x"))
    with pytest.raises(InvalidValueError, match=rf"{re.escape(name)}' ends in none of \.png, \.svg, \.pdf"):
        write_figure(Path(name), figure)
    assert not list(tmp_path.iterdir())


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    figure = draw_curves(Objective.of("auc"), [Curve("run_001", [0], [0.1])], Look("x"))
    assert write_figure(tmp_path / "A.SVG", figure).read_bytes().startswith(b"<?xml")


def test_a_picture_is_written_to_the_target_of_a_link(tmp_path: Path) -> None:
    figure = draw_curves(Objective.of("auc"), [Curve("run_001", [0], [0.1])], Look("x"))
    (tmp_path / "link.svg").symlink_to("real.svg")
    write_figure(tmp_path / "link.svg", figure)
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "real.svg").read_bytes().startswith(b"<?xml")


HOSTILE = [
    "$x_{$",
    r"\frac{1}{0} $\alpha$ $$",
    "a%b#c&d_e^f~g{h}",
    "点击率",
    "\U0001f600",
    "_hidden",
    "é\u0301",
    "x" * 300,
    "]]>&<b>",
]


def record(name: str, value: float, params: dict[str, object]) -> RunRecord:
    summary = MetricSummary(value, 0, value, 0, value, 0, 1, 0)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return RunRecord(name, name, RunStatus.COMPLETED, now, None, {}, "", Path("x"), params, {name: summary})


@pytest.mark.parametrize("name", HOSTILE)
def test_text_of_users_is_drawn_as_it_is(name: str) -> None:
    objective = Objective.of(name)
    runs = [record(name, 0.1, {name: name, "other": name}), record(name, 0.2, {name: 1})]
    for figure in (
        draw_curves(objective, [Curve(name, [0, 1], [0.1, 0.2])] * 10, Look(name)),
        draw_scatter(objective, runs, Look(name)),
        draw_parallel(objective, runs, Look(name)),
    ):
        figure.draw_without_rendering()  # lays out every text; a formula or a missing letter would raise here


@pytest.mark.parametrize("kind", list(PictureFormat))
def test_every_format_can_hold_any_text(tmp_path: Path, kind: PictureFormat) -> None:
    figure = draw_curves(Objective.of("x"), [Curve(name, [0], [0.1]) for name in HOSTILE], Look("$", best=9))
    picture = write_figure(tmp_path / f"a.{kind}", figure).read_bytes()
    assert picture.startswith(MAGIC[kind])
    if kind is PictureFormat.SVG:
        ElementTree.fromstring(picture)


def test_a_dollar_is_a_dollar() -> None:
    figure = draw_curves(Objective.of("cost_$"), [Curve("$a$", [0], [0.1])], Look("$x$ and $y$"))
    title = figure.texts[0]
    assert title._preprocess_math(title.get_text()) == ("$x$ and $y$", False)
    label = figure.axes[0].get_legend().get_texts()[0]
    assert label._preprocess_math(label.get_text())[0].startswith("$a$ ")


def test_letters_that_no_font_has_and_line_breaks_are_shown_as_signs_on_one_line() -> None:
    assert literal("a\nb\tc") == "a b c"
    assert literal("x\U000f0000y") == "x\N{REPLACEMENT CHARACTER}y"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("short", "short"), ("exactly_10", "exactly_10"), ("abcdefghijklmnop", "abcde…mnop")],
)
def test_long_text_loses_its_middle(text: str, shown: str) -> None:
    assert shortened(text, 10) == shown


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["/data/sets/one/train.csv", "/data/sets/two/train.csv"], ["…one…", "…two…"]),
        (["short", "names"], ["short", "names"]),
        (["/very/long/path/to/one.csv"], ["/very/l…ne.csv"]),
        (["a_long_name_for_this", "a_long_name_for_this_too"], ["…this", "…this_too"]),
    ],
)
def test_names_lose_what_they_share(texts: list[str], shown: list[str]) -> None:
    assert told_apart(texts, 14) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (128, "128"),
        (1e-5, "1e-5"),
        (0.123456, "0.1235"),
        (1e6, "1e6"),
        (-2.5e-7, "-2.5e-7"),
        (float("inf"), "inf"),
        (999_999, "999999"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
