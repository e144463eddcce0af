"""Sweeps that are written to a store without being run, and what a terminal shows of them."""

import json
import os
import pty
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import forked

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-01-31T09:30:00+00:00"


def write_sweep(
    store: Path,
    points: Iterable[Mapping[str, Any]],
    *,
    name: str = "20260131-093000",
    outcomes: Mapping[int, Mapping[str, Any]] | None = None,
    **plan: Any,
) -> Path:
    """Write the plan and the ledger of a sweep that has ended; a job completed with its number as value by default."""
    folder, points = store / "sweeps" / name, list(points)
    folder.mkdir(parents=True)
    head = {
        "version": 2,
        "sweep": name,
        "created_at": AT,
        "command": ["python", "app.py", "-m"],
        "swept": list(dict.fromkeys(key for point in points for key in point)),
        "objective": {"metric": "val_auc", "mode": "max", "at": "best"},
        "report": None,
        "total": len(points),
        "cwd": "/tmp",
    }
    (folder / "plan.json").write_text(json.dumps({**head, **plan}))
    with (folder / "jobs.jsonl").open("w") as ledger:
        for job, point in enumerate(points):
            asked = {"event": "asked", "job": job, "point": point, "overrides": [], "key": None, "at": AT}
            ended = {
                "event": "finished",
                "job": job,
                "status": "completed",
                "wall_s": 65.0,
                "runs": [],
                "value": {"val_auc": job / 10},
                "at": AT,
            }
            ended |= (outcomes or {}).get(job, {})
            ledger.write(f"{json.dumps(asked)}\n{json.dumps(ended)}\n")
    return folder


def on_terminal(columns: int, *arguments: str, program: str = "sweeps", cwd: Path | None = None) -> str:
    """Return what a command writes to a terminal of so many columns, escape codes included."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    with forked.start(
        "-m", program, *arguments, stdout=follower, stdin=follower, env=environment, cwd=cwd
    ) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:
            pass  # how a terminal says that the other side is closed
    os.close(leader)
    assert process.returncode == 0, shown
    return shown.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Return a text without the codes of colours and styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
