"""A sweep with a search that a test writes event by event, as its session would."""

import math
from pathlib import Path
from typing import Any

from written import AT

from sweeps.plan.plan import Plan
from sweeps.ranking.status import SweepStatus, sweep_status
from tracking import ExperimentTracker, job_context
from tracking.files import append_line

NAME = "20260131-093000"
SEARCH = {"mode": "tpe", "schedule": "asha", "max_epochs": 18, "n_trials": 40, "resumes": True}


class Written:
    """A sweep with a search that is written event by event; job N has the rate 10^-N, and its curve rises to `quality`."""

    def __init__(self, store: Path, **plan: Any) -> None:
        self.store, self.folder = store, store / "sweeps" / NAME
        self.folder.mkdir(parents=True)
        known: dict[str, Any] = {"total": None, "search": SEARCH} | plan
        objective = {"metric": "val_auc", "mode": "max", "at": "best"}
        swept = known.pop("swept", ("optimizer.rate",))
        Plan(NAME, AT, ("app.py",), swept, objective, None, **known).save(self.folder / "plan.json")

    def tell(self, event: str, **data: Any) -> None:
        append_line(self.folder / "jobs.jsonl", {"version": 1, "at": AT, "event": event, **data})

    def ask(self, job: int) -> None:
        self.tell(
            "asked", job=job, point={"optimizer.rate": 10.0**-job}, overrides=[], key=None, config_hash=None
        )
        self.tell("started", job=job, attempt=1)

    def judge(self, level: int, *goes_on: int, **qualities: float) -> None:
        values = {int(job.removeprefix("job_")): value for job, value in qualities.items()}
        arrivals = [
            {"job": job, "level": level, "values": [curve(value, level)]} for job, value in values.items()
        ]
        self.tell("rung", arrivals=arrivals, go_on={str(job): None for job in goes_on})

    def finish(self, job: int, quality: float, epochs: int, status: str = "pruned", **more: Any) -> None:
        with job_context(sweep=NAME, job=job, key="k", config_hash="h"):
            run = ExperimentTracker(self.store).start_run("e", capture_output=False)
        for epoch in range(epochs):
            run.log({"val_auc": curve(quality, epoch + 1)}, step=epoch)
        run.finish()
        told = {"kind": status, "values": [curve(quality, epochs)], "epochs": epochs}
        self.tell(
            "finished",
            **{"job": job, "status": status, "wall_s": 1.0, "runs": [run.run_id], "told": told, **more},
        )

    def now(self) -> SweepStatus:
        return sweep_status(self.folder)


def curve(quality: float, epoch: int) -> float:
    return round(quality * (1 - math.exp(-epoch / 2)), 6)


def three_jobs(store: Path) -> Written:
    """Write three jobs of which the second goes on; it is complete, and of the others one has failed later."""
    written = Written(store)
    for job in range(3):
        written.ask(job)
    written.judge(2, 1, job_0=0.5, job_1=0.9)
    written.finish(0, 0.5, 2)
    written.judge(2, job_2=0.7)
    written.finish(2, 0.7, 2)
    written.judge(6, 1, job_1=0.9)
    written.finish(1, 0.9, 18, "completed")
    return written
