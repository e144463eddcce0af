"""What a sweep is going to run, frozen in ``plan.json`` before the first job starts."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sweeps.settings.sweeper_settings import SweeperSettings
from tracking.files import read_json, write_json
from tracking.version import __version__

PLAN_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """The frozen part of a sweep: its jobs, and how they are going to be ranked."""

    sweep: str
    created_at: str
    command: tuple[str, ...]
    swept: tuple[str, ...]
    objective: Mapping[str, Any]
    report: tuple[str, ...] | None
    jobs: tuple[Mapping[str, Any], ...]
    seed_key: str | None = None  # the swept key by which jobs are repeats of one candidate
    cwd: str | None = None  # the folder that `command` was given in
    config: Mapping[str, Any] | None = None  # what a task computes from, before a job's own overrides
    code: Mapping[str, str] | None = None  # hashes of the source files the task comes from
    store: str | None = None  # the store's absolute path then
    store_key: str | None = None  # the key of the config that says it

    def save(self, path: Path) -> None:
        """Write the plan; it is never written again."""
        write_json(path, {"version": PLAN_VERSION, "podium": __version__, **vars(self)})

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read a plan back; raises tracking's error, naming the file, when it cannot be read."""
        raw = read_json(path)
        return cls(
            sweep=raw["sweep"],
            created_at=raw["created_at"],
            command=tuple(raw["command"]),
            swept=tuple(raw["swept"]),
            objective=raw["objective"],
            report=None if raw["report"] is None else tuple(raw["report"]),
            jobs=tuple(raw["jobs"]),
            seed_key=raw.get("seed_key"),
            cwd=raw.get("cwd"),
            config=raw.get("config"),
            code=raw.get("code"),
            store=raw.get("store"),
            store_key=raw.get("store_key"),
        )


def make_plan(
    sweep_id: str,
    settings: SweeperSettings,
    swept: Sequence[str],
    jobs: Sequence[Mapping[str, Any]],
    *,
    config: Mapping[str, Any] | None = None,
    code: Mapping[str, str] | None = None,
) -> Plan:
    """Describe a sweep as plain data, with the command that is running; `jobs` are as `Planner.described` gives them."""
    return Plan(
        sweep=sweep_id,
        created_at=datetime.now().astimezone().isoformat(),
        # As it was typed, `-m package` and the interpreter's options included.
        command=(sys.executable, *sys.orig_argv[1:]),
        swept=tuple(swept),
        objective={
            "metric": settings.objective.metric,
            "mode": str(settings.objective.mode),
            "at": str(settings.objective.at),
        },
        report=settings.report,
        jobs=tuple(jobs),
        seed_key=settings.space.seed_key if settings.space.seed_key in swept else None,
        cwd=str(Path.cwd()),
        config=config,
        code=code,
        store=str(settings.store.absolute()),
        store_key=settings.store_key,
    )
