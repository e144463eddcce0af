"""Builds every job's config from one composition.

Composing costs 60-105 ms, copying a composed config and setting a value about 4 ms, and most jobs of
a sweep differ in values only. So overrides that choose structure (a config group, an added or deleted
key) are composed for real, once per distinct choice, and values are set on a copy.
Nothing reads YAML after this: what is built here is what the job gets.
"""

import copy
from collections.abc import Sequence
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
    "hydra.launcher.n_jobs",
    "hydra.launcher.threads",
)
# From Hydra 1.4 on, override_dirname is this interpolation, which follows a job's overrides by itself.
FOLLOWS_OVERRIDES = "${hydra_override_dirname:}"


class Composer:
    """Composes job configs below the config that the sweep itself was started with."""

    def __init__(self, loader: ConfigLoader, sweep_config: DictConfig, fixed: Sequence[str]) -> None:
        self._loader = loader
        self._sweep_config = sweep_config
        self._fixed = list(fixed)
        self._parser = OverridesParser.create(config_loader=loader)
        # Unresolved: a sub-folder usually speaks of the job's number.
        self._folders: Any = OmegaConf.to_container(sweep_config.hydra.sweep, resolve=False)
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def job_config(self, number: int, point: Sequence[str]) -> DictConfig:
        """Return the full config of job `number`: the fixed overrides, then `point`.

        Raises what Hydra raises for an override that does not fit the config.
        """
        overrides = self._parser.parse_overrides(list(point))
        values = [override for override in overrides if self._sets_a_value(override)]
        structure = [str(override.input_line) for override in overrides if override not in values]
        config = copy.deepcopy(self._base(tuple(structure)))
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        self._describe(config, number, point)
        return config

    def require_same_sweep(self, config: DictConfig) -> None:
        """Raise `SettingsError` if a job's config would rank or run the sweep in another way than the sweep's own.

        The name to promote under may differ: it is asked for once, from the sweep's own config.
        """
        for key in ONE_PER_SWEEP:
            own, theirs = (OmegaConf.select(each, key) for each in (self._sweep_config, config))
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
            and not self._loader.get_group_options(override.key_or_group)
        )

    def _base(self, structure: tuple[str, ...]) -> DictConfig:
        if structure not in self._bases:
            self._bases[structure] = self._loader.load_sweep_config(
                self._sweep_config, [*self._fixed, *structure]
            )
        return self._bases[structure]

    def _describe(self, config: DictConfig, number: int, point: Sequence[str]) -> None:
        overrides = [*self._fixed, *point]
        with flag_override(config.hydra, ["readonly", "struct"], False):
            config.hydra.overrides.task = overrides
            config.hydra.job.num = number
            config.hydra.job.id = str(number)
            for key in ("dir", "subdir"):
                OmegaConf.update(config, f"hydra.sweep.{key}", self._folders[key])
            raw = OmegaConf.to_container(config.hydra.job, resolve=False)
            if isinstance(raw, dict) and raw["override_dirname"] != FOLLOWS_OVERRIDES:
                config.hydra.job.override_dirname = self._override_dirname(config, overrides)

    def _override_dirname(self, config: DictConfig, overrides: Sequence[str]) -> str:
        style = config.hydra.job.config.override_dirname
        parsed = self._parser.parse_overrides(list(overrides))
        lines = sorted(str(o.input_line) for o in parsed if o.key_or_group not in style.exclude_keys)
        return str(style.item_sep.join(lines).replace("=", style.kv_sep))


def task_config(config: DictConfig) -> DictConfig:
    """Return the part of a composed config that the task sees: everything but ``hydra``."""
    task = copy.copy(config)
    with flag_override(task, ["readonly", "struct"], False):
        del task["hydra"]
    OmegaConf.set_readonly(task, None)
    return task
