"""Plan many jobs, run them in processes of their own, rank what they logged."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from sweeps.errors import JobsFailedError, ObjectiveError, SettingsError, SweepError

if TYPE_CHECKING:
    from sweeps.executor.contract import Executor
    from sweeps.jobs import Job, JobStatus, Outcome
    from sweeps.ranking.aggregate import aggregate

# A folder sweeps/ of the user's that has no __init__.py is hidden by this package; its modules are found here all the same.
__path__ = extend_path(__path__, __name__)

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

# Nothing of the tracker is imported before a name is used: a user's module may take its place, and a message says so.
_LAZY = {
    "Executor": "sweeps.executor.contract",
    "Job": "sweeps.jobs",
    "JobStatus": "sweeps.jobs",
    "Outcome": "sweeps.jobs",
    "aggregate": "sweeps.ranking.aggregate",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sweeps' has no attribute {name!r}")
    import_module("tracking.extras").require("sweeps")
    return getattr(import_module(_LAZY[name]), name)
