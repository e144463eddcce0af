"""Configs on their way to a job: copied, packed, and set up by Hydra, each as fast as it goes.

Most of a composed config is Hydra's own section, the same for all jobs of a structure but for a few values. So it is
packed once, and each job brings what is different.

An empty job spent four fifths of its time in what Hydra does before it calls the task: five deep copies of that
section, and writing it as YAML with a dumper that is written in Python. See docs/decisions/0007.
"""

import contextlib
import copy
import gc
import hashlib
import pickle
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import orjson
import yaml
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf._utils import get_omega_conf_dumper
from omegaconf.base import Node
from omegaconf.errors import OmegaConfBaseException

from tracking.values.jsontext import decode, encode

AnyNode = TypeVar("AnyNode", bound=Node)
UNCHANGING = (str, int, float, bytes, type(None))


@dataclass(frozen=True)
class Description:
    """What Hydra's section says of one job; folders may hold interpolations, and without `dirname` Hydra knows it."""

    number: int
    overrides: Sequence[str]
    dirname: str | None
    sweep_dir: str
    sweep_subdir: str

    def write_into(self, hydra: DictConfig) -> None:
        """Set the values that differ from job to job."""
        with flag_override(hydra, ["readonly", "struct"], False):
            hydra.overrides.task = list(self.overrides)
            hydra.sweep.dir, hydra.sweep.subdir = self.sweep_dir, self.sweep_subdir
            hydra.job.num = self.number
            hydra.job.id = str(self.number)
            if self.dirname is not None:
                hydra.job.override_dirname = self.dirname


def copied(node: AnyNode, parent: Any = None) -> AnyNode:
    """Return a deep copy of a config, below `parent`: what ``copy.deepcopy`` gives, in a fifth of its time."""
    new = object.__new__(type(node))
    state = dict(node.__dict__)
    state["_parent"], state["_flags_cache"] = parent, None
    state["_metadata"] = _copied_metadata(state["_metadata"])
    content = state.get("_content")
    if isinstance(content, dict):
        state["_content"] = {key: copied(value, new) for key, value in content.items()}
    elif isinstance(content, list):
        state["_content"] = [copied(value, new) for value in content]
    elif isinstance(content, Node):  # of a union
        state["_content"] = copied(content, new)
    elif "_val" in state and not isinstance(state["_val"], UNCHANGING):
        state["_val"] = copy.deepcopy(state["_val"])
    new.__dict__.update(state)
    return new


def _copied_metadata(metadata: Any) -> Any:
    new = object.__new__(type(metadata))
    new.__dict__.update(metadata.__dict__)
    new.flags = None if metadata.flags is None else dict(metadata.flags)
    new.resolver_cache = defaultdict(dict)
    for resolver, known in metadata.resolver_cache.items():
        new.resolver_cache[resolver] = dict(known)
    return new


@contextlib.contextmanager
def task_view(config: DictConfig) -> Iterator[DictConfig]:
    """Lend the part of a composed config that the task sees, everything but ``hydra``, without copying it."""
    content: dict[str, Any] = config.__dict__["_content"]  # OmegaConf's own ways of taking a node out copy it
    hydra = content.pop("hydra")
    try:
        yield config
    finally:
        content["hydra"] = hydra


def task_config(config: DictConfig) -> DictConfig:
    """Return a copy of the part of a composed config that the task sees: everything but ``hydra``."""
    with task_view(config) as view:
        task = copied(view)
    OmegaConf.set_readonly(task, None)
    return task


def plain_config(task: DictConfig) -> dict[str, Any]:
    """Return a task's config as nested plain values: resolved where that is possible here, enums by their names."""
    try:
        container = OmegaConf.to_container(task, resolve=True, enum_to_str=True)
    except OmegaConfBaseException:  # an interpolation that only the running job can resolve
        container = OmegaConf.to_container(task, resolve=False, enum_to_str=True)
    assert isinstance(container, dict)  # noqa: S101 - a DictConfig gives a dict
    return {str(key): value for key, value in container.items()}


def hash_configs(
    task: DictConfig, ignores: frozenset[str] = frozenset(), point: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Return the job key and the config hash of a task's config, 16 hex digits of a SHA-256 each.

    The config hash is of all that is resolved. The job key leaves out the top-level keys in `ignores`, which
    do not change what a job computes (paths, machine settings), but for those that `point` sweeps: jobs of different
    sweeps are the same if their keys are.
    """
    whole = plain_config(task)
    kept = _kept(whole, ignores)
    swept = {key: value for key, value in (point or {}).items() if key.partition(".")[0] in ignores}
    return _digest({**kept, **swept}), _digest(whole)


def computed_from(task: DictConfig, ignores: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a task's config as plain data, as it reads back from JSON, without the top-level keys in `ignores`."""
    kept: dict[str, Any] = decode(encode(_kept(plain_config(task), ignores)))
    return kept


def _kept(whole: Mapping[str, Any], ignores: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in whole.items() if key not in ignores}


def _digest(value: Mapping[str, Any]) -> str:
    canonical = orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]


def pack_hydra(config: DictConfig) -> bytes:
    """Pickle Hydra's section of a composed config alone."""
    hydra: DictConfig = config.__dict__["_content"]["hydra"]
    return _dumped(copied(hydra))


def pack(config: DictConfig, packed_hydra: bytes, description: Description) -> bytes:
    """Pickle a job's config, with Hydra's section as it was packed and what has been written into it since."""
    with task_view(config) as task:
        return _dumped((packed_hydra, task, description))


def _dumped(value: object) -> bytes:
    import cloudpickle  # for typed configs of classes that the script itself defines

    data: bytes = cloudpickle.dumps(value)
    return data


def unpack(data: bytes) -> DictConfig:
    """Return the config that `pack` was given."""
    packed_hydra, config, description = pickle.loads(data)  # noqa: S301 - from our own parent
    hydra: DictConfig = pickle.loads(packed_hydra)  # noqa: S301 - likewise
    hydra._set_parent(config)
    config.__dict__["_content"]["hydra"] = hydra
    description.write_into(hydra)
    whole: DictConfig = config
    return whole


@contextlib.contextmanager
def quick_configs() -> Iterator[None]:
    """Make this process copy and write configs fast for the length of the block; the results are the same.

    The collector of cycles rests meanwhile: it would look at thousands of nodes that are all still in use.
    """
    writer: Any = import_module("omegaconf.omegaconf")
    slow_copy, slow_dumper = DictConfig.__deepcopy__, writer.get_omega_conf_dumper

    def quick_copy(self: DictConfig, memo: dict[int, Any]) -> DictConfig:
        memo[id(self)] = new = copied(self, self.__dict__["_parent"])
        return new

    DictConfig.__deepcopy__ = quick_copy  # type: ignore[method-assign]  # put back below
    writer.get_omega_conf_dumper = _quick_dumper
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        DictConfig.__deepcopy__ = slow_copy  # type: ignore[method-assign]  # as it was
        writer.get_omega_conf_dumper = slow_dumper


def _quick_dumper() -> Any:
    """OmegaConf's dumper on top of libyaml, which not every build of PyYAML has."""
    slow = get_omega_conf_dumper()
    if not hasattr(yaml, "CDumper"):
        return slow

    class Quick(yaml.CDumper):  # type: ignore[misc]  # untyped
        pass

    Quick.yaml_representers = slow.yaml_representers
    return Quick
