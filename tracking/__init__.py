"""Records of runs as plain files, their comparison, and a registry of the best models."""

from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from tracking.errors import (
    ChampionChangedError,
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    MissingExtraError,
    MissingFileError,
    ModelLoadError,
    NewerFormatError,
    QueryError,
    RerunError,
    RunInUseError,
    StoreUnwritableError,
    TrackingError,
    UnknownModelError,
    UnknownRunError,
    UnreadableFileError,
)
from tracking.process.sweep_context import job_context
from tracking.records import MetricSummary, RunRecord, RunStatus
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker

if TYPE_CHECKING:  # most processes record runs, and neither register models nor search
    from tracking.registry import ModelRegistry, ModelVersion, Verdict
    from tracking.search.run_list import RunList

# A folder tracking/ of the user's that has no __init__.py is hidden by this package; its modules are found here all the same.
__path__ = extend_path(__path__, __name__)

__all__ = [
    "ChampionChangedError",
    "CorruptFileError",
    "ExperimentTracker",
    "InvalidNameError",
    "InvalidValueError",
    "MetricSummary",
    "MissingExtraError",
    "MissingFileError",
    "ModelLoadError",
    "ModelRegistry",
    "ModelVersion",
    "NewerFormatError",
    "QueryError",
    "RerunError",
    "Run",
    "RunInUseError",
    "RunList",
    "RunRecord",
    "RunStatus",
    "StoreUnwritableError",
    "TrackingError",
    "UnknownModelError",
    "UnknownRunError",
    "UnreadableFileError",
    "Verdict",
    "active_run",
    "job_context",
]


def __getattr__(name: str) -> Any:
    if name == "RunList":
        from tracking.search.run_list import RunList

        return RunList
    if name not in ("ModelRegistry", "ModelVersion", "Verdict"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracking import registry

    return getattr(registry, name)
