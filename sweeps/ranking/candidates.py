"""Ranks candidates: the jobs that differ in nothing but what repeats them, such as seed and fold, by the means of their objectives.

One good draw does not make a good setting, so a candidate counts with all of its repeats or not at all: one whose job
failed follows the ranked ones, with the reason. A search repeats only the best of its candidates. There the first is one that
was repeated, however good the one draw of another was; of several objectives, which have a front, this does not hold.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sweeps.jobs import JobState
from sweeps.ranking.leaderboard import Candidate, Row, place
from tracking.objective import Objective
from tracking.repeats import Spread, group_by, key_of, without


def rank_candidates(
    rows: Iterable[Row],
    repeats: Sequence[str],
    objectives: Sequence[Objective],
    *,
    noun: str = "repeats",
    confirms: bool = False,
) -> tuple[tuple[Row, ...], tuple[Candidate, ...]]:
    """Group the rows of a sweep into candidates, by the swept keys that are no `repeats`, and rank these.

    Each row gets the rank of its candidate, the best row of a candidate first; rows without a rank follow. With
    `confirms`, of a search that repeats its best, there are no candidates until one has repeats.
    """
    groups = group_by(rows, lambda row: key_of(without(row.point, repeats)))
    members = {group[0].job: group for group in groups}
    if confirms:
        candidates = _confirmed(
            [_candidate(_counted(group), group, repeats, noun) for group in groups], objectives, noun
        )
        if not candidates:
            return place([row for group in groups for row in group], objectives), ()
    else:
        candidates = place([_candidate(group, group, repeats, noun) for group in groups], objectives)
    ordered: list[Row] = []
    # Rows follow the order of their candidates, because a lucky job of a worse one may hold the best value.
    for candidate in candidates:
        group = members[candidate.jobs[0]]
        if candidate.rank is not None:  # the first row of the leaderboard is the winner
            group = [
                replace(row, rank=candidate.rank if row.can_rank else None)
                for row in place(group, objectives)
            ]
        ordered += group
    return tuple(sorted(ordered, key=lambda row: row.rank is None)), candidates


def _confirmed(
    candidates: Sequence[Candidate], objectives: Sequence[Objective], noun: str
) -> tuple[Candidate, ...]:
    """Rank candidates of which some have repeats, the best of these before all others; nothing while none has."""
    most = max((each.n for each in candidates if each.can_rank), default=0)
    if most < 2:
        return ()
    one = noun.removesuffix("s")
    noted = [
        replace(each, note=f"one {one}" if each.n == 1 else f"{each.n} of {most} {noun}")
        if each.can_rank and each.n < most
        else each
        for each in candidates
    ]
    if len(objectives) > 1:
        return place(noted, objectives)
    winner = place([each for each in noted if each.can_rank and each.n > 1], objectives)[0]
    return (winner, *place([each for each in noted if each.jobs != winner.jobs], objectives, first=2))


def _counted(group: Sequence[Row]) -> Sequence[Row]:
    """Return the rows of a candidate of a search that have their say: completed ones, else those that were stopped early.

    A repeat that failed or has not run yet lowers the number of repeats and no more.
    """
    known = [row for row in group if row.can_rank or not row.is_feasible]
    return [row for row in known if row.status is JobState.COMPLETED] or known or group


def _candidate(counted: Sequence[Row], group: Sequence[Row], repeats: Sequence[str], noun: str) -> Candidate:
    """Return what the jobs of a `group` came to, of which the `counted` ones have their say."""
    usable = [row for row in counted if row.can_rank and row.objective is not None]
    faults = [row for row in counted if not row.can_rank]
    error = None
    if faults:
        first = faults[0]
        error = f"{len(faults)} of {len(counted)} {noun} did not count, job {first.job}: {first.error or first.status}"
    names = dict.fromkeys(name for row in counted for name in row.metrics)
    spread = Spread.of([row.objective for row in usable if row.objective is not None])
    metrics = {
        name: Spread.of([row.metrics[name] for row in counted if name in row.metrics]) for name in names
    }
    others = {name: _spread_of(usable, name) for name in group[0].others}
    return Candidate(
        rank=None,
        point=without(group[0].point, repeats),
        jobs=tuple(row.job for row in group),
        n=spread.n,
        objective=_known(spread.mean),
        std=_known(spread.std),
        metrics={name: each.mean for name, each in metrics.items()},
        metrics_std={name: _known(each.std) for name, each in metrics.items()},
        error=error,
        others={name: _known(each.mean) for name, each in others.items()},
        others_std={name: _known(each.std) for name, each in others.items()},
        is_feasible=all(row.is_feasible for row in counted),
    )


def _spread_of(rows: Sequence[Row], name: str) -> Spread:
    values = (row.others.get(name) for row in rows)
    return Spread.of([value for value in values if value is not None])


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
