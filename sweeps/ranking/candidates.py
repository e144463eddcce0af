"""Ranks candidates: the jobs that differ in nothing but what repeats them, such as seed and fold, by the mean of their objective.

One good draw does not make a good setting, so a candidate counts with all of its repeats or not at all: one whose job
failed follows the ranked ones, with the reason.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sweeps.ranking.leaderboard import Candidate, Row, place
from tracking.objective import Objective
from tracking.repeats import Spread, group_by, key_of, without


def rank_candidates(
    rows: Iterable[Row], repeats: Sequence[str], objective: Objective, *, noun: str = "repeats"
) -> tuple[tuple[Row, ...], tuple[Candidate, ...]]:
    """Group the rows of a sweep into candidates, by the swept keys that are no `repeats`, and rank these.

    Each row gets the rank of its candidate, the best row of a candidate first; rows without a rank follow.
    """
    groups = group_by(rows, lambda row: key_of(without(row.point, repeats)))
    members = {group[0].job: group for group in groups}
    candidates = place([_candidate(group, repeats, noun) for group in groups], objective)
    ordered: list[Row] = []
    # Rows follow the order of their candidates, because a lucky job of a worse one may hold the best value.
    for candidate in candidates:
        group = members[candidate.jobs[0]]
        if candidate.rank is not None:  # the first row of the leaderboard is the winner
            group = [replace(row, rank=candidate.rank) for row in place(group, objective)]
        ordered += group
    return tuple(ordered), candidates


def _candidate(group: Sequence[Row], repeats: Sequence[str], noun: str) -> Candidate:
    values = [row.objective for row in group if row.can_rank and row.objective is not None]
    faults = [row for row in group if not row.can_rank]
    error = None
    if faults:
        first = faults[0]
        error = f"{len(faults)} of {len(group)} {noun} did not count, job {first.job}: {first.error or first.status}"
    names = dict.fromkeys(name for row in group for name in row.metrics)
    spread = Spread.of(values)
    metrics = {name: Spread.of([row.metrics[name] for row in group if name in row.metrics]) for name in names}
    return Candidate(
        rank=None,
        point=without(group[0].point, repeats),
        jobs=tuple(row.job for row in group),
        n=spread.n,
        objective=spread.mean if values else None,
        std=_known(spread.std),
        metrics={name: each.mean for name, each in metrics.items()},
        metrics_std={name: _known(each.std) for name, each in metrics.items()},
        error=error,
    )


def _known(std: float) -> float | None:
    return None if math.isnan(std) else std
