"""What reading gives: frozen values. Only a live Run writes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from tracking.errors import InvalidValueError
from tracking.values import Number

FORMAT = 1  # of a run folder: run.json carries it for all files beside it


class RunStatus(StrEnum):
    """The states of a run. A text compares equal to its member."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"

    @classmethod
    def final(cls, status: str) -> "RunStatus":
        """The member a finished run may have; InvalidValueError otherwise."""
        allowed = [member for member in cls if member is not cls.RUNNING]
        if status not in allowed:
            raise InvalidValueError(f"status {status!r} is none of {', '.join(allowed)}")
        return cls(status)


@dataclass(frozen=True)
class MetricSummary:
    """What a metric came to: extremes over its finite values (None without any), the last value whatever it is."""

    last: Number
    last_step: int | None
    min: Number | None
    min_step: int | None
    max: Number | None
    max_step: int | None
    count: int
    non_finite: int


@dataclass(frozen=True)
class RunRecord:
    """A run without its metric histories, as it was when it was read.

    Times are aware. `status` is killed when the run was never finished and its process is gone. `sweep` is
    {"id", "job", "key", "config_hash", "attempt"} for a job of a sweep. `error` is one line.
    """

    run_id: str
    experiment_name: str
    status: RunStatus
    created_at: datetime
    finished_at: datetime | None
    tags: dict[str, Any]
    description: str
    run_dir: Path
    params: dict[str, Any]
    summary: dict[str, MetricSummary]
    data: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] | None = None
    error: str | None = None
