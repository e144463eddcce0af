"""A sweep that is told event by event, each at a second of its own, with the runs of its jobs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sweeps.plan.plan import Plan
from tracking import ExperimentTracker, Run, job_context
from tracking.files import append_line

NAME = "20260131-093000"
START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
RATE = "training.learning_rate"


class Told:
    """A sweep in the ledger of which tests write what they like; it has no run but those that `job` makes."""

    def __init__(self, store: Path, *, name: str = NAME, **plan: Any) -> None:
        self.store, self.name, self.folder = store, name, store / "sweeps" / name
        self.folder.mkdir(parents=True)
        objective = {"metric": "val_auc", "mode": "max", "at": "best"}
        command = plan.pop("command", ("/usr/bin/python3.11", "-m", "app", "-m", f"{RATE}=0.1,0.01"))
        swept = plan.pop("swept", (RATE,))
        objective = plan.pop("objective", objective)
        Plan(name, START.isoformat(), command, swept, objective, None, **plan).save(self.folder / "plan.json")
        self.tracker = ExperimentTracker(store)

    def tell(self, second: float, event: str, **data: Any) -> None:
        at = (START + timedelta(seconds=second)).isoformat(timespec="milliseconds")
        append_line(self.folder / "jobs.jsonl", {"version": 1, "at": at, "event": event, **data})

    def begin(self, second: float = 0.0, slots: int = 2) -> None:
        self.tell(second, "began", slots=slots)

    def ask(self, job: int, second: float = 0.0, **point: Any) -> None:
        known = point or {RATE: 10.0**-job}
        self.tell(second, "asked", job=job, key=f"key{job}", config_hash="h", overrides=[], point=known)

    def start(
        self, job: int, second: float, *, slot: int = 0, attempt: int = 1, pid: int | None = None
    ) -> None:
        process = 100 + slot if pid is None else pid
        self.tell(second, "started", job=job, slot=slot, attempt=attempt, pid=process, key=f"key{job}")

    def run_of(self, job: int, values: list[float], **data: Any) -> Run:
        """Return a run of a job that is open, with a value of the objective for each epoch."""
        with job_context(sweep=self.name, job=job, key=f"key{job}", config_hash="h"):
            run = self.tracker.start_run("app", capture_output=False)
        if data:
            run.set_data(data)
        for epoch, value in enumerate(values):
            run.log({"val_auc": value, "epoch": epoch}, step=epoch)
        return run

    def finish(self, job: int, second: float, status: str = "completed", **more: Any) -> None:
        known = {"wall_s": 1.0, "runs": [], "attempt": 1} | more
        self.tell(second, "finished", job=job, status=status, **known)

    def job(
        self, job: int, value: float, *, slot: int = 0, from_s: float = 1.0, to_s: float = 2.0, **data: Any
    ) -> str:
        """Let a job run from its start to its end; return its run."""
        self.ask(job)
        self.start(job, from_s, slot=slot)
        run = self.run_of(job, [value / 2, value], **data)
        run.finish()
        self.finish(job, to_s, runs=[run.run_id], wall_s=to_s - from_s)
        return run.run_id

    def fail(self, job: int, error: str, log: str | None = None, **more: Any) -> None:
        """Let a job fail after a second."""
        self.ask(job)
        self.start(job, 1.0)
        if log is not None:
            (self.folder / "jobs" / str(job)).mkdir(parents=True)
            (self.folder / "jobs" / str(job) / "output.log").write_text(log)
        self.finish(job, 2.0, "failed", error=error, reason="error", **more)
