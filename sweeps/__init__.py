"""Plan many jobs, run them in processes of their own, rank what they logged."""

from sweeps.aggregate import aggregate
from sweeps.errors import JobsFailedError, ObjectiveError, SettingsError, SweepError
from sweeps.executor.base import Executor, Job, JobStatus, Outcome

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
