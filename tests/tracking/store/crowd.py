"""Many processes at one store: forked together, let go at once, telling each call that returned.

Usage: crowd.py BASE WORK PROCESSES COUNT [nolock]. WORK is `runs`: the processes create, log to and finish
COUNT runs between them; or `ranks`: they log COUNT points into one run, which their parent made, logs to as well and
finishes in their midst.
A line told is `pid what run number`; what is told in one write is told whole.
"""

import errno
import fcntl
import os
import sys
from typing import Any

from tracking import ExperimentTracker


def tell(*words: Any) -> None:
    os.write(1, f"{os.getpid()} {' '.join(map(str, words))}\n".encode())


def runs(tracker: ExperimentTracker, numbers: range) -> None:
    for number in numbers:
        run_id = tracker.create_run("x", tags={"who": f"{os.getpid()}.{number}"})
        tell("created", run_id, number)
        tracker.log_params(run_id, {"number": number})
        tracker.log_metrics(run_id, {"n": number}, step=number)
        tell("logged", run_id, number)
        tracker.finish_run(run_id)
        tell("finished", run_id, number)


def points(tracker: ExperimentTracker, run_id: str, numbers: range) -> None:
    for number in numbers:
        tell("trying", run_id, number)
        tracker.log_metrics(run_id, {"n": number}, step=number)
        tell("logged", run_id, number)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def main(base: str, work: str, processes: int, count: int) -> None:
    tracker = ExperimentTracker(base)
    run_id = tracker.create_run("x") if work == "ranks" else ""
    if run_id:
        tell("created", run_id, 0)
        tracker.log_metrics(run_id, {"n": -1}, step=-1)
    gate, opener = os.pipe()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.read(gate, 1)
            # every other child uses what it inherited, as a forked data loader does
            mine = tracker if number % 2 else ExperimentTracker(base)
            numbers = range(number, count, processes)
            points(mine, run_id, numbers) if run_id else runs(mine, numbers)
            return
        children.append(child)
    os.close(opener)
    if run_id:
        points(tracker, run_id, range(count, count + count // processes // 2))
        tracker.finish_run(run_id)
        tell("finished", run_id, 0)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    tell("ends", *ends)


if __name__ == "__main__":
    if "nolock" in sys.argv:
        fcntl.flock = refuse
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
