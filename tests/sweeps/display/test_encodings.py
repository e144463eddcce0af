"""What a terminal or a pipe cannot encode is escaped: it costs neither a sweep nor a job, and files hold it as it is."""

import os
import subprocess
import sys
from pathlib import Path

import forked
import pytest
from quadratic import APP

from tracking.files import read_json, read_lines

VALUES = ("é", "日本", "😀")
SWEEP = ("-m", "+name=" + ",".join(f"'{value}'" for value in VALUES), "hydra.sweeper.name=mine")
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "POSIX": {"LC_ALL": "POSIX"},
}


def run(folder: Path, encoding: str, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command; where its locale matters, in an interpreter of its own."""
    surroundings = {"LC_ALL": "", **os.environ, **ENCODINGS[encoding]}
    environment = {**surroundings, "PYTHONPATH": f"{APP.parents[4]}:{APP.parent}"}
    if encoding != "POSIX":
        return forked.run(*command, kind="lenient", cwd=folder, env=environment, text=False)
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("encoding", "display"),
    [("ascii", "table"), ("ascii", "json"), ("latin-1", "table"), ("POSIX", "lines")],
)
def test_every_display_goes_on(tmp_path: Path, encoding: str, display: str) -> None:
    result = run(tmp_path, encoding, str(APP), *SWEEP, f"hydra.sweeper.output={display}")
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    folder = tmp_path / "experiments" / "sweeps" / "mine"
    points = [row["point"]["name"] for row in read_json(folder / "leaderboard.json")["rows"]]
    assert points == list(VALUES)
    assert [
        event["point"]["name"] for event in read_lines(folder / "jobs.jsonl") if "point" in event
    ] == points
    assert all(value in (folder / "leaderboard.md").read_text(encoding="utf-8") for value in VALUES)
    shown = result.stdout
    if display == "json":
        assert "日本".encode() in shown
    elif encoding != "POSIX":  # which Python makes UTF-8
        assert b"\\u65e5\\u672c" in shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_plan_notes_and_errors_are_shown_too(tmp_path: Path, encoding: str) -> None:
    plan = run(tmp_path, encoding, str(APP), *SWEEP, "hydra.sweeper.dry_run=true")
    assert plan.returncode == 0, plan.stderr
    assert b"\\u65e5\\u672c" in plan.stdout
    refused = run(tmp_path, encoding, str(APP), *SWEEP, "hydra.sweeper.objective.mode='日本'")
    assert refused.returncode == 1
    assert b"objective.mode=\\u65e5\\u672c: allowed are" in refused.stderr
    assert b"Traceback" not in refused.stderr
    stock = run(tmp_path, encoding, str(APP), "--config-name", "bare", *SWEEP[:2], "x=[1]")
    assert stock.returncode == 1
    assert b"Logging error" not in stock.stderr
    assert b"name='\\u65e5\\u672c'" in stock.stdout


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sweep."""
    folder = tmp_path_factory.mktemp("swept")
    assert run(folder, "ascii", str(APP), *SWEEP).returncode == 0
    return folder


@pytest.mark.parametrize(
    "command", [("list",), ("show",), ("jobs",), ("leaderboard",), ("aggregate",), ("show", "日本")]
)
def test_the_commands_show_it_escaped(swept: Path, command: tuple[str, ...]) -> None:
    answer = run(swept, "ascii", "-m", "sweeps", *command)
    assert answer.returncode == (1 if "日本" in command else 0), answer.stderr
    assert b"Traceback" not in answer.stderr
    assert command == ("list",) or b"\\u65e5\\u672c" in answer.stdout + answer.stderr


@pytest.mark.parametrize("config", ["config", "bare"])
def test_an_error_cannot_draw_on_the_terminal(tmp_path: Path, config: str) -> None:
    setting = "hydra.launcher.isolation='\x1b[31m'"
    answer = run(tmp_path, "ascii", str(APP), "--config-name", config, "-m", "x=1", setting)
    assert answer.returncode == 1
    assert b"\x1b" not in answer.stderr
    assert b"isolation=\\x1b[31m" in answer.stderr
