"""The small Hydra app that sweeps are tested with, and what its command leaves behind."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracking.files import read_json, read_lines

APP = Path(__file__).parent / "apps" / "quadratic" / "app.py"


@dataclass
class Sweep:
    """What a finished command left behind."""

    code: int
    out: str
    err: str
    cwd: Path

    @property
    def dir(self) -> Path:
        (folder,) = (self.cwd / "experiments" / "sweeps").iterdir()
        return folder

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read_json(self.dir / "leaderboard.json")["rows"]
        return rows

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(read_lines(self.dir / "jobs.jsonl"))

    @property
    def planned(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "asked"]


def await_true(question: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def completed(sweep: Sweep) -> Sweep:
    assert sweep.code == 0, sweep.out + sweep.err
    return sweep
