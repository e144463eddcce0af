"""The head of a sweep, kept in ``plan.json`` before the first job starts; its jobs are in the ledger.

It is replaced as a whole when the sweep is extended by further points, and never changes otherwise.
"""

import builtins
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sweeps.jobs import PlannedJob
from sweeps.settings.addresses import recorded
from sweeps.settings.sweeper_settings import SweeperSettings
from tracking import CorruptFileError, NewerFormatError
from tracking.files import read_json, refuse_link, write_json
from tracking.objective import Objective, objectives_of, plain_objectives
from tracking.version import __version__

PLAN_VERSION = 2
MOST_JOBS = 1_000_000  # as many as a space may have points


@dataclass(frozen=True)
class BaseConfig:
    """What a sweep computes from, before a job's overrides, as JSON keeps it.

    In `values` each value is resolved, but for what Hydra derives per job. `written` has every interpolation as it is
    written; None if there is none.
    """

    values: Mapping[str, Any] | None
    written: Mapping[str, Any] | None


NO_CONFIG = BaseConfig(None, None)


@dataclass(frozen=True)
class Plan:
    """The frozen part of a sweep: its space, its objective, its config and its code.

    `total` is the number of its jobs, None if a search decides that while the sweep runs. `left` are those that its
    space had once and has no more. Plans of version 1 hold the `jobs` themselves; since version 2 they are in the
    ledger, and `jobs` is empty.
    """

    sweep: str
    created_at: str
    command: tuple[str, ...]
    swept: tuple[str, ...]
    objective: Mapping[str, Any]
    report: tuple[str, ...] | None
    total: int | None = None
    left: tuple[int, ...] = ()
    space: Mapping[str, Any] | None = None  # its settings, and the overrides that it was read from
    seed_key: str | None = None  # the key of the seed, if that is swept
    repeats: tuple[str, ...] = ()  # the swept keys by which jobs are repeats of one candidate
    cwd: str | None = None  # the folder that `command` ran in
    config: Mapping[str, Any] | None = None  # the task's config before a job's overrides
    written: Mapping[str, Any] | None = None  # the same with its interpolations; None if it has none
    code: Mapping[str, str] | None = None  # hashes of the task's source files
    late_code: Mapping[str, str] | None = None  # hashes of files beside them that jobs may import later
    store: str | None = None  # the absolute path of the store
    store_key: str | None = None  # the key of the config that sets it
    constraints: tuple[str, ...] = ()  # bounds that a ranked job keeps: ``val_latency_ms <= 5``
    search: Mapping[str, Any] | None = None  # the settings of a search; None if no search decides the points
    signature: str | None = None  # of the user whose command it is; see `sweeps.state.origin`
    jobs: tuple[PlannedJob, ...] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What the sweep is ranked by, the first objective first."""
        return objectives_of(self.objective)

    def save(self, path: Path) -> None:
        """Write the plan, all or nothing."""
        head = {key: value for key, value in vars(self).items() if key != "jobs"}
        write_json(path, {"version": PLAN_VERSION, "podium": __version__, **head})

    def extended(self, now: "Plan") -> "Plan":
        """Return this plan with the jobs, the space and the objective of `now`, a later plan, and what resumes it."""
        of_jobs = ("total", "left", "space", "objective", "constraints", "search")
        names = (*of_jobs, "sweep", "command", "cwd", "store", "store_key")
        return replace(self, **{name: getattr(now, name) for name in names}, jobs=())

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Return the plan of a file; raise an error of tracking that names the file if it cannot be read."""
        refuse_link(path.parent)
        raw = read_json(path)
        try:
            version = int(raw["version"])
            plan = cls._of(raw) if version <= PLAN_VERSION else None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(
                f"{path} is not the plan of a sweep ({error!r}); repair or remove it"
            ) from None
        if plan is None:
            raise NewerFormatError(f"{path} has format {version}; a newer version of podium wrote it")
        return plan

    @classmethod
    def _of(cls, raw: Mapping[str, Any]) -> "Plan":
        known = {each.name: raw[each.name] for each in fields(cls) if each.name in raw}
        for name in ("command", "swept", "report"):
            known[name] = None if raw[name] is None else tuple(raw[name])
        known["left"] = tuple(map(int, raw.get("left", ())))
        seed_key = raw.get("seed_key")  # the only repeats of version 0.1.0 were seeds
        known["repeats"] = tuple(raw.get("repeats", () if seed_key is None else (seed_key,)))
        if "jobs" in raw:
            jobs = tuple(map(PlannedJob.from_json, raw["jobs"]))
            known |= {"jobs": jobs, "total": len(jobs)}
        known["constraints"] = tuple(map(str, raw.get("constraints", ())))
        plan = cls(**known)
        objectives_of(plan.objective)
        if plan.total is not None and not 0 <= plan.total <= MOST_JOBS:
            raise ValueError(f"total is {plan.total}")
        return plan


@dataclass(frozen=True)
class Recorded:
    """The jobs that a resumed sweep has recorded, by number, and numbers whose record is lost.

    With `any_will_do`, as for random points, a recorded point stands for one that is asked for and not recorded.
    """

    jobs: Mapping[int, PlannedJob] = field(default_factory=dict)
    lost: Sequence[int] = ()
    any_will_do: bool = False


NOTHING_RECORDED = Recorded()


def _is_repeatable() -> bool:
    """Return whether this program's command runs it again: that of a notebook or of a shell only starts another one."""
    is_typed = sys.argv[0] in ("", "-")  # at a prompt, or piped into Python
    return not is_typed and getattr(builtins, "__IPYTHON__", None) is None


def make_plan(
    sweep_id: str,
    settings: SweeperSettings,
    swept: Sequence[str],
    total: int | None,
    *,
    arguments: Sequence[str] = (),
    config: BaseConfig = NO_CONFIG,
    search: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan of a sweep that this process runs; `arguments` are the overrides of its space."""
    return Plan(
        sweep=sweep_id,
        created_at=datetime.now().astimezone().isoformat(),
        # As typed, with `-m package` and the options of the interpreter.
        command=recorded((sys.executable, *sys.orig_argv[1:]), settings.section) if _is_repeatable() else (),
        swept=tuple(swept),
        objective=plain_objectives(settings.objectives),
        report=settings.report,
        total=total,
        space={**asdict(settings.space), "arguments": list(arguments)},
        seed_key=settings.space.seed_key if settings.space.seed_key in swept else None,
        repeats=settings.space.repeats(swept),
        cwd=str(Path.cwd()),
        config=config.values,
        written=config.written,
        store=str(settings.store.absolute()),
        store_key=settings.store_key,
        constraints=tuple(map(str, settings.constraints)),
        search=search,
    )
