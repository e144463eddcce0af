"""When the attempts that a killed sweep left open were last heard of: its ledger ends before they do.

The process of a sweep that is killed with SIGKILL writes no end, and a job may go on for a moment. What its run has logged
tells how long.
"""

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

from sweeps.state.job_runs import JobRuns
from tracking import TrackingError
from tracking.watched import last_sign

if TYPE_CHECKING:
    from sweeps.state.ledger import SweepHistory


def signs_of_life(history: "SweepHistory", runs: JobRuns) -> dict[int, datetime]:
    """Return when each job without a recorded end was last heard of: the last that its runs logged, or their ends.

    A job that has logged nothing is left out, and so is a run that cannot be read. Reads the last lines of a few files for each open job.
    """
    found: dict[int, datetime] = {}
    for number, job in history.jobs.items():
        if not job.is_open:
            continue
        for name in dict.fromkeys(filter(None, (job.open_run, *job.child_runs, *job.runs[-1:]))):
            with contextlib.suppress(TrackingError, OSError):
                sign = last_sign(runs.folder(name))
                if sign is not None and (number not in found or found[number] < sign):
                    found[number] = sign
    return found
