"""Whatever text the files of a sweep hold, no command writes a character that a terminal obeys."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from written import write_sweep

from hydra_plugins.podium.errors import PodiumError
from sweeps.cli.app import main
from sweeps.display.json_events import JsonLines
from sweeps.display.live import LiveTable
from sweeps.display.plain import Lines
from sweeps.display.scoreboard import Scoreboard
from sweeps.errors import SettingsError
from sweeps.jobs import Event, EventKind, JobStatus, Outcome, PlannedJob
from tracking.cli.toolkit.output import console
from tracking.objective import Objective

NASTY = "\x1b]0;pwned\x07\x1b[2J\r\x08\x7f\x9b31m\u202e\u2066\u200b\nand a line of its own"
COMMANDS = ("list", "show hs", "jobs hs", "leaderboard hs", "aggregate hs")
text = st.text(max_size=12) | st.text("\x1b\x07\x08\x7f\x9b\u202e\r\n\t[]ab|;", max_size=12) | st.just(NASTY)
value = st.recursive(
    text | st.integers() | st.floats(allow_nan=False) | st.none(), lambda inner: st.lists(inner, max_size=2)
)


class Stream(io.TextIOWrapper):
    """A stream that says it leads to a terminal, or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def written(self) -> str:
        self.flush()
        written = self.buffer.getvalue().decode()
        # the colours of ours; a pipe has none
        return re.sub(r"\x1b\[[0-9;]*m", "", written) if self._is_terminal else written


def obeyed(written: str) -> list[str]:
    """The characters of a text that are neither printable nor the end of a line."""
    return [char for char in written if not (char.isprintable() or char == "\n")]


def said(*arguments: str, is_terminal: bool) -> tuple[str, str]:
    """What a command writes to stdout and to stderr."""
    out, err = Stream(is_terminal=is_terminal), Stream(is_terminal=is_terminal)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        main(arguments)
    finally:
        sys.stdout, sys.stderr = before
    return out.written(), err.written()


@settings(max_examples=25)
@given(
    keys=st.lists(text, min_size=1, max_size=3, unique=True),
    values=st.lists(value, min_size=3, max_size=3),
    name=text,
    error=text,
    metric=text.filter(bool),
    is_terminal=st.booleans(),
)
def test_no_text_of_a_plan_or_a_ledger_is_obeyed(
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[str],
    values: list[Any],
    name: str,
    error: str,
    metric: str,
    is_terminal: bool,
) -> None:
    store = tmp_path_factory.mktemp("store")
    points = [dict(zip(keys, [each, *values], strict=False)) for each in values]
    outcomes = {0: {"status": "failed", "error": error, "traceback": error}, 1: {"value": {metric: 1.0}}}
    folder = write_sweep(
        store,
        points,
        name="hs",
        outcomes=outcomes,
        objective={"metric": metric, "mode": "max", "at": "best"},
        report=[metric, "other\x1b"],
        command=[name, NASTY],
        created_at=name,
        seed_key=name,
    )
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "sweep": name}))
    verdict = {"promoted": False, "model_name": name, "reasons": [error, NASTY]}
    (folder / "promotion.json").write_text(json.dumps(verdict))
    for command in COMMANDS:
        for words in ([], ["--json"]):
            out, err = said(*command.split(), *words, "--store", str(store), is_terminal=is_terminal)
            assert obeyed(out + err) == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_value_with_newlines_adds_no_lines(tmp_path: Path, is_terminal: bool) -> None:
    forged = "x\nLeaderboard of sweep other\n1  run_001  0.9"
    outcomes = {0: {"status": "failed", "error": forged}}
    write_sweep(tmp_path, [{"a": forged}, {"a": "y"}], name="hs", outcomes=outcomes)
    plan = tmp_path / "sweeps" / "hs" / "plan.json"
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "sweep": forged, "command": [forged]}))
    for command in COMMANDS:
        out, _ = said(*command.split(), "--store", str(tmp_path), is_terminal=is_terminal)
        assert not re.search(r"^Leaderboard of sweep other", out, re.MULTILINE)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("command", ["list", "show latest", "show nope", "logs hs 9"])
def test_damaged_files_and_names_are_told_without_their_control_characters(
    tmp_path: Path, command: str, is_terminal: bool
) -> None:
    write_sweep(tmp_path, [{"a": 1}], name="hs")
    folder = tmp_path / "sweeps" / f"bad{NASTY.replace('/', '')}"
    folder.mkdir()
    (folder / "plan.json").write_text(f'{{"version": "{"x" * 10}\u202e"}}')
    out, err = said(*command.split(), "--store", str(tmp_path), is_terminal=is_terminal)
    assert obeyed(out + err) == []
    assert err.count("\n") <= 1


def board() -> Scoreboard:
    job = PlannedJob(0, (), {f"key.{NASTY}": NASTY}, None)
    return Scoreboard([job], [f"key.{NASTY}"], Objective.of(NASTY, "max", "best"), slots=1)


def lines(out: Stream) -> Lines:
    return Lines(out, board())


def table(out: Stream) -> LiveTable:
    return LiveTable(console(out), board(), lambda _run: None)


@pytest.mark.parametrize(("make", "is_terminal"), [(lines, False), (lines, True), (table, True)])
def test_nothing_is_obeyed_while_a_sweep_runs(
    make: Callable[[Stream], Lines], is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Stream(is_terminal=is_terminal)
    progress = make(out)
    progress.began(Path("sweeps") / NASTY)
    progress.heard(Event(EventKind.STARTED, 0, {}))
    progress.heard(Event(EventKind.RUN, 0, {"run": NASTY}))
    progress.heard(Event(EventKind.RETRY, 0, {"attempt": 1, "error": NASTY}))
    progress.say(f"a note {NASTY}")
    progress.finished(Outcome(0, JobStatus.FAILED, 1.0, error=NASTY, runs=(NASTY,)), 0.5)
    if isinstance(progress, LiveTable):
        progress._console.print(progress.render())
    assert obeyed(out.written()) == []


def test_events_are_json_of_the_same_values_without_such_characters() -> None:
    written: list[bytes] = []
    JsonLines(written.append, board()).finished(Outcome(0, JobStatus.FAILED, 1.0, error=NASTY), None)
    assert obeyed(written[0].decode()) == []
    assert json.loads(written[0])["error"] == NASTY


def test_an_error_that_hydra_prints_is_escaped() -> None:
    message = str(PodiumError.of(SettingsError(f"x={NASTY}: is not allowed")))
    assert obeyed(message) == []
    assert "x=\\x1b]0;pwned" in message
