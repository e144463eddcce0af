"""The life of a store, run as a process that tells each call it makes: a test kills it or fails its system calls.

Every call logs, tags or copies something of its own, named by a number that is never used again, so that what is
found later can be traced to the call that made it. What is told goes out through writev, which no test injects
faults into: `["try", run, what, number]` before a call, then `["did"]` or `["refused", error]`. A refused call is
made once more, with a new number, as a program would.
"""

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracking import ExperimentTracker, ModelRegistry, TrackingError
from tracking.metrics import journal

numbers = itertools.count()


def tell(*words: Any) -> None:
    os.writev(1, [json.dumps(words).encode() + b"\n"])


def attempt(run_id: str, what: str, call: Callable[[int], Any]) -> Any:
    for _ in range(2):
        number = next(numbers)
        tell("try", run_id, what, number)
        try:
            answer = call(number)
        except (TrackingError, OSError) as error:
            if not isinstance(error, TrackingError) and what not in ("read", "register"):
                raise  # only who reads may be told by the system's own error
            tell("refused", str(error))
        else:
            tell("did", *([answer] if what == "create" else []))
            return answer
    raise SystemExit(f"{what} was refused twice")


def live(base: Path) -> None:
    tracker = ExperimentTracker(base)
    origin = base.parent / "origin"

    def log(run_id: str, count: int) -> None:
        for _ in range(count):
            attempt(run_id, "point", lambda n: tracker.log_metrics(run_id, {"n": n}, step=n))

    def finish(run_id: str, status: str) -> None:
        attempt(run_id, status, lambda _: tracker.finish_run(run_id, status))

    first = attempt("", "create", lambda n: tracker.create_run("x", tags={f"t{n}": str(n)}))
    attempt(first, "param", lambda n: tracker.log_params(first, {f"p{n}": n}))
    log(first, 3)
    in_a_child(lambda: log(first, 1))
    attempt(first, "artifact", lambda n: tracker.log_artifact(first, origin, f"a{n}"))
    attempt(first, "tag", lambda n: tracker.open_run(first).set_tags({f"t{n}": str(n)}))
    attempt(first, "param", lambda n: tracker.log_params(first, {f"p{n}": n}))
    finish(first, "completed")
    log(first, 2)
    finish(first, "failed")
    second = attempt("", "create", lambda n: tracker.create_run("y", tags={f"t{n}": str(n)}))
    if hasattr(tracker, "delete_run"):
        attempt(first, "delete", lambda _: tracker.delete_run(first))
    log(second, 1)
    tear(tracker, second)
    log(second, 1)
    attempt(second, "read", lambda _: tracker.list_runs())
    if hasattr(tracker, "delete_run"):
        attempt(first, "restore", lambda _: tracker.restore_run(first))
    attempt(second, "model", lambda _: tracker.log_artifact(second, origin, "model_best.pt"))
    finish(second, "completed")
    attempt(second, "register", lambda _: register(base, second))
    log(first, 1)


def in_a_child(work: Callable[[], None]) -> None:
    """Do some work in a forked process, which has a journal of its own and ends without a word."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    # its calls are counted anew, so that it may be killed before this process is
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (0, -signal.SIGKILL)
    for _ in range(5):
        next(numbers)  # the child took some


def tear(tracker: ExperimentTracker, run_id: str) -> None:
    """Leave a line in the journal that looks as if its writer had been killed in the middle of it."""
    run = tracker.open_run(run_id)
    run.release()
    journal = os.open(run.run_dir / "metrics.jsonl", os.O_RDWR | os.O_APPEND)
    os.writev(journal, [b'{"step":1000,"timestamp":"20'])
    os.close(journal)


def register(base: Path, run_id: str) -> None:
    logged = ExperimentTracker(base).record(run_id).summary["n"].last
    registry = ModelRegistry(base)
    version = registry.register("m", run_id, objective={"metric": "n", "mode": "max", "value": logged})
    registry.promote("m", version.version, reason="the first")


if __name__ == "__main__":
    journal.VIEW_SHARE = 1e-9  # each call brings the views up, so that no call depends on the clock
    live(Path(sys.argv[1]))
    tell("end")
