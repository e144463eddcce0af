"""What importing the script does not define in a job: copied from the sweep's process when a job asks for it.

A script sets some variables, and registers some resolvers, only where it starts its sweep. Most have none, so nothing is
copied before a job has found that it lacks a name.
"""

import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from omegaconf.basecontainer import BaseContainer

from sweeps.executor.failure_text import summary
from sweeps.plan.by_reference import describe_main, dumps


@dataclass(frozen=True)
class Supplies:
    """Names of the script and of resolvers."""

    names: frozenset[str]
    resolvers: frozenset[str]

    @classmethod
    def here(cls) -> "Supplies":
        """Return what this process has."""
        names = vars(sys.modules["__main__"]) if describe_main() else ()
        own = frozenset(name for name in names if not name.startswith("__"))
        return cls(own, frozenset(BaseContainer._resolvers))

    def without(self, other: "Supplies") -> "Supplies":
        """Return what `other` lacks."""
        return Supplies(self.names - other.names, self.resolvers - other.resolvers)

    def __bool__(self) -> bool:
        return bool(self.names or self.resolvers)


@dataclass(frozen=True)
class Delivery:
    """Pickled values by name, and why others cannot travel."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    resolvers: Mapping[str, bytes] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def unpack(self) -> dict[str, str]:
        """Define everything in this process; return why some names stay undefined."""
        faults = dict(self.faults)
        for packed, target in (
            (self.values, vars(sys.modules["__main__"])),
            (self.resolvers, BaseContainer._resolvers),
        ):
            target.update(_each(packed, pickle.loads, faults))
        return faults


@lru_cache
def deliver(wanted: Supplies) -> bytes:
    """Return the `Delivery` of what a job lacks, pickled; what cannot be pickled is named in it."""
    faults: dict[str, str] = {}
    main = vars(sys.modules["__main__"])
    packed = partial(dumps, copied=wanted.names)
    values = _each({name: main[name] for name in wanted.names if name in main}, packed, faults)
    resolvers = _each({name: BaseContainer._resolvers[name] for name in wanted.resolvers}, packed, faults)
    return pickle.dumps(Delivery(values, resolvers, faults))


def _each(values: Mapping[str, Any], convert: Callable[[Any], Any], faults: dict[str, str]) -> dict[str, Any]:
    """Return the values converted; note why one cannot be."""
    converted = {}
    for name, value in values.items():
        try:
            converted[name] = convert(value)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything when it is pickled or loaded
            faults[name] = summary(error)
    return converted
