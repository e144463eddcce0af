"""The settings of ``hydra.launcher`` that say which Dask cluster runs the jobs, and their check."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from sweeps.errors import SettingsError
from sweeps.settings.checks import count, require, seconds, shown
from tracking.extras import missing

ADDRESS = re.compile(r"(\w+://)?[^\s/:]+:\d+|(\w+://)?\[[0-9a-fA-F:]+\]:\d+")
LEAST_LEASE_S, MOST_LEASE_S = 15.0, 86400.0


@dataclass(frozen=True)
class DaskSettings:
    """Which cluster runs the jobs: that of the scheduler at `address`, or one made from `cluster`, or one on this machine.

    A cluster that the sweep starts is scaled to `scale` workers, if that is given. Each node runs `places` jobs at once, or as many as
    its worker has threads. A node that hears nothing from the sweep for `lease_s` stops its jobs.
    """

    address: str | None
    cluster: Mapping[str, Any] | None
    scale: int | None
    lease_s: float
    places: int | None

    @property
    def named(self) -> str:
        """The setting that says which cluster it is, for messages."""
        if self.address is not None:
            return f"address={self.address}"
        return (
            "a cluster on this machine"
            if self.cluster is None
            else f"cluster._target_={self.cluster['_target_']}"
        )


def dask_settings(raw: Mapping[str, Any]) -> DaskSettings:
    """Return the settings of a launcher that uses Dask, from its section; raise `SettingsError` for values that cannot work."""
    absent = missing("dask")
    if absent is not None:
        raise SettingsError(f"hydra/launcher=podium_dask: {absent}")
    address, cluster, scale = raw["address"], raw["cluster"], raw["scale"]
    is_address = address is None or ADDRESS.fullmatch(address) is not None
    allowed = "is the address of a scheduler that runs, such as tcp://host:8786, or null"
    require(is_address, "address", address, allowed)
    if address is not None:
        for name, value in (("cluster", cluster), ("scale", scale)):
            if value is not None:
                raise SettingsError(
                    f"address={address} with {name}={shown(name, value)}: allowed is one of them; a cluster is started, and scaled, "
                    "by the sweep, and the scheduler at an address runs already"
                )
    if cluster is not None:
        _check(cluster)
    lease_s = lease(raw["lease_s"])
    if scale is not None:
        count("scale", scale, least=1)
    places = raw["n_jobs"] if (raw["n_jobs"] or 0) > 0 else None
    return DaskSettings(address, cluster, scale, lease_s, places)


def lease(value: float) -> float:
    """Return a setting ``lease_s``; raise `SettingsError` for one with which a node is lost too early, or never."""
    because = ", as a node hears from the sweep every ten"
    return seconds("lease_s", value, least=LEAST_LEASE_S, most=MOST_LEASE_S, because=because)


def _check(cluster: Any) -> None:
    """Raise SettingsError for a cluster without a class, or with one of a library that is not installed."""
    dotted = cluster.get("_target_") if isinstance(cluster, Mapping) else None
    allowed = (
        "is a mapping with the class of a Dask cluster in _target_, such as distributed.LocalCluster or "
        "dask_jobqueue.SLURMCluster, and its arguments; or null"
    )
    require(isinstance(dotted, str) and "." in dotted, "cluster", cluster, allowed)
    library = str(dotted).partition(".")[0]
    if find_spec(library) is None:
        raise SettingsError(
            f"cluster._target_={dotted}: {library} is not installed; install the package that has it"
        )
