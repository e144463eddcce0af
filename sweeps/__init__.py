"""Plan many jobs, run them in processes of their own, rank what they logged."""

from sweeps.errors import JobsFailedError, ObjectiveError, SettingsError, SweepError
from sweeps.executor.contract import Executor
from sweeps.jobs import Job, JobStatus, Outcome
from sweeps.ranking.aggregate import aggregate

__all__ = [
    "Executor",
    "Job",
    "JobStatus",
    "JobsFailedError",
    "ObjectiveError",
    "Outcome",
    "SettingsError",
    "SweepError",
    "aggregate",
]
