"""Reads ``hydra.sweeper`` and ``hydra.launcher`` from a composed config, once, before anything starts.

Hydra's typed configs (``hydra_plugins/podium/config.py``) refuse unknown keys and wrong types while the config is
composed. The checks here are whether the values can work.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from sweeps.errors import SettingsError
from sweeps.jobs import Reason
from sweeps.settings.checks import choice, count, quantity, refuse_unknown
from sweeps.settings.gpus import gpu_names
from sweeps.settings.launcher_settings import Isolation, LauncherSettings
from sweeps.settings.sweeper_settings import Mode, OutputMode, Promotion, SpaceSettings, SweeperSettings
from tracking.objective import At, Direction, Objective
from tracking.values.units import parse_duration, parse_size

SECTIONS = ("hydra.sweeper", "hydra.launcher")
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def section(config: DictConfig, key: str) -> dict[str, Any]:
    """Return the settings of ``hydra.sweeper`` or ``hydra.launcher`` with their interpolations resolved.

    A setting of the section that ``settings_from`` names counts, unless the one below `key` differs from its default.
    Raise `SettingsError` if there is no such section, a key of it is unknown or its type is wrong, and for an
    interpolation that leads nowhere.
    """
    own = _plain(OmegaConf.select(config, key), key)
    source = own.get("settings_from")
    if source is None:
        return own
    if not isinstance(OmegaConf.select(config, source), DictConfig):
        raise SettingsError(
            f"{key}.settings_from={source}: the config has no such section; allowed is the key of one, or null"
        )
    given = _plain(OmegaConf.select(config, source), source)
    refuse_unknown(source, given, _allowed(config, source))
    schema = _schema(key)
    try:
        typed = OmegaConf.merge(schema, {name: value for name, value in given.items() if name in schema})
    except OmegaConfBaseException as error:
        name = str(error.full_key)
        if isinstance(error, ConfigKeyError):
            above = name.rpartition(".")[0]
            refuse_unknown(f"{source}.{above}", given[above], set(schema[above]))
        value = OmegaConf.select(config, f"{source}.{name}")
        raise SettingsError(f"{source}.{name}={value}: {str(error).splitlines()[0]}") from None
    merged = OmegaConf.to_container(OmegaConf.merge(typed, _changed(own, _plain(schema, key))))
    assert isinstance(merged, dict)  # noqa: S101 - a DictConfig gives a dict
    return {str(name): value for name, value in merged.items()}


def _changed(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _changed(value, defaults[name]) if isinstance(value, dict) and defaults.get(name) else value
        for name, value in values.items()
        if name not in defaults or value != defaults[name]
    }


def one_per_sweep(config: DictConfig) -> Iterator[str]:
    """Yield the key of each setting that is the same for all jobs, in every section that it may be read from."""
    for key in SECTIONS:
        schema: Any = OmegaConf.get_type(_schema(key))
        names = [each.name for each in fields(schema) if "per_job" not in each.metadata]
        if _is_ours(config, key):
            for place in filter(None, (key, OmegaConf.select(config, f"{key}.settings_from"))):
                yield from (f"{place}.{name}" for name in names)


@cache
def _schema(key: str) -> DictConfig:
    """Return the typed config that podium's plug-in has stored: each setting with its default."""
    node: DictConfig = ConfigStore.instance().load(f"{key.replace('.', '/')}/podium.yaml").node
    return node


def _allowed(config: DictConfig, source: str) -> set[str]:
    """Return the settings that a section may hold; those of podium's launcher also while another one is chosen."""
    readers = [
        key
        for key in SECTIONS
        if not _is_ours(config, key) or OmegaConf.select(config, f"{key}.settings_from") == source
    ]
    return {str(name) for key in readers for name in _schema(key)} - {"_target_", "settings_from"}


def _plain(node: Any, key: str) -> dict[str, Any]:
    try:
        container = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        raise SettingsError(f"{error.full_key or key}: {str(error).splitlines()[0]}") from None
    assert isinstance(container, dict)  # noqa: S101 - a DictConfig gives a dict
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
        objective=_objective(raw["objective"]),
        report=None if raw["report"] is None else tuple(raw["report"]),
        max_failures=max_failures,
        fail_fast=raw["fail_fast"],
        max_batch_size=_batch_size(raw["max_batch_size"], config),
        check=raw["check"],
        key_ignores=frozenset(raw["key_ignores"]),
        promotion=_promotion(raw["promotion"]),
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
    return (
        1 if _target(config, "hydra.launcher") == BASIC_LAUNCHER else None
    )  # it runs them one by one anyhow


def _reuse(raw: Mapping[str, Any]) -> bool:
    if raw["reuse"] and not raw["objective"]["metric"]:
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
    if raw["metric"] == "":
        raise SettingsError("objective.metric='': allowed is the name of a logged metric, or null")
    mode = None if raw["mode"] is None else choice("objective.mode", raw["mode"], Direction)
    return Objective.of(raw["metric"], mode, choice("objective.at", raw["at"], At))


def _promotion(raw: Mapping[str, Any]) -> Promotion | None:
    if not raw["promote"]:
        return None
    if not raw["model_name"]:
        raise SettingsError(
            "promotion.promote=true needs promotion.model_name, the name to register the winner under"
        )
    if raw["min_delta"] < 0:
        raise SettingsError(f"promotion.min_delta={raw['min_delta']}: allowed is 0 or more")
    if not raw["files"]:
        raise SettingsError(
            "promotion.files is empty: name the artifacts that make up the model, [model_best.pt]"
        )
    _check_loader(raw["loader"])
    return Promotion(
        model_name=raw["model_name"],
        min_delta=raw["min_delta"],
        thresholds=raw["thresholds"],
        files=tuple(raw["files"]),
        loader=raw["loader"],
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
    """Return whether ``hydra.launcher`` is podium's, which runs jobs one by one; stock ones take batches."""
    return _is_ours(config, "hydra.launcher")


def _is_ours(config: DictConfig, key: str) -> bool:
    return _target(config, key).startswith("hydra_plugins.podium.")


def _target(config: DictConfig, key: str) -> str:
    return str(OmegaConf.select(config, f"{key}._target_"))


def launcher_settings(config: DictConfig) -> LauncherSettings:
    """Read ``hydra.launcher``; null means the cores for `n_jobs` and an equal share for `threads`.

    The settings of a launcher that is not ours are its own business: all that is read is how many jobs it may
    run at once.
    """
    import joblib

    raw = section(config, "hydra.launcher")
    cores = joblib.cpu_count()
    if not is_our_launcher(config):
        at_once = 1 if _target(config, "hydra.launcher") == BASIC_LAUNCHER else raw.get("n_jobs")
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
