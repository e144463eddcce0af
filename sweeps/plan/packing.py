"""Configs copied and packed for a job, and a fast set-up of the job by Hydra.

Most of a composed config is Hydra's own section, which differs in a few values between jobs of one structure. So that
section is packed once, and each job adds its values.

Without `quick_configs` an empty job spends four fifths of its time in Hydra's set-up: five deep copies of that section,
and a YAML dumper in pure Python. See docs/decisions/0007.
"""

import contextlib
import copy
import gc
import pickle
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

import yaml
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf._utils import get_omega_conf_dumper
from omegaconf.base import Node

from sweeps.plan.by_reference import dumps

AnyNode = TypeVar("AnyNode", bound=Node)
UNCHANGING = (str, int, float, bytes, type(None))


@dataclass(frozen=True)
class Description:
    """The values of Hydra's section that belong to one job.

    The folders may contain interpolations. `dirname` is None where Hydra derives it itself.
    """

    number: int
    overrides: Sequence[str]
    dirname: str | None
    sweep_dir: str
    sweep_subdir: str

    def write_into(self, hydra: DictConfig) -> None:
        """Set the values in Hydra's section."""
        with flag_override(hydra, ["readonly", "struct"], False):
            hydra.overrides.task = list(self.overrides)
            hydra.sweep.dir, hydra.sweep.subdir = self.sweep_dir, self.sweep_subdir
            hydra.job.num = self.number
            hydra.job.id = str(self.number)
            if self.dirname is not None:
                hydra.job.override_dirname = self.dirname


def copied(node: AnyNode, parent: Any = None) -> AnyNode:
    """Return a deep copy of a config below `parent`, equal to that of ``copy.deepcopy`` in a fifth of the time."""
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
    known = {name: dict(values) for name, values in metadata.resolver_cache.items()}
    new.resolver_cache = defaultdict(dict, known)
    return new


@contextlib.contextmanager
def task_view(config: DictConfig) -> Iterator[DictConfig]:
    """Yield a composed config without ``hydra``, as the task sees it; the config is changed meanwhile, not copied."""
    content: dict[str, Any] = config.__dict__["_content"]  # OmegaConf's own ways to take out a node copy it
    hydra = content.pop("hydra")
    try:
        yield config
    finally:
        content["hydra"] = hydra


def task_config(config: DictConfig) -> DictConfig:
    """Return a copy of a composed config without ``hydra``, as the task sees it."""
    with task_view(config) as view:
        task = copied(view)
    OmegaConf.set_readonly(task, None)
    return task


def pack_hydra(config: DictConfig) -> bytes:
    """Pickle Hydra's section of a composed config alone."""
    return dumps(copied(config.__dict__["_content"]["hydra"]))


def pack(config: DictConfig, packed_hydra: bytes, description: Description) -> bytes:
    """Pickle a job's config together with the packed section of Hydra and the values that belong to the job."""
    with task_view(config) as task:
        return dumps((packed_hydra, task, description))


def unpack(data: bytes) -> DictConfig:
    """Return the config that `pack` packed."""
    packed_hydra, config, description = pickle.loads(data)  # noqa: S301 - from our own parent
    hydra: DictConfig = pickle.loads(packed_hydra)  # noqa: S301 - likewise
    hydra._set_parent(config)
    config.__dict__["_content"]["hydra"] = hydra
    description.write_into(hydra)
    whole: DictConfig = config
    return whole


@contextlib.contextmanager
def quick_configs() -> Iterator[None]:
    """Make this process copy and write configs fast inside the block, with the same results.

    The garbage collector is off meanwhile, because it would traverse thousands of nodes that are all in use.
    """
    writer: Any = import_module("omegaconf.omegaconf")
    slow_copy, slow_dumper = DictConfig.__deepcopy__, writer.get_omega_conf_dumper

    def quick_copy(self: DictConfig, memo: dict[int, Any]) -> DictConfig:
        memo[id(self)] = new = copied(self, self.__dict__["_parent"])
        return new

    DictConfig.__deepcopy__ = quick_copy  # type: ignore[method-assign]  # restored below
    writer.get_omega_conf_dumper = _quick_dumper
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        DictConfig.__deepcopy__ = slow_copy  # type: ignore[method-assign]  # restores it
        writer.get_omega_conf_dumper = slow_dumper


def _quick_dumper() -> Any:
    """Return OmegaConf's dumper on top of libyaml; its own one for a PyYAML that was built without libyaml."""
    slow = get_omega_conf_dumper()
    if not hasattr(yaml, "CDumper"):
        return slow

    class Quick(yaml.CDumper):  # type: ignore[misc]  # untyped
        pass

    Quick.yaml_representers = slow.yaml_representers
    return Quick
