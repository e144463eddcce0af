"""A sweep's settings as frozen values, checked once.

Hydra's typed configs (``hydra_plugins/podium/config.py``) refuse unknown keys and wrong types while
the config is composed; what is left to check here is whether the values can work.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweeps.errors import SettingsError
from sweeps.settings.launcher_settings import BASIC_LAUNCHER, launcher_target
from sweeps.settings.reading import choice, count, refuse_unknown, section
from tracking.objective import At, Direction, Objective


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

    def tolerates(self, failed: int, total: int) -> bool:
        """Whether `failed` of `total` jobs is within ``max_failures`` (a share when below 1)."""
        allowed = self.max_failures * total if 0 < self.max_failures < 1 else self.max_failures
        return failed <= allowed


def sweeper_settings(config: DictConfig) -> SweeperSettings:
    """Read ``hydra.sweeper``; raises `SettingsError` for values that cannot work."""
    raw = section(config, "hydra.sweeper")
    max_failures = raw["max_failures"]
    if max_failures < 0 or (max_failures > 1 and max_failures != int(max_failures)):
        raise SettingsError(
            f"max_failures={max_failures}: allowed are a count (0, 1, 2, ...) or a share (0.1)"
        )
    return SweeperSettings(
        store=Path(raw["store"]),
        name=raw["name"],
        space=_space(raw, config),
        dry_run=raw["dry_run"],
        objective=_objective(raw["objective"] or {}),
        report=None if raw["report"] is None else tuple(raw["report"]),
        max_failures=max_failures,
        fail_fast=raw["fail_fast"],
        max_batch_size=_batch_size(raw["max_batch_size"], config),
        check=raw["check"],
        key_ignores=frozenset(raw["key_ignores"]),
        promotion=_promotion(raw["promotion"] or {}),
        output=choice("output", raw["output"], OutputMode),
        resume=raw["resume"],
        resume_failed=raw["resume_failed"],
        resume_changed=raw["resume_changed"],
        reuse=_reuse(raw),
        store_key=_store_key(config),
    )


def _store_key(config: DictConfig) -> str:
    """The key that names the store: the one that ``hydra.sweeper.store`` takes it from, where it does."""
    raw = str(config.hydra.sweeper._get_node("store")._value())
    found = re.fullmatch(r"\$\{(\w+(?:\.\w+)*)\}", raw)
    return found[1] if found else "hydra.sweeper.store"


def _batch_size(raw: int | None, config: DictConfig) -> int | None:
    if raw is not None:
        return count("max_batch_size", raw, least=1)
    return 1 if launcher_target(config) == BASIC_LAUNCHER else None  # it runs them one by one anyhow


def _reuse(raw: Mapping[str, Any]) -> bool:
    if raw["reuse"] and not (raw["objective"] or {}).get("metric"):
        raise SettingsError(
            "reuse=true needs objective.metric: what a task returned is in its run only where podium's callback "
            "tracks it, as objective.metric=objective"
        )
    return bool(raw["reuse"])


def _space(raw: Mapping[str, Any], config: DictConfig) -> SpaceSettings:
    mode = choice("mode", raw["mode"], Mode)
    if raw["n_trials"] is not None:
        count("n_trials", raw["n_trials"], least=1)
        if mode is not Mode.RANDOM:
            raise SettingsError(f"n_trials={raw['n_trials']}: is for mode=random; this is mode={mode}")
    first_seed = OmegaConf.select(config, raw["seed_key"], default=0)
    points = raw["points"]
    return SpaceSettings(
        params=_texts("params", raw["params"] or {}),
        spaces=tuple(_texts("spaces", each) for each in raw["spaces"]),
        points=points if points is None or isinstance(points, str) else tuple(points),
        mode=mode,
        n_trials=raw["n_trials"],
        seed=raw["seed"],
        repeat=count("repeat", raw["repeat"], least=1),
        seed_key=raw["seed_key"],
        first_seed=first_seed if isinstance(first_seed, int) else 0,
        when=_texts("when", raw["when"] or {}),
        filter=raw["filter"],
    )


def _texts(key: str, raw: Any) -> dict[str, str]:
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{key}={raw!r}: must be a mapping of keys to what an override sets them to")
    return {str(name): str(value) for name, value in raw.items()}


def _objective(raw: Mapping[str, Any]) -> Objective:
    refuse_unknown("objective", raw, {"metric", "mode", "at"})
    metric = raw.get("metric")
    if metric is not None and (not isinstance(metric, str) or not metric):
        raise SettingsError(f"objective.metric={metric!r}: allowed is the name of a logged metric, or null")
    return Objective(
        metric,
        choice("objective.mode", raw.get("mode", "max"), Direction),
        choice("objective.at", raw.get("at", "best"), At),
    )


def _promotion(raw: Mapping[str, Any]) -> Promotion | None:
    known = {"promote", "model_name", "min_delta", "thresholds", "files", "loader"}
    refuse_unknown("promotion", raw, known)
    if not raw.get("promote", False):
        return None
    if not raw.get("model_name"):
        raise SettingsError(
            "promotion.promote=true needs promotion.model_name, the name to register the winner under"
        )
    min_delta = raw.get("min_delta", 0.0)
    if not isinstance(min_delta, int | float) or min_delta < 0:
        raise SettingsError(f"promotion.min_delta={min_delta}: allowed is 0 or more")
    thresholds = raw.get("thresholds") or {}
    if not raw.get("files"):
        raise SettingsError(
            "promotion.files is empty: name the artifacts that make up the model, [model_best.pt]"
        )
    _check_loader(raw.get("loader"))
    return Promotion(
        model_name=str(raw["model_name"]),
        min_delta=float(min_delta),
        thresholds={str(metric): float(bound) for metric, bound in thresholds.items()},
        files=tuple(raw.get("files") or ()),
        loader=raw.get("loader"),
    )


def _check_loader(loader: str | None) -> None:
    if loader is None:
        return
    module, colon, function = loader.partition(":")
    try:
        known = bool(colon and function) and find_spec(module) is not None
    except (ImportError, ValueError):
        known = False
    if not known:
        raise SettingsError(
            f"promotion.loader={loader}: allowed is module:function of a module that exists, or null"
        )
