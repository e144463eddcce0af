"""What a search has come to: its best job, what is paused at which level, the epochs it has spent, and which keys decide.

Everything follows from the ledger and the leaderboard, also while the sweep runs; the search itself is not rebuilt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sweeps.jobs import JobState
from sweeps.ranking.best_so_far import BestSoFar, best_so_far
from sweeps.ranking.importance import Importance, importance
from sweeps.ranking.leaderboard import RANKED, Leaderboard, Row
from sweeps.state.reached import Reached
from tracking.repeats import without
from tracking.values.secrets import masked


@dataclass(frozen=True)
class Rung:
    """A level at which jobs are judged: how many came there, and which of them are paused there, the best first.

    The first of them is the next to go on from here, when the search lets one.
    """

    level: int
    jobs: int
    paused: tuple[int, ...]
    best: float | None  # of the paused ones


@dataclass(frozen=True)
class Epochs:
    """The values of the objective that jobs have logged, and how many those that ended early have saved.

    `saved` is None while the length of a job is unknown.
    """

    spent: int
    saved: int | None


@dataclass(frozen=True)
class Beliefs:
    """What a search has come to; `best` is the winner so far, None before any.

    `leads_since` is the moment from which it had the best value; None if another job has it, as of one that was not repeated.
    """

    best: Row | None
    leads_since: BestSoFar | None
    rungs: tuple[Rung, ...]
    epochs: Epochs
    importance: Importance

    def as_plain(self) -> dict[str, Any]:
        """Return all of it as plain data, without secrets."""
        best = self.best
        return {
            "best": best
            and {
                "job": best.job,
                "run": best.run,
                "value": best.objective,
                "others": dict(best.others),
                "point": masked(dict(best.point)),
                "epochs": best.epochs,
                "status": best.status,
                "leads_since": self.leads_since
                and {"jobs": self.leads_since.jobs, "epochs": self.leads_since.epochs},
            },
            "rungs": [asdict(each) for each in self.rungs],
            "epochs": asdict(self.epochs),
            "importance": asdict(self.importance),
        }


def beliefs(
    board: Leaderboard,
    jobs: Sequence[Row],
    reached: list[Reached],
    search: Mapping[str, Any],
    *,
    decides: Importance | None = None,
) -> Beliefs:
    """Return what a search with these settings has come to; `jobs` are the rows with their present states.

    Loads scikit-learn and grows a forest if there are enough jobs, see `importance`, unless it is told what `decides`.
    """
    best, since = board.winner, None
    for each in reversed(best_so_far(board, reached)):
        if best is None or each.job != best.job:
            break
        since = each
    return Beliefs(
        best,
        since,
        _rungs(board, jobs, reached),
        _epochs(jobs, search.get("max_epochs")),
        what_decides(board, reached) if decides is None else decides,
    )


def what_decides(board: Leaderboard, reached: list[Reached]) -> Importance:
    """Return how much each swept key decides the values of the jobs, which need no search; costs what `importance` does."""
    points, values, level = comparable(board, reached)
    known = importance(points, values, [key for key in board.swept if key not in board.repeats])
    return replace(known, level=level)


def comparable(
    board: Leaderboard, reached: list[Reached]
) -> tuple[list[Mapping[str, Any]], list[float], int | None]:
    """Return the points and the values of jobs that can be compared, and after how many epochs they were taken.

    Jobs that were stopped early have their values at other levels than those that were not. The values of all are taken at
    the highest level that half of the jobs reached: jobs that got further are better for it, so that the level as one more
    key would explain them, instead of the keys that made them better. The level is None if no job was judged.
    """
    rows = {row.job: row for row in board.rows if row.can_rank or not row.is_feasible}
    at: dict[int, dict[int, float | None]] = {}
    for each in reached:
        if each.job in rows and each.level is not None and each.values and not each.is_end:
            at.setdefault(each.level, {})[each.job] = each.values[0]
    for level, known in at.items():  # a job that was complete by then has no other value
        ended = (row for row in rows.values() if row.status is JobState.COMPLETED and row.epochs is not None)
        known |= {
            row.job: row.objective for row in ended if row.job not in known and (row.epochs or 0) <= level
        }
    common = max((level for level, known in at.items() if len(known) >= len(rows) / 2), default=None)
    taken = at[common] if common is not None else {job: row.objective for job, row in rows.items()}
    numbers = {job: value for job, value in sorted(taken.items()) if value is not None}
    return [without(rows[job].point, board.repeats) for job in numbers], list(numbers.values()), common


def _rungs(board: Leaderboard, jobs: Sequence[Row], reached: list[Reached]) -> tuple[Rung, ...]:
    """Return the levels at which jobs were judged, the lowest first."""
    paused = {row.job for row in jobs if row.status is JobState.PRUNED}
    latest: dict[int, Reached] = {}
    came: dict[int, set[int]] = {}
    for each in reached:
        if not each.is_end and each.level is not None:
            came.setdefault(each.level, set()).add(each.job)
            latest[each.job] = each
    rungs = []
    for level in sorted(came):
        waiting = {
            job: each.values[0] if each.values else None
            for job, each in latest.items()
            if each.level == level and job in paused
        }
        order = sorted(waiting, key=lambda job: (board.objective.key(waiting[job]), job))
        rungs.append(Rung(level, len(came[level]), tuple(order), waiting[order[0]] if order else None))
    return tuple(rungs)


def _epochs(jobs: Sequence[Row], length: int | None) -> Epochs:
    """Return the epochs that jobs have spent and saved; without a known length, that of the longest completed job counts."""
    ended = [row for row in jobs if row.status in RANKED]
    if length is None:
        whole = [row.epochs for row in ended if row.status is JobState.COMPLETED and row.epochs]
        length = max(whole, default=None)
    saved = None if length is None else sum(max(0, length - (row.epochs or 0)) for row in ended)
    return Epochs(sum(row.epochs or 0 for row in jobs), saved)
