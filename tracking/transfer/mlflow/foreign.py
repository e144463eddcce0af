"""What MLflow recorded of a run, as both kinds of its stores tell it, and the contract of their readers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tracking.records import RunStatus

RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")  # as MLflow makes and checks it
MAX_TEXT = 1 << 20  # bytes of a parameter, a tag or a meta.yaml; no MLflow writes longer ones

MlflowPoint = tuple[int, int, float]  # step, time, value: so they are sorted


@dataclass(frozen=True)
class ForeignRun:
    """A run of MLflow without its parameters, tags and metrics; times are milliseconds, None where none is told."""

    run_id: str
    name: str
    experiment: str
    experiment_id: str
    status: RunStatus
    start: int | None
    end: int | None
    is_deleted: bool
    artifact_uri: str
    folder: Path | None = None  # of a file store


@dataclass
class ForeignContent:
    """Parameters, tags and metrics of a run, and what of them could not be read."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[MlflowPoint]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


class ForeignStore(Protocol):
    """A store of MLflow that is read and never changed.

    Its content is not trusted: whatever cannot be read costs itself, and is named in `damaged` of the store, or of the
    content of its run.
    """

    place: Path
    damaged: dict[str, str]  # runs and experiments that cannot be read, and why

    def runs(self) -> Iterator[ForeignRun]:
        """Yield all runs, deleted ones too; name those that cannot be read in `damaged`."""

    def content(self, run: ForeignRun) -> ForeignContent:
        """Return the parameters, tags and metrics of a run."""

    def artifacts(self, run: ForeignRun) -> Path | None:
        """Return the local folder with the artifacts of a run; None if they are elsewhere, or there are none."""

    def close(self) -> None:
        """Close what is open."""
