"""What podium says of a project folder, asked through public names and commands alone."""

import contextlib
import dataclasses
import enum
import io
import json
import math
import os
import platform
import runpy
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import forked

from sweeps import aggregate
from tracking import ExperimentTracker, ModelRegistry, Verdict

HOME = "/home/user"  # where the kept projects say they lie
HOST, MACHINE = "workstation", "0123456789abcdef0123456789abcdef"  # and the machine they were made on
STORE = Path("experiments")
SHOWN = 9  # runs that are asked for in full
ROWS = {"age": [3, 30], "member": ["no", "yes"]}  # for the models of the trainer
NONE = dict.fromkeys(
    ("running", "completed", "failed", "killed"), 0
)  # version 0.1.0 counted these in any case
FILTERS = (
    "status == 'completed'",
    "status in ['killed', 'running']",
    "metrics.val_auc.max > 0.8 and params.learning_rate <= 0.01",
    "tags.team == 'ads'",
    "metrics.odd.last == 0.5",
)


def settle(project: Path) -> None:
    """Say in the runs of a copied project that they were made on this machine, before its last start."""
    machine = Path("/etc/machine-id")
    mine = machine.read_text().strip() if machine.exists() else ""
    for path in project.rglob("run.json"):
        text = path.read_text().replace(MACHINE, mine)
        path.write_text(text.replace(f'"{HOST}"', json.dumps(platform.node())))


def move_in(project: Path) -> None:
    """Say in the sweeps of a copied project that they were begun in it, with this interpreter."""
    for path in (project / STORE / "sweeps").glob("*/plan.json"):
        plan = json.loads(path.read_text().replace(f"{HOME}/{project.name}", str(project)))
        plan["command"][0] = sys.executable
        path.write_text(json.dumps(plan))


@contextlib.contextmanager
def inside(project: Path) -> Iterator[None]:
    """Work in a project."""
    with contextlib.chdir(project):
        yield


def command(*words: str) -> tuple[int, str]:
    """The exit code and the output of ``python -m WORDS``, run in this process."""
    out, argv = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), sys.argv
    sys.argv = list(words)
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = argv
    out.flush()
    return code, out.buffer.getvalue().decode()  # type: ignore[attr-defined]  # it is a BytesIO


def said(*words: str) -> Any:
    """What a command says with ``--json``."""
    code, out = command(*words, "--json")
    assert code == 0, (words, out)
    return plain(json.loads(out))


def of_records(project: Path) -> dict[str, Any]:
    """Of the runs and models in a project's store."""
    with inside(project):
        tracker, registry = ExperimentTracker(STORE), ModelRegistry(STORE)
        names = registry.models()
        runs = [record.run_id for record in tracker.search_runs(limit=SHOWN)]
        return {
            "list": {name: {**NONE, **each} for name, each in said("tracking", "list").items()},
            "records": {record.run_id: plain(record) for record in tracker.search_runs()},
            "runs": {run_id: plain(tracker.get_run(run_id)) for run_id in runs},
            "show": {run_id: said("tracking", "show", run_id) for run_id in runs},
            "found": {text: [each.run_id for each in tracker.search_runs(text)] for text in FILTERS},
            "trash": said("tracking", "trash"),
            "models": said("tracking", "models"),
            "versions": {name: plain(registry.versions(name)) for name in names},
            "verdicts": {
                f"{name} {each.version}": _verdict(registry.verdict(name, each.version))
                for name in names
                for each in registry.versions(name)
            },
            "champions": {name: plain(registry.champion(name)) for name in names},
            "histories": {name: plain(registry.history(name)) for name in names},
            "history": {name: said("tracking", "history", name) for name in names},
        }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    """Return what the first format of a verdict says."""
    if verdict is None:
        return None
    sides = {"challenger": verdict.challenger, "champion": verdict.champion}
    return plain({"promote": verdict.promote, "reasons": verdict.reasons, **sides})


def of_sweeps(project: Path) -> dict[str, Any]:
    """Of the sweeps in a project's store; ranks each of them again."""
    with inside(project):
        listed = said("sweeps", "list")
        sweeps = [each["sweep"] for each in listed]
        return {"list": listed, "sweeps": {sweep: of_sweep(sweep) for sweep in sweeps}}


def of_sweep(sweep: str) -> dict[str, Any]:
    """Of one sweep in the store of the working folder."""
    shown, jobs = said("sweeps", "show", sweep), said("sweeps", "jobs", sweep)
    before = _without_words(said("sweeps", "leaderboard", sweep))
    board = aggregate(STORE / "sweeps" / sweep)
    written = _without_words(plain(json.loads((STORE / "sweeps" / sweep / "leaderboard.json").read_text())))
    assert {**written, **before} == written, "what was aggregated is not what was shown"
    return {
        "show": shown,
        "jobs": [_without_words({"rows": [job]})["rows"][0] for job in jobs],
        "leaderboard": before,
        "winner": plain(board.winner),
        "ranking": [plain((row.rank, row.job, row.run, row.objective, row.status)) for row in board.rows],
        "candidates": [
            plain((each.rank, each.point, each.jobs, each.objective, each.std)) for each in board.candidates
        ],
        "usage": plain(board.usage),
    }


def resumed(project: Path, sweep: str) -> dict[str, Any]:
    """Resume a sweep of a project that moved in; which jobs ran, and what came of all."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    answer = forked.run("-m", "sweeps", "resume", sweep, "--yes", "--json", cwd=project, env=environment)
    assert answer.returncode == 0, answer.stderr
    events = list(map(json.loads, answer.stdout.splitlines()))
    with inside(project):
        board = aggregate(STORE / "sweeps" / sweep)
        state = said("sweeps", "show", sweep)["state"]
    return {
        "state": state,
        "ran": sorted(event["job"] for event in events if event["event"] == "started"),
        "attempts": {str(event["job"]): event["attempt"] for event in events if event["event"] == "started"},
        "ranking": [plain((row.rank, row.job, row.objective, row.status)) for row in board.rows],
    }


def predicted(project: Path, model: str) -> list[float]:
    """The probabilities that the champion of a model of the trainer gives."""
    found: list[float] = ModelRegistry(project / STORE).load(model).predict(ROWS).tolist()
    return found


def plain(value: Any) -> Any:
    """As plain data that JSON gives back: times in UTC, paths relative to the working folder, odd numbers as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, PurePath):
        return value.relative_to(Path.cwd()).as_posix() if value.is_absolute() else value.as_posix()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str):
        return value.replace(f"{Path.cwd()}/", "")
    return value


def _without_words(board: dict[str, Any]) -> dict[str, Any]:
    """Without the reasons that the code gives for a missing place: what is kept on disk is a failed job's error."""
    rows = [
        {**row, "error": row["error"] is not None if row["status"] == "completed" else row["error"]}
        for row in board["rows"]
    ]
    candidates = [{**each, "error": each["error"] is not None} for each in board.get("candidates", ())]
    return {**board, "rows": rows, "candidates": candidates}


def kept(answer: Any, expected: Any) -> Any:
    """`answer` without the keys that `expected` does not have: later versions may say more."""
    if isinstance(answer, dict) and isinstance(expected, dict):
        return {name: kept(each, expected[name]) for name, each in answer.items() if name in expected}
    if isinstance(answer, list) and isinstance(expected, list) and len(answer) == len(expected):
        return [kept(*pair) for pair in zip(answer, expected, strict=True)]
    return answer
