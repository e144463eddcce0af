"""Builds every job's config from one composition.

Composing a config takes 60-105 ms, copying it and setting a value about 1 ms, and most jobs of a sweep differ in values
only. So overrides that choose structure (a config group, a deleted key) are composed by Hydra, once per distinct choice,
and values are set on a copy. An added key is composed with its first value; the others are set on a copy too. Nothing reads
YAML after `prepare`.
"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeps.errors import SettingsError
from sweeps.jobs import Job
from sweeps.paths import JOB_FOLDERS, job_folder
from sweeps.plan.hashing import hash_configs, plain_config
from sweeps.plan.hydra_versions import FOLLOWS_OVERRIDES, compose_job
from sweeps.plan.packing import Description, copied, pack, pack_hydra
from sweeps.settings.checks import shown
from sweeps.settings.sections import one_per_sweep
from sweeps.settings.sweeper_settings import SpaceSettings
from sweeps.space import parsed
from tracking.values.configs import Steadiness, is_config, read_config

ADDING = frozenset({OverrideType.ADD, OverrideType.FORCE_ADD})

SPACE = frozenset(each.name for each in fields(SpaceSettings))
ONE_CHOICE = "a choice that brings its own cannot be swept: run one sweep for each such choice, or write them as spaces"


@dataclass(frozen=True)
class JobConfig:
    """A job's `whole` config with ``hydra``, and the part of it that it shares with other jobs.

    `unsettled` holds the keys of the sweep's settings that may differ in this job. `is_steady` is what jobs of one sweep
    remember of their interpolations, see `hash_configs`.
    """

    whole: DictConfig
    description: Description
    packed_hydra: bytes
    unsettled: tuple[str, ...]
    is_steady: Steadiness

    @property
    def folder(self) -> Path:
        """The folder of the job's own output."""
        if self.description.sweep_subdir == JOB_FOLDERS:  # saves half a millisecond of resolving
            return job_folder(Path(self.description.sweep_dir), self.description.number)
        return Path(self.whole.hydra.sweep.dir, str(self.whole.hydra.sweep.subdir))

    def packed(self) -> bytes:
        """Return the whole config as bytes for `sweeps.plan.packing.unpack`."""
        return pack(self.whole, self.packed_hydra, self.description)

    def job(self, point: Mapping[str, Any], ignores: frozenset[str] = frozenset()) -> Job:
        """Return the job; `point` and `ignores` decide its key, see `hash_configs`."""
        hashes = hash_configs(self.whole, ignores, point, is_steady=self.is_steady)
        return Job(
            self.description.number,
            hashes.key,
            hashes.config_hash,
            tuple(self.description.overrides),
            point,
            self.folder,
            self.packed(),
            written=hashes.written,
        )


@dataclass(frozen=True)
class _Base:
    """One choice of structure, composed. `unsettled` are the settings that it changes or that follow other values."""

    config: DictConfig
    packed_hydra: bytes
    unsettled: tuple[str, ...]


class Composer:
    """Composes job configs from the config that the sweep was started with."""

    def __init__(self, loader: ConfigLoader, sweep_config: DictConfig, fixed: Sequence[str]) -> None:
        self._loader = loader
        self._sweep_config = sweep_config
        self._fixed = list(fixed)
        self._own = {key: OmegaConf.select(sweep_config, key) for key in one_per_sweep(sweep_config)}
        self._roots = {key.partition(".")[0] for key in self._own}
        # Unresolved, because a sub-folder usually contains the job's number.
        self._folders: Any = OmegaConf.to_container(sweep_config.hydra.sweep, resolve=False)
        self._bases: dict[tuple[str, ...], _Base] = {}
        self._is_steady: Steadiness = {}
        self._is_group = cache(lambda key: bool(loader.get_group_options(key)))
        self._value = cache(self._read_value)  # the lines of a grid recur in many points

    def prepare(self, points: Iterable[Sequence[str]]) -> None:
        """Compose each structure that the points choose, once."""
        for point in points:
            self._base(point)

    def job_config(self, number: int, point: Sequence[str]) -> JobConfig:
        """Return the config of job `number`: the fixed overrides, then `point`.

        Raise Hydra's errors for an override that does not fit the config.
        """
        values = [value for value in map(self._value, point) if value is not None]
        base = self._base(point)
        config = copied(base.config)
        for value in values:
            with _named(str(value.input_line)):
                ConfigLoaderImpl._apply_overrides_to_config([value], config)
        description = self._description(config, number, point)
        description.write_into(config.hydra)
        # Few jobs set a value in a section of settings, so comparing all settings of those jobs is cheap.
        is_near = any(each.key_or_group.partition(".")[0] in self._roots for each in values)
        unsettled = tuple(self._own) if is_near else base.unsettled
        return JobConfig(config, description, base.packed_hydra, unsettled, self._is_steady)

    def plain(self, point: Sequence[str]) -> dict[str, Any]:
        """Return the task's config of a point as nested plain values, see `plain_config`."""
        return plain_config(self.job_config(0, point).whole, self._is_steady)

    def choices(self, point: Sequence[str]) -> dict[str, Any]:
        """Return the file that a point's config has of each config group, by the name of the group."""
        chosen: Any = OmegaConf.to_container(self.job_config(0, point).whole.hydra.runtime.choices)
        return {str(group): file for group, file in chosen.items()}

    def task_config(self) -> DictConfig:
        """Return the task's config before a job's overrides."""
        config = self.job_config(0, ()).whole
        task: DictConfig = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        return task

    def require_same_sweep(self, config: JobConfig) -> None:
        """Raise `SettingsError` if a job's config changes a setting of the sweep that all jobs share."""
        for key in config.unsettled:
            own, theirs = self._own[key], OmegaConf.select(config.whole, key)
            if not _same(theirs, own):
                place, theirs, own = _first_difference(key, theirs, own)
                remedy = ONE_CHOICE if key.rpartition(".")[2] in SPACE else "run one sweep per value"
                if _follows_others(self._sweep_config, place):
                    remedy = "it cannot refer to a key that is swept"
                raise SettingsError(
                    f"{place} would be {shown(place, theirs)} in this job and is {shown(place, own)} in the sweep; "
                    f"all jobs of a sweep share it, so {remedy}"
                )

    def _read_value(self, line: str) -> Override | None:
        """Return the override that sets the value of a line on a composed config; None if it chooses structure."""
        override = parsed(line)
        if (
            override.is_delete()
            or override.package is not None
            or override.is_hydra_override()
            or self._is_group(override.key_or_group)
        ):
            return None
        if override.type not in ADDING:
            return override
        # Setting a mapping would merge it into the one that was composed.
        return None if isinstance(override.value(), dict) else replace(override, type=OverrideType.FORCE_ADD)

    def _base(self, point: Sequence[str]) -> _Base:
        lines, choices = [], []
        for line in point:
            value = self._value(line)
            if value is None:
                lines.append(line)
                choices.append(line)
            elif value.type in ADDING:  # the key must be there, with whichever value
                lines.append(line)
                choices.append(f"{line.partition('=')[0]}=")
        structure = tuple(choices)
        if structure not in self._bases:
            with _named(" ".join(lines)):
                config = compose_job(self._loader, self._sweep_config, [*self._fixed, *lines])
            unsettled = (
                key
                for key, own in self._own.items()
                if _follows_others(config, key) or not _same(OmegaConf.select(config, key), own)
            )
            self._bases[structure] = _Base(config, pack_hydra(config), tuple(unsettled))
        return self._bases[structure]

    def _description(self, config: DictConfig, number: int, point: Sequence[str]) -> Description:
        overrides, dirname = [*self._fixed, *point], None
        if config.hydra.job._get_node("override_dirname")._value() != FOLLOWS_OVERRIDES:
            style = config.hydra.job.config.override_dirname
            kept = (line for line in overrides if parsed(line).key_or_group not in style.exclude_keys)
            dirname = str(style.item_sep.join(sorted(kept)).replace("=", style.kv_sep))
        return Description(number, overrides, dirname, self._folders["dir"], self._folders["subdir"])


@contextlib.contextmanager
def _named(overrides: str) -> Iterator[None]:
    """Raise an error of Hydra's that names the overrides for what OmegaConf says of its own parts, as of an unset section."""
    try:
        yield
    except (AttributeError, AssertionError, TypeError) as error:
        if isinstance(error, OmegaConfBaseException):
            raise
        raise ConfigCompositionException(f"Error merging override {overrides}") from error


def _follows_others(config: DictConfig, key: str) -> bool:
    """Return whether a setting, a section that it is in, or a part of it is an interpolation."""
    node: Any = config
    for name in key.split("."):
        node = node._get_node(name, validate_access=False) if isinstance(node, DictConfig) else None
        if node is None:
            return False
        if node._is_interpolation():
            return True
    return "${" in repr(node)  # which shows the parts of a container unresolved


def _same(one: Any, other: Any) -> bool:
    """Return whether two settings are equal; a NaN, at any depth, equals another."""
    if one == other:
        return True
    one, other = (read_config(each).resolved() if is_config(each) else each for each in (one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)


def _first_difference(key: str, one: Any, other: Any) -> tuple[str, Any, Any]:
    """Return the first key at or below `key` whose values differ, with these values."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in dict.fromkeys((*one, *other)):
            if not _same(one.get(name), other.get(name)):
                return _first_difference(f"{key}.{name}", one.get(name), other.get(name))
    return key, one, other
