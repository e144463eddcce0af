"""Processes open, log, leave, fail, finish, end and die in any order: a run is over when it is, and no failure is lost.

Processes are identities: each has its own claims and journals, and those of this process stand for the one that acts.
"""

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from weakref import WeakValueDictionary

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracking import ExperimentTracker, Run
from tracking.metrics import journal
from tracking.process import identity
from tracking.store import ending, ownership

PROCESSES = 3
pids = itertools.count(4_000_000)  # beyond those of the system


@dataclass
class Process:
    """A process that has not ended, with what its modules hold."""

    pid: int = field(default_factory=lambda: next(pids))
    claims: Any = field(default_factory=WeakValueDictionary)
    open: dict[int, Any] = field(default_factory=dict)
    journals: Any = field(default_factory=WeakValueDictionary)
    left: set[Any] = field(default_factory=set)
    blocks: list[Run] = field(default_factory=list)
    handles: list[Run] = field(default_factory=list)

    @contextmanager
    def acting(self, alive: set[int]) -> Iterator[None]:
        here = identity._owner.__wrapped__(0)
        values = {**here, "pid": self.pid, "process_started": self.pid, "token": f"{self.pid:016x}"}
        with ExitStack() as stack:
            for target, name, value in (
                (ownership, "_claims", self.claims),
                (ownership, "_open", self.open),
                (ownership, "_is_leaving", False),
                (ending, "_left", self.left),
                (journal, "_journals", self.journals),
                (identity, "_owner", lambda _: values),
                (identity, "started", lambda pid: pid if pid in alive else None),
                (identity, "announce", lambda _: None),
                (ending.presence, "leave", lambda _: None),
            ):
                stack.enter_context(mock.patch.object(target, name, value))
            yield


class Processes(RuleBasedStateMachine):
    """One run of several processes, and a model of who ends it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.base = Path(self.folder.name, "s")
        self.all = [Process() for _ in range(PROCESSES)]
        self.alive = {process.pid for process in self.all}
        self.logged = 0
        self.opener: int | None = None  # the process that ends the run
        self.parts: set[int] = set()  # those that have it open, the opener included
        self.end: str | None = None  # how it ended; None while it has not
        self.before: str | None = None  # how it had ended when the opener opened it again
        self.has_failed = False  # a process that takes part, since it was opened
        with self.acting(0) as tracker:
            self.run_id = tracker.create_run("x")
        self.opener, self.parts = self.all[0].pid, {self.all[0].pid}

    @contextmanager
    def acting(self, index: int) -> Iterator[ExperimentTracker]:
        with self.all[index].acting(self.alive):
            yield ExperimentTracker(self.base)

    def opens(self, index: int, *, logs: bool) -> None:
        """The model of a process that opens the run, or logs into it."""
        pid = self.all[index].pid
        if pid in self.parts:
            return
        if self.end is not None:
            if not logs:
                return
            self.opener, self.before, self.end, self.has_failed = pid, self.end, None, False
        elif self.opener not in self.alive:
            self.opener, self.before, self.has_failed = pid, None, False
        self.parts.add(pid)

    def ends(self, index: int, status: str) -> None:
        """The model of a process that says how the run ends."""
        pid = self.all[index].pid
        if self.end is None and self.opener == pid:
            self.end = "failed" if self.has_failed else status
        elif self.end is None and status == "failed":
            self.has_failed = True
        elif self.end not in (None, "failed") and status == "failed" and pid in self.parts:
            self.end = "failed"
        self.parts.discard(pid)

    @rule(index=st.integers(0, PROCESSES - 1))
    def enters_a_block(self, index: int) -> None:
        with self.acting(index) as tracker:
            self.all[index].blocks.append(tracker.open_run(self.run_id).__enter__())
        self.opens(index, logs=False)

    @rule(index=st.integers(0, PROCESSES - 1))
    def logs(self, index: int) -> None:
        with self.acting(index) as tracker:
            run = tracker.open_run(self.run_id)
            self.all[index].handles.append(run)  # or its journal would go with it
            run.log({"a": 1.0}, step=self.logged)
        self.logged += 1
        self.opens(index, logs=True)

    @rule(index=st.integers(0, PROCESSES - 1), fails=st.booleans())
    def leaves_a_block(self, index: int, fails: bool) -> None:
        blocks = self.all[index].blocks
        if not blocks or (self.all[index].pid not in self.parts and fails):
            return
        error = ValueError("no") if fails else None
        with self.acting(index):
            blocks.pop().__exit__(type(error) if error else None, error, None)
        if self.all[index].pid not in self.parts:
            return
        if not blocks:
            self.ends(index, "failed" if fails else "completed")
        elif fails and self.end is None:
            self.has_failed = True
        elif fails:
            self.end = "failed"

    @precondition(lambda self: self.end is None)
    @rule(index=st.integers(0, PROCESSES - 1))
    def completes_it_through_a_handle(self, index: int) -> None:
        pid = self.all[index].pid
        with self.acting(index) as tracker:
            tracker.finish_run(self.run_id)
        self.all[index].blocks.clear()
        if self.opener == pid or self.opener not in self.alive:
            self.end = "failed" if self.has_failed else "completed"
        self.parts.discard(pid)

    @rule(index=st.integers(0, PROCESSES - 1), fails=st.booleans())
    def ends_in_order_or_by_an_error(self, index: int, fails: bool) -> None:
        pid = self.all[index].pid
        cause = OSError("no") if fails else None
        with self.acting(index), mock.patch.object(ending, "cause_of_exit", return_value=cause):
            ending.end_what_is_open()
            for each in list(self.all[index].journals.values()):
                each.retire()
        if pid in self.parts:
            if not (self.end is not None and pid == self.opener):
                rest = "failed" if fails else (self.before or "ended" if pid == self.opener else "completed")
                self.ends(index, rest)
            self.parts.discard(pid)
        self.replace(index)

    @rule(index=st.integers(0, PROCESSES - 1))
    def dies(self, index: int) -> None:
        with suppress(KeyError):
            self.parts.remove(self.all[index].pid)
        self.replace(index)

    def replace(self, index: int) -> None:
        self.alive.discard(self.all[index].pid)
        self.all[index] = Process()
        self.alive.add(self.all[index].pid)

    @invariant()
    def the_run_shows_what_it_is(self) -> None:
        expected = self.end or ("running" if self.opener in self.alive else "killed")
        with self.acting(0) as tracker:
            record = tracker.record(self.run_id)
            assert str(record.status) == expected
            count = record.summary["a"].count if "a" in record.summary else 0
            steps = [point["step"] for point in tracker.get_run(self.run_id)["metrics"].get("a", ())]
        assert (count, steps) == (self.logged, [*range(self.logged)])
        assert (record.finished_at is None) == (self.end is None)
        assert record.error is not None or self.end != "failed"

    def teardown(self) -> None:
        self.folder.cleanup()


TestProcesses = Processes.TestCase
TestProcesses.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
