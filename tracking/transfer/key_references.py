"""References of a saved config to its own keys, `${model.size}`, filled in.

OmegaConf would run resolvers for it, which the program that imports has registered and whose arguments the saved file
gives. So it has no part in this: what is no reference to a key stays as it is written.
"""

import re
from typing import Any

from tracking.values.configs import PER_JOB_RESOLVERS, is_per_job
from tracking.values.yamltext import MOST_VALUES

# `${a.b}`, `${a[0]}` or `${..a}`; one that holds another matches once that is filled in
_REFERENCE = re.compile(r"\$\{\s*+(\.*+)([^\s.${}:\\]++(?:\.[^\s.${}:\\]++)*+)\s*+\}")
_OF_JOB = re.compile(
    rf"\$\{{\s*+(?:(?:{'|'.join(sorted(PER_JOB_RESOLVERS))})\s*+:|hydra\s*+:([^${{}}]++)\}})"
)
_OPEN = "${"  # is in a text that could not be filled in
_MISSING = "???"
_CHARACTERS = 200  # of a text that count as one value

Place = tuple[str | int, ...]


class _OfJob:
    """Stands for a value that Hydra derives for each job."""


def settled(config: dict[Any, Any]) -> dict[str, Any]:
    """Return a config with the values of its keys filled in, without what Hydra derives for each job.

    Raise ValueError for one that comes to more than MOST_VALUES values.
    """
    found: dict[str, Any] = _Settling(config).value(config, ())
    return found


class _Settling:
    def __init__(self, config: dict[Any, Any]) -> None:
        self._config = config
        self._count = 0
        self._inside: set[Place] = set()  # the keys that references led to

    def value(self, given: Any, place: Place) -> Any:
        """Return what is written at a place, filled in; a reference that cannot be followed as it is written."""
        self._spend(1)
        if isinstance(given, dict):
            items = ((str(key), self.value(each, (*place, key))) for key, each in given.items())
            return {key: each for key, each in items if each is not _OfJob}
        if isinstance(given, list):
            found = [self.value(each, (*place, number)) for number, each in enumerate(given)]
            return [written if each is _OfJob else each for written, each in zip(given, found, strict=True)]
        return self._text(given, place) if isinstance(given, str) and _OPEN in given else given

    def _text(self, written: str, place: Place) -> Any:
        if any(told[1] is None or is_per_job(told[1].strip()) for told in _OF_JOB.finditer(written)):
            return _OfJob
        if "\\" in written:  # of which OmegaConf takes some as escapes
            return written
        text = written
        while told := _REFERENCE.search(text):
            value = self._named(told, place)
            if value is _OfJob or told[0] == text:
                return written if _is_open(value) else value
            if isinstance(value, dict | list) or _is_open(value):
                return written
            text = f"{text[: told.start()]}{value}{text[told.end() :]}"
            self._spend(len(text) // _CHARACTERS)
        return written if _is_open(text) else text

    def _named(self, told: re.Match[str], place: Place) -> Any:
        """Return the value that a reference at a place leads to, filled in; an open text where there is none."""
        dots = len(told[1])
        if dots > len(place):
            return _OPEN
        around = place[: len(place) - dots] if dots else ()
        given: Any = self._config
        at: Place | None = ()  # None within what is filled in already
        for name in (*around, *filter(None, re.split(r"[.\[\]]", told[2]))):
            if at is not None and isinstance(given, str):
                given, at = self._followed(given, at), None
            given, at = _child(given, name), at if at is None else (*at, name)
        return given if at is None else self._followed(given, at)

    def _followed(self, given: Any, place: Place) -> Any:
        if place in self._inside:
            return _OPEN
        self._inside.add(place)
        try:
            return self.value(given, place)
        finally:
            self._inside.remove(place)

    def _spend(self, count: int) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            raise ValueError(f"with its references filled in, it holds more than {MOST_VALUES} values")


def _child(given: Any, name: str | int) -> Any:
    if isinstance(given, dict):
        return given.get(name, _OPEN)
    if isinstance(given, list) and re.fullmatch(r"[0-9]{1,9}", str(name)) and int(name) < len(given):
        return given[int(name)]
    return _OPEN


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and (_OPEN in value or value == _MISSING)
