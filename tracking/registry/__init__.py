"""The registry: versions of models, a champion per model, and the gate before it."""

from tracking.registry.gate import judge
from tracking.registry.models import ModelRegistry
from tracking.registry.records import EventKind, ModelEvent, ModelVersion, Verdict

__all__ = ["EventKind", "ModelEvent", "ModelRegistry", "ModelVersion", "Verdict", "judge"]
