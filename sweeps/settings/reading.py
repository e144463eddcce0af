"""Reads ``hydra.sweeper`` and ``hydra.launcher`` from a composed config, once, before anything starts.

Hydra's typed configs (``hydra_plugins/podium/config.py``) refuse unknown keys and wrong types while the config is
composed. The checks here are whether the values can work.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.errors import SettingsError
from sweeps.jobs import Reason
from sweeps.settings.checks import choice, count, quantity, refuse_unknown
from sweeps.settings.gpus import gpu_names
from sweeps.settings.launcher_settings import Isolation, LauncherSettings
from sweeps.settings.sweeper_settings import Mode, OutputMode, Promotion, SpaceSettings, SweeperSettings
from tracking.objective import At, Direction, Objective
from tracking.values.units import parse_duration, parse_size

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def section(config: DictConfig, key: str) -> dict[str, Any]:
    """Return a section of a config with its interpolations resolved; raise SettingsError when one leads nowhere."""
    node = OmegaConf.select(config, key)
    try:
        container = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingsError(f"{error.full_key or key}: {str(error).splitlines()[0]}") from error
    if not isinstance(container, dict):
        raise SettingsError(f"{key} is no mapping: {container!r}")
    return {str(name): value for name, value in container.items()}


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


def is_our_launcher(config: DictConfig) -> bool:
    """Whether ``hydra.launcher`` is podium's, which runs jobs one by one, or a stock one, which takes batches."""
    return launcher_target(config).startswith("hydra_plugins.podium.")


def launcher_target(config: DictConfig) -> str:
    """Return the ``_target_`` of ``hydra.launcher``."""
    return str(OmegaConf.select(config, "hydra.launcher._target_"))


def launcher_settings(config: DictConfig) -> LauncherSettings:
    """Read ``hydra.launcher``; null means the cores for `n_jobs` and an equal share for `threads`.

    The settings of a launcher that is not ours are its own business: all that is read is how many jobs it may
    run at once.
    """
    import joblib

    raw = section(config, "hydra.launcher")
    cores = joblib.cpu_count()
    if not is_our_launcher(config):
        at_once = 1 if launcher_target(config) == BASIC_LAUNCHER else raw.get("n_jobs")
        return LauncherSettings(at_once if isinstance(at_once, int) and at_once > 0 else cores, 1, (), 0.0)
    per_gpu = count("jobs_per_gpu", raw["jobs_per_gpu"], least=1)
    gpus = gpu_names(raw["gpus"], per_gpu)
    places = len(gpus) * per_gpu
    n_jobs = (places or cores) if raw["n_jobs"] is None else raw["n_jobs"]
    if n_jobs < 1:
        raise SettingsError(
            f"n_jobs={n_jobs}: allowed are 1, 2, ... or null for one job per core ({cores} here)"
        )
    if gpus and n_jobs > places:
        raise SettingsError(
            f"n_jobs={n_jobs}: {len(gpus)} GPUs with jobs_per_gpu={per_gpu} have room for {places} jobs"
        )
    threads = max(1, cores // n_jobs) if raw["threads"] is None else raw["threads"]
    if threads < 1:
        raise SettingsError(
            f"threads={threads}: allowed are 1, 2, ... or null for an equal share of the cores"
        )
    if raw["grace_s"] < 0:
        raise SettingsError(f"grace_s={raw['grace_s']}: allowed are seconds, 0 or more")
    return LauncherSettings(
        n_jobs,
        threads,
        tuple(raw["preload"]),
        raw["grace_s"],
        timeout_s=quantity("timeout", raw["timeout"], parse_duration),
        memory_limit_bytes=quantity("memory_limit", raw["memory_limit"], parse_size),
        retries=count("retries", raw["retries"], least=0),
        retry_on=frozenset(choice("retry_on", name, Reason) for name in raw["retry_on"]),
        gpus=gpus,
        jobs_per_gpu=per_gpu,
        isolation=choice("isolation", raw["isolation"], Isolation),
    )
