"""Reads the settings of the sweeper and the launcher from a composed config, once, before anything starts.

Keys and types are checked already (see `sections`). What is left to check is whether the values can work.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from sweeps.errors import SettingsError
from sweeps.jobs import Reason
from sweeps.settings.checks import choice, count, quantity, require, seconds, shown
from sweeps.settings.dask_settings import DaskSettings, dask_settings
from sweeps.settings.gpus import gpu_names
from sweeps.settings.launcher_settings import Fusion, Isolation, LauncherSettings
from sweeps.settings.ray_settings import RaySettings, ray_settings
from sweeps.settings.search_reading import constraints, search_settings
from sweeps.settings.search_settings import Mode
from sweeps.settings.sections import (
    DASK,
    LAUNCHER,
    RAY,
    SWEEPER,
    is_ours,
    launcher_on_nodes,
    section,
    settings_sections,
    target,
)
from sweeps.settings.sweeper_settings import OutputMode, Promotion, SpaceSettings, SweeperSettings
from tracking import InvalidNameError, InvalidValueError, TrackingError
from tracking.extras import missing
from tracking.gate import GateSettings, gate_settings
from tracking.notify import Notify, parse_addresses, parse_events
from tracking.objective import At, Direction, Objective
from tracking.values.names import check_component, check_path
from tracking.values.plain import flat
from tracking.values.units import parse_duration, parse_size

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
MOST_GRACE_S = 604800.0
MOST_AT_ONCE = 1000  # each has a thread that watches over it
NOT_THERE = object()
ENGINES: dict[str, Callable[[Mapping[str, Any]], DaskSettings | RaySettings]] = {
    DASK: dask_settings,
    RAY: ray_settings,
}
YAML_OFF = "False"  # how YAML reads a plain off
Settings = TypeVar("Settings", SweeperSettings, SpaceSettings, Promotion, LauncherSettings)


def sweeper_settings(config: DictConfig) -> SweeperSettings:
    """Return the settings of ``hydra.sweeper``; raise `SettingsError` for values that cannot work."""
    raw = section(config, SWEEPER)
    space = _space(raw, config)
    failures = raw["max_failures"]
    is_count_or_share = failures >= 0 and (failures <= 1 or failures == int(failures))
    require(is_count_or_share, "max_failures", failures, "are a count (0, 1, 2, ...) or a share (0.1)")
    unknown = [name for name in raw["key_ignores"] if name not in config]
    objective, *others = _objectives(raw["objective"])
    return _made(
        SweeperSettings,
        raw,
        remarks=tuple(f"key_ignores: the config has no top-level key {name}" for name in unknown),
        store=_store(raw["store"]),
        space=space,
        search=search_settings(raw, space.mode, (objective, *others)),
        constraints=constraints(raw["constraints"]),
        objective=objective,
        others=tuple(others),
        report=None if raw["report"] is None else tuple(raw["report"]),
        max_batch_size=_batch_size(raw["max_batch_size"], config),
        key_ignores=frozenset((*raw["key_ignores"], *settings_sections(config))),
        promotion=_promotion(raw["promotion"]),
        winner=_winner(raw["winner"]),
        notify=_notify(raw["notify"], raw["settings_from"] or SWEEPER),
        output=choice("output", raw["output"], OutputMode),
        store_key=_store_key(config),
        section=raw["settings_from"] or SWEEPER,
    )


def _made(kind: type[Settings], raw: Mapping[str, Any], **read: Any) -> Settings:
    """Return settings with the values in `read`; the others are taken from `raw` as they are."""
    return kind(**{each.name: raw[each.name] for each in fields(kind) if each.name in raw} | read)


def _store(place: str) -> Path:
    try:
        return check_path("hydra.sweeper.store", place, example="experiments")
    except InvalidNameError as error:
        raise SettingsError(str(error)) from None


def _store_key(config: DictConfig) -> str:
    """Return the key to set for another store: the one that ``hydra.sweeper.store`` refers to, or that itself."""
    raw = str(config.hydra.sweeper._get_node("store")._value())
    found = re.fullmatch(r"\$\{(\w+(?:\.\w+)*)\}", raw)
    return found[1] if found else "hydra.sweeper.store"


def _batch_size(raw: int | None, config: DictConfig) -> int | None:
    if raw is not None:
        return count("max_batch_size", raw, least=1)
    is_serial = target(config, LAUNCHER) == BASIC_LAUNCHER  # then batches of one report each job when it ends
    return 1 if is_serial else None


def _space(raw: Mapping[str, Any], config: DictConfig) -> SpaceSettings:
    mode = choice("mode", raw["mode"], Mode)
    if raw["n_trials"] is not None:
        count("n_trials", raw["n_trials"], least=1)
        if mode.is_listed:
            raise SettingsError(
                f"n_trials={raw['n_trials']}: is for mode=random and for searches; this is mode={mode}"
            )
    seed_key = raw["seed_key"].lstrip("+")
    seed = OmegaConf.select(config, seed_key, default=NOT_THERE)
    points = raw["points"]
    return _made(
        SpaceSettings,
        raw,
        params=_params("params", raw["params"] or {}),
        spaces=tuple(_params(f"spaces.{index}", each) for index, each in enumerate(raw["spaces"])),
        points=tuple(points) if isinstance(points, list) else points,
        mode=mode,
        repeat=count("repeat", raw["repeat"], least=1),
        seed_key=seed_key,
        adds_seed=seed_key != raw["seed_key"],
        repeat_keys=tuple(key.lstrip("+") for key in raw["repeat_keys"]),
        first_seed=None if seed is NOT_THERE else _first_seed(seed),
        when={name.lstrip("+"): str(value) for name, value in _mapping("when", raw["when"] or {}).items()},
    )


def _first_seed(seed: Any) -> int | str:
    return 0 if seed is None else seed if isinstance(seed, int) and not isinstance(seed, bool) else str(seed)


def _params(place: str, raw: Any) -> dict[str, Any]:
    params = _mapping(place, raw)
    for key, value in params.items():
        if isinstance(value, Mapping):
            inner = next(iter(flat(value)), "KEY")
            raise SettingsError(
                f"{place}.{key}={shown(key, value)}: allowed is a value or an override's text; to sweep a key below {key} write "
                f"{key}.{inner}: ..., to set {key} to one mapping write it as text, in quotes"
            )
    return params


def _mapping(place: str, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise SettingsError(
            f"{place}={shown(place, raw)}: must be a mapping of keys to what an override sets them to"
        )
    return {str(name): value for name, value in raw.items()}


def _objectives(raw: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[Objective]:
    """Return the objectives, the first of them the one that decides where only one can."""
    if isinstance(raw, Mapping):
        return [_objective("objective", raw)]
    found = [_objective(f"objective.{index}", each) for index, each in enumerate(raw)]
    for index, each in enumerate(found):
        allowed = "is the name of a logged or returned metric, another one in each of several objectives"
        is_its_own = each.metric is not None and each.metric not in [one.metric for one in found[:index]]
        require(is_its_own or len(found) == 1, f"objective.{index}.metric", each.metric, allowed)
    return found


def _objective(place: str, raw: Mapping[str, Any]) -> Objective:
    require(raw["metric"] != "", f"{place}.metric", "''", "is the name of a logged metric, or null")
    mode = None if raw["mode"] is None else choice(f"{place}.mode", raw["mode"], Direction)
    return Objective.of(raw["metric"], mode, choice(f"{place}.at", raw["at"], At))


def _promotion(raw: Mapping[str, Any]) -> Promotion | None:
    if not raw["promote"]:
        return None
    if not raw["model_name"]:
        raise SettingsError(
            "promotion.promote=true needs promotion.model_name, the name to register the winner under"
        )
    if not raw["files"]:
        raise SettingsError(
            "promotion.files is empty: name the artifacts that make up the model, [model_best.pt]"
        )
    _check_model(raw["model_name"], raw["files"])
    allowed = "is module:function of a module that exists, or null"
    require(_is_function(raw["loader"]), "promotion.loader", raw["loader"], allowed)
    return _made(Promotion, raw, files=tuple(raw["files"]), gate=_gate(raw))


def _gate(raw: Mapping[str, Any]) -> GateSettings:
    names = {each.name for each in fields(GateSettings)}
    try:
        settings = gate_settings({name: value for name, value in raw.items() if name in names})
    except InvalidValueError as error:
        raise SettingsError(f"promotion.{error}") from None
    module, _, function = (settings.scorer or "").rpartition(".")
    is_function = settings.scorer is None or _is_function(f"{module}:{function}")
    allowed = "is the dotted name of a function of a module that exists, or null"
    require(is_function, "promotion.scorer", settings.scorer, allowed)
    if settings.scores and (absent := missing("gate")):
        raise SettingsError(f"promotion.scorer={settings.scorer}: {absent}")
    return settings


def _winner(dotted: str | None) -> str | None:
    module, _, function = (dotted or "").rpartition(".")
    is_function = dotted is None or _is_function(f"{module}:{function}")
    require(
        is_function, "winner", dotted, "is the dotted name of a function of a module that exists, or null"
    )
    return dotted


def _notify(raw: Mapping[str, Any], section: str) -> Notify:
    try:
        return Notify(
            parse_addresses(raw["to"], f"{section}.notify.to"),
            parse_events(raw["on"], f"{section}.notify.on"),
        )
    except InvalidValueError as error:
        raise SettingsError(str(error)) from None


def _check_model(name: str, files: Sequence[str]) -> None:
    """Raise SettingsError for what the registry would refuse once all jobs have run."""
    from tracking.registry import check_files

    try:
        check_component("promotion.model_name", name)
    except InvalidNameError as error:
        raise SettingsError(str(error)) from None
    try:
        check_files(files)
    except TrackingError as error:
        raise SettingsError(f"promotion.files: {error}") from None


def _is_function(loader: str | None) -> bool:
    if loader is None:
        return True
    module, colon, function = loader.partition(":")
    try:
        return bool(colon and function) and find_spec(module) is not None
    except (ImportError, ValueError):  # a package above the module is missing
        return False


def launcher_settings(config: DictConfig) -> LauncherSettings:
    """Return the settings of ``hydra.launcher``; raise `SettingsError` for values that cannot work.

    Null means all cores, or all places on the GPUs, for `n_jobs` and an equal share of the cores for `threads`. As in
    joblib, an `n_jobs` of -1 means all too, -2 all but one. On the nodes of a cluster, where the cores may be others, these are
    what this machine would do. Of a launcher that is not podium's, only the number of jobs at once is read.
    """
    import joblib

    raw = section(config, LAUNCHER)
    cores = joblib.cpu_count()
    if not is_ours(config, LAUNCHER):
        at_once = 1 if target(config, LAUNCHER) == BASIC_LAUNCHER else raw.get("n_jobs")
        return LauncherSettings(_at_once(at_once if isinstance(at_once, int) else None, cores), 1, (), 0.0)
    per_gpu = count("jobs_per_gpu", raw["jobs_per_gpu"], least=1)
    on_nodes = launcher_on_nodes(config)
    engine = ENGINES[on_nodes](raw) if on_nodes is not None else None
    gpus = gpu_names(raw["gpus"], per_gpu, are_here=engine is None)
    places = len(gpus) * per_gpu
    allowed = f"are 1, 2, ..., null or -1 for one job per core ({cores} here), -2 for one less, ..."
    require(raw["n_jobs"] != 0, "n_jobs", 0, allowed)
    if engine is not None:
        allowed = "are 1, 2, ..., null or -1 for as many as a node has room for"
        require((raw["n_jobs"] or -1) >= -1, "n_jobs", raw["n_jobs"], allowed)
    most = f"are up to {MOST_AT_ONCE} jobs at once on one machine"
    require((raw["n_jobs"] or 1) <= MOST_AT_ONCE, "n_jobs", raw["n_jobs"], most)
    require(places <= MOST_AT_ONCE, "jobs_per_gpu", per_gpu, most)
    n_jobs = (engine and engine.places) or _at_once(raw["n_jobs"], places or min(cores, MOST_AT_ONCE))
    if gpus and n_jobs > places:
        raise SettingsError(
            f"n_jobs={n_jobs}: {len(gpus)} GPUs with jobs_per_gpu={per_gpu} have room for {places} jobs"
        )
    threads = max(1, cores // n_jobs) if raw["threads"] is None else raw["threads"]
    require(threads >= 1, "threads", threads, "are 1, 2, ... or null for an equal share of the cores")
    seconds("grace_s", raw["grace_s"], least=0.0, most=MOST_GRACE_S)
    return _made(
        LauncherSettings,
        raw,
        n_jobs=n_jobs,
        threads=threads,
        sets_threads=raw["threads"] is not None,
        preload=tuple(raw["preload"]),
        timeout_s=quantity("timeout", raw["timeout"], parse_duration),
        memory_limit_bytes=quantity("memory_limit", raw["memory_limit"], parse_size),
        retries=count("retries", raw["retries"], least=0),
        retry_on=frozenset(choice("retry_on", name, Reason) for name in raw["retry_on"]),
        gpus=gpus,
        isolation=choice("isolation", raw["isolation"], Isolation),
        fusion=choice("fusion", "off" if raw["fusion"] == YAML_OFF else raw["fusion"], Fusion),
        fusion_size=count("fusion_size", raw["fusion_size"], least=1),
        engine=engine,
    )


def _at_once(n_jobs: int | None, places: int) -> int:
    """Return how many jobs run at once in so many places; a negative number counts down from all, as in joblib."""
    if not n_jobs:
        return places
    return n_jobs if n_jobs > 0 else max(1, places + 1 + n_jobs)
