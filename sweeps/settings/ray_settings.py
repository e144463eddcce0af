"""The settings of ``hydra.launcher`` that say which Ray runs the jobs and what each job takes of it, and their check."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.checks import count, require
from sweeps.settings.dask_settings import lease
from tracking.extras import missing

ADDRESS = re.compile(r"auto|(ray://)?([^\s/:]+|\[[0-9a-fA-F:]+\]):\d+")
VARIABLE = "RAY_ADDRESS"  # which Ray's own programs read too; `ray job submit` sets it
OWN_OPTIONS = {"CPU": "num_cpus", "GPU": "num_gpus"}  # resources of Ray that have a setting of their own
DIGITS = 4  # of an amount that Ray tells from another
WHOLE = "; Ray gives a node whole GPUs, or a share of one"


@dataclass(frozen=True)
class RaySettings:
    """Which Ray runs the jobs: that at `address`, or one on this machine that is started for the sweep.

    A node runs `places` jobs at once, and takes so many times `num_cpus`, `num_gpus` and `resources`. There are `nodes` of them at
    most; None is as many as there is room for. A node that hears nothing from the sweep for `lease_s` stops its jobs.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    resources: Mapping[str, float] | None = None
    nodes: int | None = None
    places: int = 1
    lease_s: float = 30.0

    @property
    def scale(self) -> int | None:
        """How many nodes the sweep expects: `nodes`, or on a Ray of its own as many as this machine has room for."""
        if self.nodes is not None or self.address is not None or not self.num_cpus:
            return self.nodes
        return max(1, int(cores() / (self.places * self.num_cpus)))

    @property
    def named(self) -> str:
        """The setting that says which Ray it is, for messages."""
        return "Ray on this machine" if self.address is None else f"address={self.address}"

    @property
    def request(self) -> dict[str, float]:
        """What a node takes, by the names that Ray gives its resources."""
        each = {"CPU": self.num_cpus, "GPU": self.num_gpus, **(self.resources or {})}
        taken = {name: round(self.places * amount, DIGITS) for name, amount in each.items()}
        return {name: amount for name, amount in taken.items() if amount}

    @property
    def devices(self) -> tuple[tuple[str, ...], int]:
        """The GPUs that the jobs of a node share out, as numbers among its own, and how many jobs share one.

        No numbers where each job sees all that its node has.
        """
        gpus = self.request.get("GPU", 0.0)
        if not gpus or self.places == 1:
            return (), 1
        whole = max(1, round(gpus))
        return tuple(map(str, range(whole))), self.places // whole


def cores() -> int:
    """Return how many CPUs a Ray has that is started here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ray_settings(raw: Mapping[str, Any]) -> RaySettings:
    """Return the settings of a launcher that uses Ray, from its section; raise `SettingsError` for values that cannot work."""
    absent = missing("ray")
    if absent is not None:
        raise SettingsError(f"hydra/launcher=podium_ray: {absent}")
    address = os.environ.get(VARIABLE) or None if raw["address"] is None else raw["address"]
    key = "address" if raw["address"] is not None else VARIABLE
    is_address = address is None or ADDRESS.fullmatch(address) is not None
    allowed = "is the address of a Ray that runs, such as host:6379 or ray://host:10001, auto for the one on this machine, or null"
    require(is_address, key, address, allowed)
    for name in ("gpus", "jobs_per_gpu"):
        if raw[name] != {"gpus": None, "jobs_per_gpu": 1}[name]:
            raise SettingsError(
                f"{name}={raw[name]}: Ray gives each node its GPUs; num_gpus says how many a job takes, such as 1 or 0.5"
            )
    for name in ("num_cpus", "num_gpus"):
        require(raw[name] >= 0, name, raw[name], "is 0 or more, for each job; 0.5 is a half")
    resources = _resources(raw["resources"])
    lease_s = lease(raw["lease_s"])
    nodes = None if raw["nodes"] is None else count("nodes", raw["nodes"], least=1)
    places = raw["n_jobs"] if (raw["n_jobs"] or 0) > 0 else 1
    _check_gpus(raw["num_gpus"], places)
    if not (raw["num_cpus"] or raw["num_gpus"] or any((resources or {}).values()) or nodes):
        raise SettingsError(
            "num_cpus=0 with nodes=null: a job takes nothing of Ray, which has room for any number of nodes; say how many"
        )
    return RaySettings(address, raw["num_cpus"], raw["num_gpus"], resources, nodes, places, lease_s)


def _resources(given: Any) -> Mapping[str, float] | None:
    if given is None:
        return None
    allowed = "is a mapping of names of Ray's own resources to amounts that a job takes, such as {fast_disk: 1}, or null"
    are_amounts = isinstance(given, Mapping) and all(
        isinstance(amount, int | float) and not isinstance(amount, bool) and amount >= 0
        for amount in given.values()
    )
    require(are_amounts, "resources", given, allowed)
    for name, option in OWN_OPTIONS.items():
        if name in given:
            raise SettingsError(f"resources={dict(given)}: {name} has a setting of its own, {option}")
    return {str(name): float(amount) for name, amount in given.items()}


def _check_gpus(each: float, places: int) -> None:
    """Raise SettingsError for GPUs that Ray cannot give to a node, or that its jobs cannot share evenly."""
    gpus = round(each * places, DIGITS)
    if gpus > 1 and gpus != round(gpus):
        raise SettingsError(f"num_gpus={each:g} with n_jobs={places} takes {gpus:g} GPUs for a node{WHOLE}")
    if places == 1 or not gpus:
        return
    if each > 1:
        raise SettingsError(
            f"num_gpus={each:g} with n_jobs={places}: allowed is n_jobs=1 for jobs of several GPUs"
        )
    if places % max(1, round(gpus)):
        raise SettingsError(
            f"num_gpus={each:g} with n_jobs={places}: {places} jobs cannot share {gpus:g} GPUs evenly"
        )
