"""How far a job came at one moment of its sweep, as events of the ledger tell: at a judgement of its search, or at its end."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sweeps.jobs import EventKind


@dataclass(frozen=True)
class Reached:
    """A job that waited for a judgement after `level` values of the objective, or that ended.

    `values` are what it came to so far, one per objective, None for one that is no number; empty, with a `level` of None, where
    the ledger does not say. `goes_on` if the judgement let it. `violations` are by how much it broke each bound by then, `at`
    is when, as the ledger writes times.
    """

    job: int
    level: int | None
    values: tuple[float | None, ...] = ()
    goes_on: bool = False
    is_end: bool = False
    violations: Mapping[str, float] = field(default_factory=dict)
    at: str | None = field(default=None, compare=False)


def reached_in(entry: Mapping[str, Any]) -> Iterator[Reached]:
    """Yield what an event of the ledger tells of jobs; raise KeyError, TypeError or ValueError if it is damaged."""
    match entry.get("event"):
        case "rung":
            on = {int(job) for job in entry["go_on"]}
            for each in entry["arrivals"]:
                job = int(each["job"])
                values, level, goes_on = _numbers(each["values"]), int(each["level"]), job in on
                broken = _bounds(each)
                yield Reached(job, level, values, goes_on=goes_on, violations=broken, at=entry.get("at"))
        case EventKind.FINISHED:
            told = entry.get("told") or {}
            values = _numbers(told.get("values") or ())
            last = int(told["epochs"]) if values else None
            broken = _bounds(told)
            yield Reached(int(entry["job"]), last, values, is_end=True, violations=broken, at=entry.get("at"))


def _bounds(told: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): float(by) for name, by in (told.get("violations") or {}).items()}


def _numbers(raw: Any) -> tuple[float | None, ...]:
    numbers = [None if each is None else float(each) for each in raw]  # what is not finite is text
    return tuple(None if each is None or not math.isfinite(each) else each for each in numbers)
