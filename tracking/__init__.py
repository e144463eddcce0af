"""Records of runs as plain files, their comparison, and a registry of the best models."""

from pkgutil import extend_path

from tracking.errors import (
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    ModelLoadError,
    NewerFormatError,
    QueryError,
    RunInUseError,
    StoreUnwritableError,
    TrackingError,
    UnknownModelError,
    UnknownRunError,
    UnreadableFileError,
)
from tracking.process.sweep_context import job_context
from tracking.records import MetricSummary, RunRecord, RunStatus
from tracking.registry import ModelRegistry, ModelVersion, Verdict
from tracking.run import Run, active_run
from tracking.tracker import ExperimentTracker

# A folder tracking/ of the user's that has no __init__.py is hidden by this package; its modules are found here all the same.
__path__ = extend_path(__path__, __name__)

__all__ = [
    "CorruptFileError",
    "ExperimentTracker",
    "InvalidNameError",
    "InvalidValueError",
    "MetricSummary",
    "MissingFileError",
    "ModelLoadError",
    "ModelRegistry",
    "ModelVersion",
    "NewerFormatError",
    "QueryError",
    "Run",
    "RunInUseError",
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
