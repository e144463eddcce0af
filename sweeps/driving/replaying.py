"""Makes a search hear the ledger of its sweep again, so that it goes on where the sessions before have stopped."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.jobs import EventKind
from sweeps.search.decisions import Arrival, End, EndKind, GoOn, NewJob, Search
from sweeps.space import Point
from tracking.files import read_lines

log = logging.getLogger(__name__)


@dataclass
class Heard:
    """What the sessions of a sweep know so far beside what its search knows.

    `repeats` is how many repeats each job has, `lost` the jobs that were last heard of as lost, `judged` the last judgement of
    each job, and `longest` how many values of the objective a completed job has logged at most.
    """

    repeats: Counter[int] = field(default_factory=Counter)
    lost: set[int] = field(default_factory=set)
    judged: dict[int, Arrival] = field(default_factory=dict)
    longest: int = 0

    def reached(self, arrivals: Sequence[Arrival]) -> None:
        """Take a judgement into account."""
        self.judged |= {each.job: each for each in arrivals}

    def of_paused(self, job: int, end: End) -> End:
        """Return the end of a job that a judgement has ended, with what it came to by then, whatever it logged until it ended."""
        judged = self.judged.get(job)
        if end.kind is not EndKind.PAUSED or judged is None:
            return end
        return End(end.kind, judged.values, judged.level, {**end.violations, **judged.violations})

    def end(self, job: int, end: End) -> None:
        """Take the end of a job into account."""
        (self.lost.add if end.kind is EndKind.LOST else self.lost.discard)(job)
        if end.kind is EndKind.COMPLETED:
            self.longest = max(self.longest, end.epochs)


def replay_search(
    path: Path, search: Search, points: Mapping[int, Point], budget_s: float | None = None
) -> Heard:
    """Tell a search what the ledger in `path` says, event by event.

    `points` are the points of the recorded jobs by number, `budget_s` is the budget in time that the search has now: what
    is spent of another one counts as its share of this one. An event that is damaged, or of a job whose point is lost,
    is left out.
    """
    told = _Told(search, points, budget_s)
    for entry in read_lines(path):
        try:
            told.hear(entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            log.warning("left out: %s: a damaged event: %.80r (%s)", path, entry, error)
    return told.heard


class _Told:
    """What a search has been told so far."""

    def __init__(self, search: Search, points: Mapping[int, Point], budget_s: float | None) -> None:
        self._search = search
        self._points = points
        self._budget_s = budget_s
        self._begun: set[int] = set()
        self.heard = Heard()

    def hear(self, entry: Mapping[str, Any]) -> None:
        match entry["event"]:
            case EventKind.ASKED if "until" in entry and entry["job"] in self._points:
                self._begin(entry)
            case EventKind.RESUMED if entry["job"] in self._begun:
                self._search.asked(entry["job"], GoOn(entry["job"], entry["until"]))
            case EventKind.RUNG:
                known = [each for each in entry["arrivals"] if each["job"] in self._begun]
                arrivals = list(map(_arrival, known))
                self._search.reached(arrivals)
                self.heard.reached(arrivals)
            case EventKind.CLOCK if self._budget_s is not None:
                share = float(entry["share"])
                of_s = float(entry.get("of_s", self._budget_s))  # older ledgers do not name it
                is_same = of_s == self._budget_s
                self._search.budget_spent(share if is_same else share * of_s / self._budget_s)
            case EventKind.FINISHED if "told" in entry and entry["job"] in self._begun:
                self._end(entry["job"], _end(entry["told"]))

    def _begin(self, entry: Mapping[str, Any]) -> None:
        job, repeats, point = entry["job"], entry.get("repeats"), self._points[entry["job"]]
        if repeats is not None:
            self.heard.repeats[repeats] += 1
            point = self._points.get(repeats, point)
        self._search.asked(job, NewJob(point, entry["until"], repeats))
        self._begun.add(job)

    def _end(self, job: int, end: End) -> None:
        self._search.ended(job, end)
        self.heard.end(job, end)


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
