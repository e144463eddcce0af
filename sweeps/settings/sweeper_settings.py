"""The settings of a sweep as frozen values. `reading` reads them from a config and checks them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sweeps.settings.search_settings import Constraint, Mode, SearchSettings
from tracking.gate import GateSettings
from tracking.notify import Notify
from tracking.objective import Objective, plain_objectives


class OutputMode(StrEnum):
    """How a sweep reports its progress."""

    AUTO = "auto"  # a table on a terminal, lines elsewhere
    TABLE = "table"  # redrawn in place
    LINES = "lines"  # one per finished job
    JSON = "json"  # one object per event, and nothing else on stdout


@dataclass(frozen=True)
class Promotion:
    """The model that the winner of a sweep is registered as, and what makes it the champion."""

    model_name: str
    files: tuple[str, ...]
    loader: str | None
    gate: GateSettings = field(default_factory=GateSettings)


@dataclass(frozen=True)
class SpaceSettings:
    """The swept keys, and how their axes are combined into jobs.

    In `params` and `spaces` a text is what an override sets its key to; anything else is one value.
    """

    params: Mapping[str, Any]
    spaces: tuple[Mapping[str, Any], ...] = ()
    points: str | tuple[Mapping[str, Any], ...] | None = None
    mode: Mode = Mode.GRID
    n_trials: int | None = None
    seed: int = 0
    repeat: int = 1
    seed_key: str = "seed"  # without the "+" that adds it
    adds_seed: bool = False  # whether repeats may add the key to the config
    repeat_keys: tuple[str, ...] = ()  # other keys whose values only repeat a candidate, such as the fold
    first_seed: int | str | None = 0  # a text if the config sets no number; None when it has no such key
    when: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None

    def repeats(self, swept: Iterable[str]) -> tuple[str, ...]:
        """Return the swept keys whose values only repeat a candidate."""
        return tuple(key for key in swept if key == self.seed_key or key in self.repeat_keys)


NO_ALERTS = Notify()


@dataclass(frozen=True)
class SweeperSettings:
    """The settings of ``hydra.sweeper``: what is swept, ranked and promoted."""

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
    others: tuple[Objective, ...] = ()  # further objectives, beside the first one
    search: SearchSettings | None = None  # None if all points are known and no job stops early
    constraints: tuple[Constraint, ...] = ()
    winner: str | None = None
    fuse_key: str | None = None
    notify: Notify = NO_ALERTS
    output: OutputMode = OutputMode.AUTO
    resume: str | None = None
    resume_failed: bool = False
    resume_changed: bool = False
    reuse: bool = False
    report_html: bool = True
    store_key: str = "hydra.sweeper.store"  # the key to set for another store
    section: str = "hydra.sweeper"  # the key of the section that holds these settings
    remarks: tuple[str, ...] = ()  # what was noticed when they were read

    @property
    def notes(self) -> tuple[str, ...]:
        """Settings that can work but are probably a mistake, a sentence each."""
        return tuple(filter(None, [*(each.contradiction for each in self.objectives), *self.remarks]))

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What the sweep is ranked by, the first objective first."""
        return (self.objective, *self.others)

    def ranked_by(self, swept: Iterable[str]) -> dict[str, Any]:
        """Return what jobs are ranked by, and the swept keys by which they repeat a candidate, if there are any."""
        repeats = self.space.repeats(swept)
        return {
            **plain_objectives(self.objectives),
            **self.objective.named,
            **({"repeats": repeats} if repeats else {}),
        }

    def tolerates(self, failed: int, total: int) -> bool:
        """Return whether `failed` of `total` jobs is within ``max_failures``, a share if below 1."""
        allowed = self.max_failures * total if 0 < self.max_failures < 1 else self.max_failures
        return failed <= allowed
