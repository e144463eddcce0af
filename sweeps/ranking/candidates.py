"""Jobs that differ in nothing but their seed are one candidate: ranked by their mean, shown with its spread.

The standard deviation is that of a sample (divided by n - 1). One good draw does not make a good setting, so a
candidate counts with all of its seeds, or not at all: one whose job failed stands below the line with the reason.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Candidate, Row
from tracking.objective import Objective
from tracking.repeats import Spread, group_by, key_of


def rank_candidates(
    rows: Iterable[Row], seed_key: str, objective: Objective
) -> tuple[tuple[Row, ...], tuple[Candidate, ...]]:
    """Group the rows of a sweep into candidates and rank these.

    Each row gets the place of its candidate, the best row of a candidate first; rows without a place follow.
    """
    groups = group_by(rows, lambda row: key_of(_without(row.point, seed_key)))
    found = [_candidate(group, seed_key) for group in groups]
    placed = sorted(
        (each for each in found if each.error is None),
        key=lambda each: (objective.key(each.objective), each.jobs[0]),
    )
    ranked = [replace(each, rank=place) for place, each in enumerate(placed, start=1)]
    below = [each for each in found if each.error is not None]
    by_job = {row.job: row for group in groups for row in group}
    ordered: list[Row] = []
    for candidate in (*ranked, *below):
        members = [replace(by_job[job], rank=candidate.rank) for job in candidate.jobs]
        ordered += (
            sorted(members, key=lambda row: objective.key(row.objective)) if candidate.rank else members
        )
    return tuple(ordered), (*ranked, *below)


def _candidate(group: Sequence[Row], seed_key: str) -> Candidate:
    values = [row.objective for row in group if counts(row) and row.objective is not None]
    faults = [row for row in group if not counts(row)]
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


def counts(row: Row) -> bool:
    """Return whether a row can be ranked: its job completed with a finite objective."""
    return row.status is JobState.COMPLETED and row.error is None and row.objective is not None


def _known(std: float) -> float | None:
    return None if math.isnan(std) else std


def _without(point: Mapping[str, Any], seed_key: str) -> dict[str, Any]:
    return {key: value for key, value in point.items() if key != seed_key}
