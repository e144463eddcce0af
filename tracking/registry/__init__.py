"""The model registry: versions of models, and a champion per model."""

from tracking.registry.events import history_stamp
from tracking.registry.model_records import EventKind, KeptVerdict, ModelEvent, ModelVersion, Verdict
from tracking.registry.models import ModelRegistry
from tracking.registry.versions import check_files

__all__ = [
    "EventKind",
    "KeptVerdict",
    "ModelEvent",
    "ModelRegistry",
    "ModelVersion",
    "Verdict",
    "check_files",
    "history_stamp",
]
