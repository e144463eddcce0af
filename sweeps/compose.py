"""Builds every job's config from one composition.

Composing costs 60-105 ms, copying a composed config and setting a value about 2 ms, and most jobs of
a sweep differ in values only. So overrides that choose structure (a config group, an added or deleted
key) are composed for real, once per distinct choice, and values are set on a copy.
Nothing reads YAML after `prepare`: what is built here is what the job gets.
"""

import contextlib
import pickle
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf, flag_override

from sweeps.errors import SettingsError

ONE_PER_SWEEP = (
    "hydra.sweeper.store",
    "hydra.sweeper.objective.metric",
    "hydra.sweeper.objective.mode",
    "hydra.sweeper.objective.at",
    "hydra.sweeper.report",
    "hydra.sweeper.max_failures",
    "hydra.sweeper.fail_fast",
    "hydra.sweeper.output",
    "hydra.sweeper.resume",
    "hydra.sweeper.reuse",
    "hydra.launcher.n_jobs",
    "hydra.launcher.threads",
    "hydra.launcher.timeout",
    "hydra.launcher.memory_limit",
    "hydra.launcher.retries",
    "hydra.launcher.gpus",
    "hydra.launcher.isolation",
)
# From Hydra 1.4 on, override_dirname is this interpolation, which follows a job's overrides by itself.
FOLLOWS_OVERRIDES = "${hydra_override_dirname:}"


class Composer:
    """Composes job configs below the config that the sweep itself was started with."""

    def __init__(self, loader: ConfigLoader, sweep_config: DictConfig, fixed: Sequence[str]) -> None:
        self._loader = loader
        self._sweep_config = sweep_config
        self._fixed = list(fixed)
        parser = OverridesParser.create(config_loader=loader)
        self._parse = cache(parser.parse_override)  # the lines of a grid come again and again
        self._own = {key: OmegaConf.select(sweep_config, key) for key in ONE_PER_SWEEP}
        # Unresolved: a sub-folder usually speaks of the job's number.
        self._folders: Any = OmegaConf.to_container(sweep_config.hydra.sweep, resolve=False)
        self._bases: dict[tuple[str, ...], bytes] = {}
        self._is_group = cache(lambda key: bool(loader.get_group_options(key)))

    def prepare(self, points: Iterable[Sequence[str]]) -> None:
        """Compose, once each, all the structures that these points choose."""
        structural: dict[str, bool] = {}
        for point in points:
            for line in point:
                if line not in structural:
                    structural[line] = not self._sets_a_value(self._parse(line))
            self._base(tuple(line for line in point if structural[line]))

    def job_config(self, number: int, point: Sequence[str]) -> DictConfig:
        """Return the full config of job `number`: the fixed overrides, then `point`.

        Raises what Hydra raises for an override that does not fit the config.
        """
        overrides = [self._parse(line) for line in point]
        values = [override for override in overrides if self._sets_a_value(override)]
        structure = [str(override.input_line) for override in overrides if override not in values]
        # Unpickling copies a config six times as fast as copy.deepcopy.
        config: DictConfig = pickle.loads(self._base(tuple(structure)))  # noqa: S301 - of our own making
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        self._describe(config, number, point)
        return config

    def require_same_sweep(self, config: DictConfig) -> None:
        """Raise `SettingsError` if a job's config would rank or run the sweep in another way than the sweep's own.

        The name to promote under may differ: it is asked for once, from the sweep's own config.
        """
        for key, own in self._own.items():
            theirs = OmegaConf.select(config, key)
            if theirs != own:
                raise SettingsError(
                    f"{key} would be {theirs} in this job and is {own} in the sweep; "
                    "a sweep is ranked and run in one way, so sweep these one after the other"
                )

    def _sets_a_value(self, override: Override) -> bool:
        return (
            override.type == OverrideType.CHANGE
            and override.package is None
            and not override.is_hydra_override()
            and not self._is_group(override.key_or_group)
        )

    def _base(self, structure: tuple[str, ...]) -> bytes:
        if structure not in self._bases:
            config = self._loader.load_sweep_config(self._sweep_config, [*self._fixed, *structure])
            self._bases[structure] = pickle.dumps(config)
        return self._bases[structure]

    def _describe(self, config: DictConfig, number: int, point: Sequence[str]) -> None:
        overrides = [*self._fixed, *point]
        with flag_override(config.hydra, ["readonly", "struct"], False):
            config.hydra.overrides.task = overrides
            for key in ("dir", "subdir"):
                config.hydra.sweep[key] = self._folders[key]
            job = config.hydra.job
            job.num = number
            job.id = str(number)
            if job._get_node("override_dirname")._value() != FOLLOWS_OVERRIDES:
                job.override_dirname = self._override_dirname(config, overrides)

    def _override_dirname(self, config: DictConfig, overrides: Sequence[str]) -> str:
        style = config.hydra.job.config.override_dirname
        parsed = map(self._parse, overrides)
        lines = sorted(str(o.input_line) for o in parsed if o.key_or_group not in style.exclude_keys)
        return str(style.item_sep.join(lines).replace("=", style.kv_sep))


@contextlib.contextmanager
def task_view(config: DictConfig) -> Iterator[DictConfig]:
    """Lend the part of a composed config that the task sees, everything but ``hydra``, without copying it."""
    content: dict[str, Any] = config.__dict__[
        "_content"
    ]  # taking a node out by OmegaConf's own means copies it
    hydra = content.pop("hydra")
    try:
        yield config
    finally:
        content["hydra"] = hydra


def job_folder(config: DictConfig) -> Path:
    """Return the folder that a job's own output goes to."""
    return Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir))


def task_config(config: DictConfig) -> DictConfig:
    """Return a copy of the part of a composed config that the task sees: everything but ``hydra``."""
    with task_view(config) as view:
        task: DictConfig = pickle.loads(pickle.dumps(view))  # noqa: S301 - of our own making
    OmegaConf.set_readonly(task, None)
    return task
