"""Ranks candidates: the jobs that differ in nothing but their seed, by the mean of their objective.

One good draw does not make a good setting, so a candidate counts with all of its seeds or not at all: one whose job
failed follows the ranked ones, with the reason.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.ranking.leaderboard import Candidate, Row, place
from tracking.objective import Objective
from tracking.repeats import Spread, group_by, key_of


def rank_candidates(
    rows: Iterable[Row], seed_key: str, objective: Objective
) -> tuple[tuple[Row, ...], tuple[Candidate, ...]]:
    """Group the rows of a sweep into candidates and rank these.

    Each row gets the rank of its candidate, the best row of a candidate first; rows without a rank follow.
    """
    groups = group_by(rows, lambda row: key_of(_without(row.point, seed_key)))
    members = {group[0].job: group for group in groups}
    candidates = place([_candidate(group, seed_key) for group in groups], objective)
    ordered: list[Row] = []
    # Rows follow the order of their candidates, because a lucky seed of a worse one may hold the best value.
    for candidate in candidates:
        group = members[candidate.jobs[0]]
        if candidate.rank is not None:  # the first row of the leaderboard is the winner
            group = [replace(row, rank=candidate.rank) for row in place(group, objective)]
        ordered += group
    return tuple(ordered), candidates


def _candidate(group: Sequence[Row], seed_key: str) -> Candidate:
    values = [row.objective for row in group if row.can_rank and row.objective is not None]
    faults = [row for row in group if not row.can_rank]
    error = None
    if faults:
        first = faults[0]
        error = f"{len(faults)} of {len(group)} seeds did not count, job {first.job}: {first.error or first.status}"
    names = dict.fromkeys(name for row in group for name in row.metrics)
    spread = Spread.of(values)
    metrics = {name: Spread.of([row.metrics[name] for row in group if name in row.metrics]) for name in names}
    return Candidate(
        rank=None,
        point=_without(group[0].point, seed_key),
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


def _without(point: Mapping[str, Any], seed_key: str) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key != seed_key}
