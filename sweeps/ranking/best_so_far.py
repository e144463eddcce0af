"""The best value of a sweep as it went on, over the jobs that had ended and the epochs that had been trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sweeps.ranking.leaderboard import RANKED, Leaderboard, Row
from sweeps.state.reached import Reached


@dataclass(frozen=True)
class BestSoFar:
    """The best of a sweep at one moment: after `jobs` had ended at least once and all jobs had logged `epochs` values.

    `value` is that of the first objective, `job` whose it is; None before there is one. `at` is when, as the ledger writes times.
    """

    jobs: int
    epochs: int
    value: float | None
    job: int | None
    at: str | None = field(default=None, compare=False)


def best_so_far(board: Leaderboard, reached: list[Reached]) -> list[BestSoFar]:
    """Return the best after each judgement and each end of a job, in the order of the ledger, from what it tells and the board.

    A job that failed or breaks a constraint is never the best, and neither is one that only repeats another. A value that the
    ledger does not tell is the one of the leaderboard.
    """
    rows = {row.job: row for row in board.rows}
    level: dict[int, int] = {}
    ended: set[int] = set()
    spent = 0
    value: float | None = None
    job: int | None = None
    found: list[BestSoFar] = []
    for each, (now, epochs) in _told(rows, reached):
        further = max(0, epochs - level.get(each.job, 0))
        level[each.job], spent = level.get(each.job, 0) + further, spent + further
        ended |= {each.job} if each.is_end else set()
        if _may_lead(rows[each.job]) and board.objective.better(now, value):
            value, job = now, each.job
        found.append(BestSoFar(len(ended), spent, value, job, each.at))
    return found


def _may_lead(row: Row) -> bool:
    return row.can_rank or (row.status not in RANKED and row.error is None)  # the latter still runs


def _told(rows: dict[int, Row], reached: list[Reached]) -> Iterator[tuple[Reached, tuple[float | None, int]]]:
    """Yield each moment with the value and the epochs that its job had; of a job that ended several times its last end tells."""
    last = {each.job: index for index, each in enumerate(reached) if each.is_end}
    for index, each in enumerate(reached):
        row = rows.get(each.job)
        if row is None:
            continue
        if each.level is not None:
            yield each, (each.values[0] if each.values else None, each.level)
        elif last[each.job] == index:
            yield each, (row.objective, row.epochs or 0)
