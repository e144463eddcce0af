"""The settings of a sweep as frozen values. Reading them from a config, and checking them, is done in `reading`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tracking.objective import Objective


class Mode(StrEnum):
    """How the axes of a search space are combined."""

    GRID = "grid"  # every value with every other
    ZIP = "zip"  # the first values together, then the second ones, ...
    RANDOM = "random"  # drawn
    LIST = "list"  # the given points


class OutputMode(StrEnum):
    """How a sweep tells what it does."""

    AUTO = "auto"  # a table on a terminal, lines elsewhere
    TABLE = "table"  # drawn anew in place
    LINES = "lines"  # one per finished job
    JSON = "json"  # one object per event, and nothing else on stdout


@dataclass(frozen=True)
class Promotion:
    """What makes the winner of a sweep the champion of a registered model."""

    model_name: str
    min_delta: float
    thresholds: Mapping[str, float]
    files: tuple[str, ...]
    loader: str | None


@dataclass(frozen=True)
class SpaceSettings:
    """What is swept, and how its axes are combined into jobs."""

    params: Mapping[str, str]
    spaces: tuple[Mapping[str, str], ...] = ()
    points: str | tuple[Mapping[str, Any], ...] | None = None
    mode: Mode = Mode.GRID
    n_trials: int | None = None
    seed: int = 0
    repeat: int = 1
    seed_key: str = "seed"
    first_seed: int = 0
    when: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None


@dataclass(frozen=True)
class SweeperSettings:
    """``hydra.sweeper.*``: what is swept, ranked and promoted."""

    store: Path
    name: str | None
    space: SpaceSettings
    dry_run: bool
    objective: Objective
    report: tuple[str, ...] | None
    max_failures: float
    fail_fast: bool
    max_batch_size: int | None
    check: str | None
    key_ignores: frozenset[str]
    promotion: Promotion | None
    output: OutputMode = OutputMode.AUTO
    resume: str | None = None
    resume_failed: bool = False
    resume_changed: bool = False
    reuse: bool = False
    store_key: str = "hydra.sweeper.store"  # what to set for another store

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that can work but are probably a mistake, a sentence each."""
        return tuple(filter(None, [self.objective.contradiction]))

    def tolerates(self, failed: int, total: int) -> bool:
        """Whether `failed` of `total` jobs is within ``max_failures`` (a share when below 1)."""
        allowed = self.max_failures * total if 0 < self.max_failures < 1 else self.max_failures
        return failed <= allowed
