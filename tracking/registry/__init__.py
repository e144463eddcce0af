"""The model registry: versions of models, and a champion per model."""

from tracking.registry.events import history_stamp, models_stamp
from tracking.registry.model_records import (
    EventKind,
    KeptVerdict,
    ModelEvent,
    ModelVersion,
    Remark,
    RemarkKind,
    Verdict,
)
from tracking.registry.models import ModelRegistry
from tracking.registry.versions import check_files

__all__ = [
    "EventKind",
    "KeptVerdict",
    "ModelEvent",
    "ModelRegistry",
    "ModelVersion",
    "Remark",
    "RemarkKind",
    "Verdict",
    "check_files",
    "history_stamp",
    "models_stamp",
]
