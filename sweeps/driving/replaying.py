"""Makes a search hear the ledger of its sweep again, so that it goes on where the sessions before have stopped."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.jobs import EventKind
from sweeps.search.decisions import Arrival, End, EndKind, GoOn, NewJob, Search
from sweeps.space import Point
from tracking.files import read_lines

log = logging.getLogger(__name__)


def replay_search(
    path: Path, search: Search, points: Mapping[int, Point], budget_s: float | None
) -> Counter[int]:
    """Tell a search what the ledger in `path` says, event by event; return how many repeats each job has.

    `points` are the points of the recorded jobs by number. An event that is damaged, or of a job whose point is lost,
    is left out. `budget_s` is the present budget in time, which may be another than when the time was spent.
    """
    told = _Told(search, points, budget_s)
    for entry in read_lines(path):
        try:
            told.hear(entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("left out: %s: a damaged event: %.80r (%s)", path, entry, error)
    return told.repeats


class _Told:
    """What a search has been told so far."""

    def __init__(self, search: Search, points: Mapping[int, Point], budget_s: float | None) -> None:
        self._budget_s = budget_s
        self._search = search
        self._points = points
        self._begun: set[int] = set()
        self.repeats: Counter[int] = Counter()

    def hear(self, entry: Mapping[str, Any]) -> None:
        match entry["event"]:
            case EventKind.ASKED if "until" in entry and entry["job"] in self._points:
                self._begin(entry)
            case EventKind.RESUMED if entry["job"] in self._begun:
                self._search.asked(entry["job"], GoOn(entry["job"], entry["until"]))
            case EventKind.RUNG:
                known = [each for each in entry["arrivals"] if each["job"] in self._begun]
                self._search.reached(list(map(_arrival, known)))
            case EventKind.CLOCK:
                if self._budget_s is not None:
                    of_s = float(entry.get("of_s", self._budget_s))  # older ledgers do not name it
                    self._search.budget_spent(float(entry["share"]) * of_s / self._budget_s)
            case EventKind.FINISHED if "told" in entry and entry["job"] in self._begun:
                self._search.ended(entry["job"], _end(entry["told"]))

    def _begin(self, entry: Mapping[str, Any]) -> None:
        job, repeats, point = entry["job"], entry.get("repeats"), self._points[entry["job"]]
        if repeats is not None:
            self.repeats[repeats] += 1
            point = self._points.get(repeats, point)
        self._search.asked(job, NewJob(point, entry["until"], repeats))
        self._begun.add(job)


def _values(raw: list[float | None]) -> tuple[float | None, ...]:
    return tuple(None if value is None else float(value) for value in raw)


def _violations(raw: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in raw.items()}


def _arrival(raw: Mapping[str, Any]) -> Arrival:
    violations = _violations(raw.get("violations", {}))  # without constraints there are none
    return Arrival(raw["job"], raw["level"], _values(raw["values"]), violations)


def _end(raw: Mapping[str, Any]) -> End:
    violations = _violations(raw["violations"])
    return End(EndKind(raw["kind"]), _values(raw["values"]), int(raw["epochs"]), violations)
