"""What the registry gives to readers: versions, events and verdicts as frozen values."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class EventKind(StrEnum):
    """What can happen to a model."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class ModelEvent:
    """One line of a model's history. `version` is the one it is about: for a rollback, the new champion."""

    kind: EventKind
    version: int
    at: datetime
    by: str
    reason: str
    before: int | None  # the champion until then


@dataclass(frozen=True)
class ModelVersion:
    """A registered version: its files with their SHA-256, and where it came from.

    `objective` is {"metric", "mode", "value"}. `metrics` may hold NaN and infinities.
    """

    name: str
    version: int
    path: Path
    run_id: str
    files: dict[str, str]
    objective: dict[str, Any]
    metrics: dict[str, float]
    data: dict[str, Any]
    sweep: dict[str, Any] | None
    loader: str | None
    created_at: datetime


@dataclass(frozen=True)
class Verdict:
    """Whether a version may become the champion, and every reason for or against."""

    promote: bool
    reasons: tuple[str, ...]
    challenger: dict[str, Any] = field(default_factory=dict)
    champion: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data, as kept in verdict.json."""
        return {"format": 1, **asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Verdict":
        """The inverse of `to_json`."""
        return cls(bool(value["promote"]), tuple(value["reasons"]), value["challenger"], value["champion"])
