"""Wide runs and long texts: the work of a command grows as what it shows, and no cell floods a table."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker
from tracking.cli.columns import warn_unknown
from tracking.cli.toolkit.fitting import Column, fit
from tracking.cli.toolkit.tables import fitting_table
from tracking.search.query import Field, FieldKind, Names, parse_field

LONG = "x" * 125_000 + "y" * 125_000


def steps_of(call: Callable[[], object]) -> int:
    """The number of bytecode instructions that a call takes, wherever they are."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an experiment of one run for each number of names."""
    base = tmp_path_factory.mktemp("wide") / "experiments"
    for width in (100, 200, 400):
        params = {f"p{i}": i for i in range(width)} | {f"model.{i}": i for i in range(width)}
        with ExperimentTracker(base).start_run(f"n{width}", params=params, capture_output=False) as run:
            run.log({f"layer{i}/norm": float(i) for i in range(width)})
            run.set_tags({f"t{i}": "x" for i in range(width)})
    return base


@pytest.mark.parametrize(
    "words",
    [
        ("list", "{}", "--json"),
        ("list", "{}"),
        ("search", "--experiment", "{}", "--json"),
        ("compare", "{}", "--json"),
        ("compare", "{}"),
        ("compare", "{}", "--grouped", "--json"),
        ("compare", "{}", "--differing"),
        ("best", "{}"),
        ("watch", "{}", "--once", "--json"),
        ("export", "{}"),
        ("export", "{}", "--format", "json"),
    ],
    ids=" ".join,
)
def test_twice_as_many_names_take_twice_the_work(wide: Path, say: Say, words: tuple[str, ...]) -> None:
    def work(width: int) -> int:
        arguments = [word.format(f"n{width}") for word in words]
        return steps_of(lambda: say(*arguments, "--store", str(wide)))

    work(100)  # loads what the command needs
    few, some, many = work(100), work(200), work(400)
    assert many - some < 2.5 * (some - few)


def test_a_warning_about_unknown_names_costs_no_look_at_every_known_one() -> None:
    def work(width: int) -> int:
        names = Names(frozenset(f"a.b{i}" for i in range(width)), frozenset(), frozenset())
        fields = [Field(FieldKind.PARAM, f"a.b{i}.c") for i in range(width)]
        return steps_of(lambda: warn_unknown(fields, names))

    assert work(400) < 2.5 * work(200)


def test_fitting_many_columns_into_a_terminal_takes_work_like_their_number() -> None:
    def work(count: int) -> int:
        columns = [Column(f"c{index}", ["1.0"], drop=index) for index in range(count)]
        return steps_of(lambda: fit(columns, 80))

    assert work(800) < 2.5 * work(400)
    columns = [Column(f"c{index}", ["1.0"], drop=index) for index in range(5000)]
    _, note = fitting_table(columns, 80)
    assert note.startswith("no room for: c")
    assert len(note) < 300


def test_few_wide_runs_are_read_as_many_columns_are(wide: Path, say: Say) -> None:
    all_at_once = json.loads(say("list", "n100", "--json", "--store", str(wide))[1])[0]
    names = [name for name in all_at_once if name not in ("run_id", "status", "created_at", "duration_s")]
    assert len(names) == 300
    for start in range(0, 300, 50):
        some = [
            str(parse_field(name)) if "/" not in name else f"metrics.`{name}`"
            for name in names[start : start + 50]
        ]
        row = json.loads(say("list", "n100", "--columns", ",".join(some), "--json", "--store", str(wide))[1])[
            0
        ]
        assert [row[name] for name in names[start : start + 50]] == [
            all_at_once[name] for name in names[start : start + 50]
        ]


def test_a_long_text_floods_no_table_and_is_whole_in_json(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    for number in range(20):
        text = LONG if number == 3 else "short"
        with tracker.start_run(
            "e", params={"prompt": text, "parts": [text]}, description=text, capture_output=False
        ) as run:
            run.log({"loss": 0.5 - (number == 3)})
    for words in (
        ("compare", "e"),
        ("list", "e", "--columns", "prompt,parts,description"),
        ("search", "--columns", "prompt"),
        ("show", "run_004"),
        ("best", "e"),
        ("diff", "run_001", "run_004"),
    ):
        _, out, _ = say(*words, "--store", str(base))
        assert len(out) < 20_000
        assert "(250,000 characters; --json has all)" in out
        assert len(max(out.splitlines(), key=len)) < 4_000
    told = json.loads(say("show", "run_004", "--json", "--store", str(base))[1])
    assert told["params"] == {"prompt": LONG, "parts": [LONG]}
    assert say("export", "e", "--store", str(base))[1].count(LONG) == 3
