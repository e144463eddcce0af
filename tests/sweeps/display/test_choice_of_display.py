"""Which display a sweep gets: a table that is redrawn where the cursor can move, lines elsewhere."""

import io
import sys

import pytest

from sweeps.display.live import LiveTable
from sweeps.display.plain import Lines
from sweeps.display.progress import make_progress
from sweeps.display.scoreboard import Scoreboard
from sweeps.settings.sweeper_settings import OutputMode
from tracking.objective import Objective

VARIABLES = ("TERM", "JPY_PARENT_PID", "MPLBACKEND")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "mode", "display"),
    [
        ({"TERM": "xterm"}, OutputMode.AUTO, LiveTable),
        ({"TERM": "xterm"}, OutputMode.LINES, Lines),
        ({"TERM": "dumb"}, OutputMode.AUTO, Lines),
        ({"TERM": "xterm-color", "JPY_PARENT_PID": "7"}, OutputMode.AUTO, Lines),
        (
            {"TERM": "xterm-color", "MPLBACKEND": "module://matplotlib_inline.backend_inline"},
            OutputMode.AUTO,
            Lines,
        ),
        ({"TERM": "xterm-color", "JPY_PARENT_PID": "7"}, OutputMode.TABLE, LiveTable),
        ({"TERM": "xterm", "MPLBACKEND": "agg"}, OutputMode.AUTO, LiveTable),
    ],
)
def test_the_display_suits_what_shows_it(
    environment: dict[str, str], mode: OutputMode, display: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    board = Scoreboard([], [], Objective.of("val_auc"), slots=1)
    assert type(make_progress(mode, None, board, lambda _: None)) is display
