"""Timestamps: the local time of now, as text."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from tracking.values import timestamps

# The first and the last hour of summer time in Europe in 2026, and others of the year.
SECONDS = (1_774_745_999, 1_774_746_000, 1_792_889_999, 1_792_890_000, 1_796_000_000, 1_700_000_059)
# A cycle that nobody collects is taken apart last, when the interpreter has let go of its modules.
LATE = """
import gc, os
from tracking.values.timestamps import now

class Late:
    def __init__(self):
        self.cycle = self

    def __del__(self, write=os.write, now=now):
        write(1, now().encode())

gc.disable()
Late()
"""


@pytest.fixture(
    params=["UTC", "Europe/Vienna", "Asia/Kolkata", "America/St_Johns", "OWN-1:23:45", "OWN+0:00:30"]
)
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(timestamps, "_known", (0.0, 0.0, ""))
    monkeypatch.setattr(timestamps, "_second", (-1, "", ""))
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_now_is_what_datetime_says_with_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for second in SECONDS:
        moment = second + 0.25
        monkeypatch.setattr(time, "time_ns", lambda at=second: at * 10**9 + 250_000_000)
        monkeypatch.setattr(timestamps, "_clock", lambda at=moment: at)
        text = timestamps.now()
        assert text == datetime.fromtimestamp(moment).astimezone().isoformat(timespec="milliseconds")
        assert timestamps.parse(text).timestamp() == moment


def test_a_finalizer_that_runs_as_the_interpreter_ends_can_ask_for_the_time() -> None:
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    timestamps.parse(done.stdout)
