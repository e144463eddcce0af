"""Runs that end in every way there is, recorded by ``python train.py WHAT``."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tracking import ExperimentTracker, ModelRegistry, Verdict

tracker = ExperimentTracker()


def completed(auc: float) -> None:
    with tracker.start_run(
        "ctr_model",
        tags={"version": "v1", "team": "ads"},
        description="Größe des Modells",
        params={"learning_rate": 1e-3, "dims": [256, 128], "dropout": None, "limit": math.inf, "fast": True},
        config="model:\n  name: mlp\n  dims: [256, 128]\nseed: 7\n",
        overrides=["seed=7", "model=mlp"],
        data={"fingerprint": "sha256:0123", "rows": 1000},
        seeds={"python": 7, "torch": 7},
        sample_usage_s=0.1,
    ) as run:
        print("epoch 0")  # noqa: T201 - so that there is a log
        for step in range(4):
            run.log({"val_auc": auc - 0.01 * (3 - step), "val/loss": 1.0 / (step + 1)}, step=step)
        run.log({"odd": math.nan}, step=0)
        run.log({"odd": math.inf}, step=1)
        run.log({"odd": -math.inf}, step=2)
        run.log({"odd": 0.5}, step=3)
        run.log({"test_auc": auc - 0.02})
        time.sleep(0.25)
        Path("model.json").write_text(f'{{"auc": {auc}}}\n')
        run.log_artifact("model.json", "model_best.pt")
        run.log_artifact("model.json", "reports/final.json")


def failed() -> None:
    with tracker.start_run("ctr_model", params={"learning_rate": 10.0}) as run:
        run.log({"val_auc": 0.5}, step=0)
        raise ValueError("the loss is not finite")


def killed() -> None:
    run = tracker.start_run("ctr_model", params={"learning_rate": 1e-2})
    for step in range(3):
        run.log({"val_auc": 0.6 + 0.01 * step}, step=step)
    os.kill(os.getpid(), signal.SIGKILL)


def shared() -> None:
    run = tracker.start_run("ctr_model", params={"learning_rate": 1e-2, "writers": 2})
    run.log({"val_auc": 0.61}, step=0)
    code = f"from tracking import ExperimentTracker as T; import os; run = T().open_run({run.run_id!r}); \
run.log({{'val_auc': 0.65, 'other': 2}}, step=1); run.log_params({{'second': True}}); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    run.log({"val_auc": 0.63}, step=2)
    os.kill(os.getpid(), signal.SIGKILL)


def small(experiment: str) -> None:
    with tracker.start_run(experiment, params={"depth": 3}, capture_code=False) as run:
        run.log({"accuracy": 0.9, "count": 3}, step=1)


def by_id() -> None:
    run_id = tracker.create_run("by id", {"kind": "plain"}, "made by the ten methods")
    tracker.log_params(run_id, {"alpha": 0.5})
    tracker.log_metrics(run_id, {"score": 1}, step=5)
    tracker.log_metrics(run_id, {"score": 2.5}, step=3)
    tracker.finish_run(run_id, "killed")


def models() -> None:
    registry = ModelRegistry()
    for run_id, auc in (("run_001", 0.8), ("run_002", 0.82)):
        version = registry.register(
            "ctr",
            run_id,
            files=["model_best.pt", "reports/final.json"],
            objective={"metric": "val_auc", "mode": "max", "value": auc},
            loader="pathlib:PurePosixPath",
        )
        reason, facts = (
            f"val_auc {auc} is better",
            {"challenger": {"version": version.version}, "champion": None},
        )
        verdict = Verdict(True, f"Promoted: {reason}.", (reason,), "first", facts)
        registry.record_verdict("ctr", version.version, verdict)
        registry.promote("ctr", version.version, reason=f"val_auc {auc}")
    registry.rollback("ctr", reason="wrong data")
    registry.register("other", "run_001", objective={"metric": "odd", "mode": "max", "value": 0.5})


if __name__ == "__main__":
    {
        "first": lambda: completed(0.8),
        "second": lambda: completed(0.82),
        "failed": failed,
        "killed": killed,
        "shared": shared,
        "small": lambda: small("größe/2"),
        "deleted": lambda: small("mistakes"),
        "by_id": by_id,
        "models": models,
    }[sys.argv[1]]()
