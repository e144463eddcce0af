"""The frozen values that reading returns. Only a live Run writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, NewerFormatError, quoted
from tracking.values.jsontext import Number
from tracking.values.names import RERUN_OF, SUPERSEDED_BY, WITHOUT_RANK

FORMAT = 1  # of a run folder (run.json carries it for all files beside it) and of a model version's


def check_format(value: Mapping[str, Any], path: Path, newest: int = FORMAT) -> None:
    """Raise NewerFormatError when the object in `path` has a format above `newest`, the last that this version knows."""
    number = value.get("format", FORMAT)
    if type(number) is not int:  # True is an int too
        raise CorruptFileError(f"{path} has the format {quoted(number)}, which is no number; repair the file")
    if number > newest:
        raise NewerFormatError(
            f"{path} was written by a newer version of podium (format {number}, this one knows up to {newest}); "
            "upgrade to read it"
        )


class RunStatus(StrEnum):
    """The states of a run; each equals its text.

    `ended`: its process ended in order and did not say how the run did. `pruned`: its sweep stopped it early, and may let it
    go on later.
    """

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    KILLED = "killed"
    PRUNED = "pruned"
    ENDED = "ended"

    @classmethod
    def final(cls, status: str) -> "RunStatus":
        """Return a status that a run can be finished with; raise InvalidValueError for any other text."""
        allowed = [cls.COMPLETED, cls.FAILED, cls.KILLED, cls.PRUNED]
        if status not in allowed:
            raise InvalidValueError(f"status {quoted(status)} is none of {', '.join(allowed)}")
        return cls(status)


@dataclass(frozen=True)
class MetricSummary:
    """Extremes of a metric over its finite values (None without any), its last value of any kind, and its counts."""

    last: Number
    last_step: Number | None
    min: Number | None
    min_step: Number | None
    max: Number | None
    max_step: Number | None
    count: int
    non_finite: int


@dataclass(frozen=True, repr=False)
class RunRecord:
    """A run without its metric histories, at the time of reading.

    Times are aware. `status` is killed when the run was never finished and its process has ended. For a job of a sweep
    `sweep` is {"id", "job", "key", "config_hash", "attempt"}, with "previous" for the runs of earlier attempts.
    `run_dir` is absolute. `error` is one line.
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

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the data that the run saw; None when it recorded none."""
        found = self.data.get("fingerprint")
        return None if found is None else str(found)

    @property
    def is_superseded(self) -> bool:
        """Whether a later attempt at the same job stands in for the run, which the tag `superseded_by` names; it has no rank."""
        return SUPERSEDED_BY in self.tags

    @property
    def rerun_of(self) -> str | None:
        """The run that this one was made to repeat; None for any other."""
        found = self.tags.get(RERUN_OF)
        return None if found is None else str(found)

    @property
    def without_rank(self) -> str | None:
        """Why the run takes no part in rankings, `superseded` or `rerun`; None if it does."""
        return next((word for tag, word in reversed(WITHOUT_RANK.items()) if tag in self.tags), None)

    @property
    def has_rank(self) -> bool:
        """Whether the run takes part in rankings: no later attempt stands in for it, and it repeats no other run."""
        return self.without_rank is None

    @property
    def last_values(self) -> dict[str, Number]:
        """The last value of each metric, finite or not."""
        return {name: summary.last for name, summary in self.summary.items()}

    @property
    def duration_s(self) -> float | None:
        """How long the run took; None while it is running."""
        return (self.finished_at - self.created_at).total_seconds() if self.finished_at else None

    def headlines(self) -> dict[str, Any]:
        """Return what there is to say of the run beside parameters and metrics, by its title; None for what it lacks."""
        from tracking.values.units import format_clock  # here and below: for those who look at a run

        return {
            "Status": self.status.value,
            "Created": self.created_at,
            "Finished": self.finished_at,
            "Duration": format_clock(self.duration_s) if self.finished_at else None,
            "Tags": ", ".join(f"{name}={value}" for name, value in self.tags.items()) or None,
            "Description": self.description or None,
            "Folder": self.run_dir,
            "Sweep": f"{self.sweep.get('id')}, job {self.sweep.get('job')}" if self.sweep else None,
            "Data": self.fingerprint,
            "Error": self.error or None,
        }

    def __repr__(self) -> str:
        return f"RunRecord({self.run_id!r}, {self.experiment_name!r}, {self.status.value!r})"

    def _repr_html_(self) -> str:
        from tracking.values import htmltext
        from tracking.values.celltext import param

        params = {name: param(value) for name, value in self.params.items()}
        metrics = [(name, each.last, each.min, each.max, each.count) for name, each in self.summary.items()]
        return htmltext.beside(
            htmltext.facts(self.headlines(), title=f"{self.run_id} of {self.experiment_name}"),
            htmltext.facts(params, title="Parameters") if params else "",
            htmltext.table(("metric", "last", "min", "max", "points"), metrics, title="Metrics")
            if metrics
            else "",
        )
