"""Stores of any number of finished runs, with a sweep and a model of theirs, written as files without a tracker: fast."""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tracking import ModelRegistry

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
SWEEP, MODEL = "20260131-093000", "ctr"
RATE, DROPOUT, KIND, SEED = "training.learning_rate", "model.dropout", "model.kind", "seed"
KINDS = ("mlp", "logistic", "deep_and_wide")
POINTS = 6
MOST_JOBS = 500
FAILS_AT = 41  # every so many jobs fail, in sweeps of more


@dataclass(frozen=True)
class FilledStore:
    """A store, and the names of what is in it."""

    path: Path
    runs: int
    sweep: str = SWEEP
    model: str = MODEL

    @property
    def sweep_folder(self) -> Path:
        """Return the folder of the sweep."""
        return self.path / "sweeps" / self.sweep


def fill_store(path: Path, runs: int, *, curve_points: int = POINTS) -> FilledStore:
    """Write runs, of which the first belong to a sweep of 500 jobs at most, and a model of two versions."""
    jobs = min(runs, MOST_JOBS)
    for number in range(1, runs + 1):
        write_run(path, number, points=curve_points, job=number - 1 if number <= jobs else None)
    _write_sweep(path, jobs)
    registry = ModelRegistry(path)
    for number in (1, 2):
        run = run_id(number)
        artifacts = path / "runs" / run / "artifacts"
        artifacts.mkdir()
        (artifacts / "model.bin").write_bytes(b"weights")
        (artifacts / "curve.png").write_bytes(picture())
        objective = {"metric": "val_auc", "mode": "max", "value": auc(number)}
        version = registry.register(MODEL, run, files=["model.bin"], objective=objective)
        registry.promote(MODEL, version.version, reason="the best of its sweep")
    return FilledStore(path, runs)


def run_id(number: int) -> str:
    """Return the id of a run as the tracker counts them."""
    return f"run_{number:03d}"


def params_of(number: int) -> dict[str, Any]:
    """Return the parameters of a run."""
    pick = random.Random(number)
    return {
        RATE: round(10 ** pick.uniform(-5, -1), 8),
        DROPOUT: round(pick.random() / 2, 4),
        KIND: pick.choice(KINDS),
        SEED: number % 5,
        "training.epochs": POINTS,
    }


def auc(number: int) -> float:
    """Return the best value of the metric that counts."""
    asked = params_of(number)
    distance = abs(math.log10(asked[RATE]) + 3)
    return round(0.85 - 0.04 * distance - 0.1 * asked[DROPOUT] + 0.001 * (number % 7), 6)


def write_run(
    store: Path,
    number: int,
    *,
    points: int = POINTS,
    job: int | None = None,
    params: dict[str, Any] | None = None,
    metrics: dict[str, list[float]] | None = None,
    **facts: Any,
) -> Path:
    """Write a run that has finished; `facts` take the place of those of run.json, `metrics` hold a value for each step."""
    began = START + timedelta(seconds=number)
    run, folder = run_id(number), store / "runs" / run_id(number)
    folder.mkdir(parents=True)
    failed = job is not None and job % FAILS_AT == FAILS_AT - 1
    best = auc(number)
    values = metrics or {
        "val_auc": [best * (1 - 0.5 / (step + 1)) if step < points - 1 else best for step in range(points)],
        "train_loss": [0.7 / (1 + step / points) for step in range(points)],
    }
    known: dict[str, Any] = {
        "format": 1,
        "version": "0.1.0",
        "run_id": run,
        "uid": f"{number:016x}",
        "experiment_name": "ctr_model" if number % 3 else "baseline",
        "created_at": stamp(began),
        "finished_at": stamp(began + timedelta(seconds=30 + number % 100)),
        "status": "failed" if failed else "completed",
        "tags": {"team": "ads" if number % 2 else "search"},
        "description": "",
        "host": "elsewhere",
        "machine": "0",
        "pid": 1,
        "process_started": 1,
        "boot_id": "0",
        "pid_namespace": "0",
        "token": f"{number:016x}",
        "rank": None,
        "sweep": None if job is None else {"id": SWEEP, "job": job, "key": f"key{job}", "attempt": 1},
        "data": {},
        "error": "ValueError: the loss is not finite" if failed else None,
    }
    texts = {"run": known | facts, "params": params_of(number) if params is None else params}
    for name, value in texts.items():
        _write(folder / f"{name}.json", orjson.dumps(value))
    at = known["created_at"]
    logged = orjson.dumps(
        {
            name: [{"step": step, "value": value, "timestamp": at} for step, value in enumerate(column)]
            for name, column in values.items()
        }
    )
    _write(folder / "metrics.json", logged)
    summary = {
        "format": 1,
        "journal_bytes": None,
        "metrics_bytes": len(logged),
        "metrics": {name: _summary(column) for name, column in values.items()},
    }
    _write(folder / "summary.json", orjson.dumps(summary))
    return folder


def picture() -> bytes:
    """Return a PNG of one dot."""
    return bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6360000000020001"
        "48afa4710000000049454e44ae426082"
    )


def stamp(moment: datetime) -> str:
    """Return a time as it stands in files."""
    return moment.isoformat(timespec="milliseconds")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)


def _summary(column: list[float]) -> dict[str, Any]:
    low, high = min(column), max(column)
    return {
        "last": column[-1],
        "last_step": len(column) - 1,
        "min": low,
        "min_step": column.index(low),
        "max": high,
        "max_step": column.index(high),
        "count": len(column),
        "non_finite": 0,
    }


def _write_sweep(store: Path, jobs: int) -> None:
    """Write a sweep of the first runs that has ended, four jobs at a time."""
    folder = store / "sweeps" / SWEEP
    folder.mkdir(parents=True)
    swept = (RATE, DROPOUT, KIND)
    plan = {
        "version": 2,
        "sweep": SWEEP,
        "created_at": START.isoformat(),
        "command": ["python", "-m", "trainer", "-m", f"{RATE}=interval(1e-5,1e-1)"],
        "swept": list(swept),
        "objective": {"metric": "val_auc", "mode": "max", "at": "best"},
        "report": ["train_loss"],
        "total": jobs,
        "cwd": "/tmp",
    }
    _write(folder / "plan.json", orjson.dumps(plan))
    lines = [_event(0, "began", slots=4)]
    for job in range(jobs):
        known = params_of(job + 1)
        point, second = {key: known[key] for key in swept}, 10.0 * (job // 4)
        lines.append(
            _event(second, "asked", job=job, key=f"key{job}", config_hash="h", overrides=[], point=point)
        )
        lines.append(
            _event(second, "started", job=job, slot=job % 4, attempt=1, pid=100 + job, key=f"key{job}")
        )
        if job % FAILS_AT == FAILS_AT - 1:
            (folder / "jobs" / str(job)).mkdir(parents=True)
            _write(
                folder / "jobs" / str(job) / "output.log", b"epoch 1\nValueError: the loss is not finite\n"
            )
            end = {"status": "failed", "error": "ValueError: the loss is not finite", "reason": "error"}
        else:
            end = {"status": "completed"}
        lines.append(
            _event(second + 9, "finished", job=job, wall_s=9.0, runs=[run_id(job + 1)], attempt=1, **end)
        )
    lines.append(_event(10.0 * (jobs // 4) + 10, "ended"))
    _write(folder / "jobs.jsonl", b"".join(lines))


def _event(second: float, event: str, **data: Any) -> bytes:
    at = stamp(START + timedelta(seconds=second))
    return orjson.dumps({"version": 1, "at": at, "event": event, **data}) + b"\n"
