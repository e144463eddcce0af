"""The time that a running sweep has left, as its live display estimates it."""

import functools
from pathlib import Path

from sweeps.dashboard.facts.timeline import RUNNING, Timeline
from sweeps.jobs import JobState, JobStatus
from sweeps.ranking.status import SweepStatus
from sweeps.state.durations import Durations, ToRun, left_s

OPEN = frozenset({JobState.RUNNING, JobState.QUEUED})


def time_left_s(found: SweepStatus, times: Timeline) -> float | None:
    """Return the seconds that a running sweep has left; None if too little is known, and for a search.

    A search knows neither its jobs nor how far they go. Reads the ledgers of other sweeps of the store once a process.
    """
    if found.plan.search is not None or not times.slots:
        return None
    known = _durations(found.folder.parent.parent, found.plan.sweep)
    since = {span.job: span.to_s - span.from_s for span in times.spans if span.status == RUNNING}
    left = [
        ToRun(
            known.known_s.get(found.history.jobs[row.job].key or _key(found, row.job)),
            since.get(row.job, 0.0),
            row.status is JobState.RUNNING,
            times.pids.get(row.job),
        )
        for row in found.jobs
        if row.status in OPEN
    ]
    took = [
        outcome.cost_s
        for outcome in found.history.outcomes.values()
        if outcome.status is JobStatus.COMPLETED and outcome.cost_s
    ]
    seconds = left_s(left, took, slots=times.slots, typical_s=known.typical_s)
    return None if seconds is None else round(seconds, 1)


def _key(found: SweepStatus, job: int) -> str | None:
    planned = found.history.jobs[job].planned
    return None if planned is None else planned.key


@functools.lru_cache(maxsize=8)
def _durations(store: Path, sweep: str) -> Durations:  # noqa: ARG001 - a part of the cache's key
    """Return what jobs took in earlier sweeps; `sweep` lets each running one look once."""
    return Durations.of_store(store)
