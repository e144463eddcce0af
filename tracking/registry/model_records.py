"""Frozen values that the registry returns: versions, events and verdicts."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class EventKind(StrEnum):
    """Kinds of events in a model's history."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ALIASED = "aliased"
    UNALIASED = "unaliased"
    REMOVED = "removed"


@dataclass(frozen=True)
class ModelEvent:
    """One line of a model's history. `version` is the one concerned; after a rollback, the new champion."""

    kind: EventKind
    version: int
    at: datetime
    by: str
    reason: str
    before: int | None  # the champion before the event
    run_id: str | None = None  # of a registration: the run that the version came from
    alias: str | None = None


@dataclass(frozen=True, repr=False)
class ModelVersion:
    """A registered version: its files with their SHA-256, and its origin.

    `objective` is {"metric", "mode", "value", "step"}. `metrics` are of that step; without one they are the last of the run.
    They may hold NaN and infinities.
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

    @property
    def metrics_title(self) -> str:
        """What the metrics are, in words; older versions do not say it."""
        if "step" not in self.objective:
            return "Metrics"
        step = self.objective["step"]
        return (
            f"Metrics (at step {step}, else the last value)"
            if step is not None
            else "Metrics (the last values)"
        )

    def __repr__(self) -> str:
        return f"ModelVersion({self.name!r}, {self.version}, run_id={self.run_id!r})"

    def _repr_html_(self) -> str:
        from tracking.values import htmltext  # for those who look at a version

        known = {
            "Run": self.run_id,
            "Objective": f"{self.objective.get('metric')} ({self.objective.get('mode')})",
            "Value": self.objective.get("value"),
            "Registered": self.created_at,
            "Files": ", ".join(self.files),
            "Loader": self.loader,
            "Folder": self.path,
        }
        return htmltext.beside(
            htmltext.facts(known, title=f"{self.name}, version {self.version}"),
            htmltext.facts(self.metrics, title=self.metrics_title) if self.metrics else "",
        )


@dataclass(frozen=True)
class Verdict:
    """A decision of the gate, with every reason for or against."""

    promote: bool
    reasons: tuple[str, ...]
    challenger: dict[str, Any] = field(default_factory=dict)
    champion: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data, as stored in verdict.json."""
        return {"format": 1, **asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Verdict":
        """Return the verdict that `to_json` wrote."""
        return cls(bool(value["promote"]), tuple(value["reasons"]), value["challenger"], value["champion"])
