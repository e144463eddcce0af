"""What running the script does not define in a job, or defines otherwise: copied from the sweep's process.

A script sets some variables, and registers some resolvers, only where it starts its sweep. Most have none, so nothing is
copied before a job has found that it lacks a name or that a value differs.
"""

import pickle
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from types import FunctionType
from typing import Any

from omegaconf.basecontainer import BaseContainer

from sweeps.executor.failure_text import summary
from sweeps.executor.local.guarded import Place, touched
from sweeps.plan.by_reference import describe_main, dumps, fingerprint


@dataclass(frozen=True)
class Supplies:
    """Names of the script; resolvers with a mark of their code; variables that the script may change, with a mark each."""

    names: frozenset[str]
    resolvers: frozenset[tuple[str, str]]
    values: frozenset[tuple[Place, str]] = frozenset()

    @classmethod
    def here(cls) -> "Supplies":
        """Return what the sweep's process has."""
        return cls._of(marked())

    @classmethod
    def like(cls, other: "Supplies") -> "Supplies":
        """Return what this process has of what `other` marks."""
        return cls._of({place for place, _ in other.values})

    @classmethod
    def _of(cls, places: Any) -> "Supplies":
        names = vars(sys.modules["__main__"]) if describe_main() else ()
        own = frozenset(name for name in names if not name.startswith("__"))
        return cls(own, resolvers(), frozenset((place, place.mark()) for place in places))

    def without(self, other: "Supplies") -> "Supplies":
        """Return what `other` lacks, or has otherwise."""
        names = self.names - other.names
        values = {(place, mark) for place, mark in self.values - other.values if mark}
        left = frozenset((place, "") for place, _ in values if place.name not in names)
        return Supplies(names, frozenset((name, "") for name, _ in self.resolvers - other.resolvers), left)

    def as_message(self) -> dict[str, list[Any]]:
        """Return this as plain data, without the marks."""
        return {
            "names": sorted(self.names),
            "resolvers": sorted(name for name, _ in self.resolvers),
            "values": sorted(place for place, _ in self.values),
        }

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> "Supplies":
        """Return what `as_message` wrote."""
        return cls(
            frozenset(message["names"]),
            frozenset((name, "") for name in message["resolvers"]),
            frozenset((Place(*place), "") for place in message["values"]),
        )

    def __bool__(self) -> bool:
        return bool(self.names or self.resolvers or self.values)


@cache
def marked() -> frozenset[Place]:
    """Return the variables that a job may be given from here: those that the script may change where it starts its sweep.

    Call ``marked.cache_clear`` when another sweep begins: the script may have loaded further modules since.
    """
    return touched() if describe_main() else frozenset()


def resolvers() -> frozenset[tuple[str, str]]:
    """Return the names of the resolvers of this process with a mark of their code; of one that was marked before, at once."""
    return frozenset((name, _mark(each)) for name, each in BaseContainer._resolvers.items())


_mark = cache(fingerprint)


@dataclass(frozen=True)
class Delivery:
    """Pickled values by name, and why others cannot travel."""

    names: Mapping[str, bytes] = field(default_factory=dict)
    resolvers: Mapping[str, bytes] = field(default_factory=dict)
    values: Mapping[Place, bytes] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def unpack(self) -> dict[str, str]:
        """Define everything in this process; return why some names stay undefined."""
        faults = dict(self.faults)
        vars(sys.modules["__main__"]).update(_each(self.names, pickle.loads, faults))
        BaseContainer._resolvers.update(_each(self.resolvers, pickle.loads, faults))
        for place, value in _each(self.values, pickle.loads, {}).items():
            with suppress(
                AttributeError, ImportError
            ):  # the task meets the same error where it needs the module
                place.set(value)
        return faults


@lru_cache
def deliver(wanted: Supplies) -> bytes:
    """Return the `Delivery` of what a job lacks, pickled; what cannot be pickled is named in it.

    What this process has not marked is left out: to look for it would import what the job, perhaps on another machine, names.
    Call ``deliver.cache_clear`` when another sweep begins: the script may have changed its variables since.
    """
    faults: dict[str, str] = {}
    main = vars(sys.modules["__main__"])
    packed = partial(dumps, copied=wanted.names)
    names = _each({name: main[name] for name in wanted.names if name in main}, packed, faults)
    known = BaseContainer._resolvers
    functions = _each({name: known[name] for name, _ in wanted.resolvers}, packed, faults)
    places = {place for place, _ in wanted.values} & marked()
    values = _each({place: place.value() for place in places}, packed, {})
    return pickle.dumps(Delivery(names, functions, values, faults))


def defined_here() -> dict[str, Any]:
    """Return the classes and functions that this process's ``__main__`` defines and that can travel by value."""
    found = {
        name: value
        for name, value in list(vars(sys.modules["__main__"]).items())
        if isinstance(value, type | FunctionType) and getattr(value, "__module__", None) == "__main__"
    }
    # Together first: what several of them hold is pickled once.
    return found if fingerprint(found) else {name: each for name, each in found.items() if fingerprint(each)}


def define_here(definitions: Mapping[str, Any]) -> None:
    """Define in this process's ``__main__`` what it lacks, so that pickles find it there."""
    main = vars(sys.modules["__main__"])
    main.update({name: value for name, value in definitions.items() if name not in main})


def _each(values: Mapping[Any, Any], convert: Callable[[Any], Any], faults: dict[Any, str]) -> dict[Any, Any]:
    """Return the values converted; note why one cannot be."""
    converted = {}
    for name, value in values.items():
        try:
            converted[name] = convert(value)
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything when it is pickled or loaded
            faults[name] = summary(error)
    return converted
