"""A scorer for tests of the gate, and versions that it scores: a model is a JSON file that says how well it predicts.

It is a module of its own because the scoring process imports it, as it would a user's.
"""

import ctypes
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracking import ExperimentTracker, ModelRegistry, ModelVersion

if TYPE_CHECKING:
    from tracking import Verdict
    from tracking.gate import Selection

ROWS = 4000
SCORER = "scored_versions.score"
TIME = "2026-01-01T00:00:00+00:00"


def score(folder: Path, split: str | None) -> dict[str, Any]:
    """Score the version in a folder as its model.json says."""
    model = json.loads((folder / "model.json").read_text())
    FAULTS.get(model.get("fault", ""), lambda: None)()
    if split is not None:
        numbers = Path(split).read_text().split()
        model = {**model, "rows": len(numbers)}
    found = scores_of(**{name: value for name, value in model.items() if name != "fault"})
    if split is not None and all(each.isdigit() for each in numbers):
        found |= rows_of_numbers([*map(int, numbers)])
    return SPOILED.get(model.get("fault", ""), lambda scores: scores)(found)


def rows_of_numbers(numbers: list[int]) -> dict[str, Any]:
    """Return what identifies rows that a file lists by their numbers, in any order."""
    digest = hashlib.sha256(repr(sorted(numbers)).encode()).hexdigest()
    hashes = np.random.default_rng(0).integers(2**64, size=10**5, dtype=np.uint64)
    return {"split": {"name": "a file", "hash": digest}, "row_hash": hashes[numbers]}


def score_allowed(folder: Path, split: str | None, *, allow: tuple[str, ...] = ()) -> dict[str, Any]:
    """Score only where a package is allowed."""
    if allow != ("my_package",):
        raise ValueError(f"allow is {allow!r}")
    return score(folder, split)


def scores_of(
    skill: float = 1.0,
    own: int = 0,
    rows: int = ROWS,
    task: str = "binary",
    world: int = 7,
    slow_s: float = 0.0,
    weighted: int | None = None,
) -> dict[str, Any]:
    """Return scores of rows that all models share; `skill` is how much of the signal a model sees, `own` its own noise.

    Only the first `weighted` rows have a weight, where it is given.
    """
    random = np.random.default_rng(world)
    signal = random.normal(size=rows)
    noise = np.random.default_rng([world, own]).normal(size=rows)
    seen = skill * signal + 0.5 * noise
    columns = {
        "region": random.choice(["north", "south"], size=rows),
        "user": random.integers(rows // 10 or 1, size=rows),
        "rare": np.arange(rows).astype(float),
    }
    if task == "regression":
        target, prediction = signal + random.normal(size=rows), seen
    elif task == "multiclass":
        target = np.digitize(signal + random.normal(size=rows), [-0.7, 0.7])
        logits = np.stack([-seen - 0.3, np.zeros(rows), seen - 0.3], axis=1)
        prediction = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    else:
        target = (random.random(rows) < 1 / (1 + np.exp(-1.5 * signal))).astype(int)
        prediction = 1 / (1 + np.exp(-seen))
    return {
        "prediction": prediction,
        "target": target,
        "task": task,
        "columns": columns,
        "split": {"name": "the rows of the test", "hash": f"world{world}rows{rows}"},
        "measures": {
            "profit": lambda target, prediction: float(((prediction > 0.6) * (target - 0.4)).mean())
        },
        "predict_one": lambda index: (slow_s and time.sleep(slow_s)) or prediction[index],
        "weight": None if weighted is None else (np.arange(rows) < weighted).astype(float),
    }


def spend_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
    bytearray(2**30)


def leave_a_child() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    os._exit(5)


def fail() -> None:
    raise RuntimeError("the weights are of another shape")


FAULTS: dict[str, Callable[[], Any]] = {
    "raises": fail,
    "segfault": lambda: ctypes.string_at(0),
    "memory": spend_memory,
    "killed": lambda: os.kill(os.getpid(), 9),
    "hangs": lambda: time.sleep(600),
    "exits": lambda: os._exit(5),
    "leaves": leave_a_child,
    "stops": sys.exit,
    "asks": sys.stdin.read,
}
SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nonsense": lambda _scores: 3,
    "no target": lambda scores: {name: value for name, value in scores.items() if name != "target"},
    "unknown": lambda scores: scores | {"predictions": 3},
    "nan": lambda scores: (
        scores | {"prediction": np.where(np.arange(ROWS) < 3, np.nan, scores["prediction"])}
    ),
    "text": lambda scores: scores | {"prediction": ["high"] * ROWS},
    "short": lambda scores: scores | {"prediction": scores["prediction"][1:]},
    "other rows": lambda scores: scores | {"row": np.arange(ROWS) + 1},
    "twice": lambda scores: scores | {"row": np.arange(ROWS) // 2},
    "other order": lambda scores: scores | {"row": np.arange(ROWS)[::-1]},
    "other targets": lambda scores: scores | {"target": 1 - scores["target"]},
    "other split": lambda scores: scores | {"split": {"name": "others", "hash": "changed"}},
    "other weights": lambda scores: scores | {"weight": np.ones(ROWS)},
    "one class": lambda scores: scores | {"target": np.zeros(ROWS), "split": None},
    "trained": lambda scores: scores | {"trained_on": {"share": 0.4, "expected": 0.01, "rows": ROWS}},
    "trained a little": lambda scores: (
        scores | {"trained_on": {"share": 0.031, "expected": 0.025, "rows": ROWS}}
    ),
    "trained on none": lambda scores: scores | {"trained_on": {"share": 0.0, "expected": 0.0, "rows": ROWS}},
    "repeated": lambda scores: (
        scores | {"duplicates": {"rows": ROWS, "share": 0.5, "expected": 0.01, "of": ROWS}}
    ),
    "other task": lambda scores: scores | {"task": "regression"},
    "dies later": lambda scores: scores | {"predict_one": lambda _index: os._exit(6)},
    "own names": lambda scores: (
        scores
        | {"measures": {"auc": lambda _target, _prediction: 0.75, "brier": lambda _target, _prediction: 0.1}}
    ),
    "negative weights": lambda scores: scores | {"weight": -np.ones(ROWS)},
}


def add_version(
    registry: ModelRegistry, store: Path, *, value: float = 0.8, metric: str = "val_auc", **model: Any
) -> ModelVersion:
    """Register a version whose model.json says how it predicts."""
    with ExperimentTracker(store).start_run("e", data={"fingerprint": "d"}, capture_output=False) as run:
        run.log({metric: value})
        (run.artifacts_dir / "model.json").write_text(json.dumps(model))
    objective = {"metric": metric, "mode": "min" if metric.endswith("rmse") else "max", "value": value}
    return registry.register("ctr", run.run_id, files=["model.json"], objective=objective)


def judge(
    registry: ModelRegistry,
    number: int,
    selection: "Selection | None" = None,
    *,
    name: str = "ctr",
    **settings: Any,
) -> "Verdict":
    """Judge a version of a model by the scorer of this module."""
    from tracking.gate import Gate, gate_settings  # a scoring process imports this module, too

    asked = gate_settings({"scorer": SCORER, "draws": 200, **settings})
    return Gate(registry, asked).judge(name, number, by="me", selection=selection)


def kinds(registry: ModelRegistry) -> list[str]:
    """Return the kinds of the events of the model ctr, oldest first."""
    return [event.kind.value for event in registry.history("ctr")]
