"""Whatever nodes do, each job comes to exactly one outcome, and no two nodes work on one job at a time.

The nodes are in this process, so that they can end at any moment; what they say is what real ones say.
"""

import logging
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.errors import SweepError
from sweeps.executor.cluster.cluster_executor import ClusterExecutor
from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.cluster.messages import Work, decode, encode, unpacked
from sweeps.executor.local.executor import Prepared
from sweeps.executor.local.forkserver import Preparation
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason
from sweeps.settings.launcher_settings import LauncherSettings

FATES = ("complete", "fail", "die at once", "die", "die between", "leave", "babble", "retry and die")


class Story:
    """What becomes of the shards that nodes get, in their order, and what nodes saw of the jobs."""

    def __init__(self, fates: Sequence[str]) -> None:
        self._fates = [*fates]
        self._lock = threading.Lock()
        self.running: dict[int, FakeNode] = {}
        self.attempts: dict[int, list[int]] = {}
        self.faults: list[str] = []
        self.seen: list[Job] = []
        self.tried: list[int] = []  # how many attempts of their own the shards have had

    def next_fate(self) -> str:
        with self._lock:
            return self._fates.pop(0) if self._fates else "complete"

    def begin(self, node: "FakeNode", job: Job) -> None:
        with self._lock:
            self.seen.append(job)
            if job.number in self.running:
                self.faults.append(f"job {job.number} runs twice")
            self.running[job.number] = node
            if job.attempt in self.attempts.setdefault(job.number, []):
                self.faults.append(f"job {job.number} has two attempts {job.attempt}")
            self.attempts[job.number].append(job.attempt)

    def end(self, job: int) -> None:
        with self._lock:
            self.running.pop(job, None)


class FakeNode:
    """A node of one place that answers in the thread of whoever sends to it."""

    def __init__(self, engine: "FakeEngine", name: str) -> None:
        self.name, self.places = name, 1
        self._engine, self._story = engine, engine.story
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._asked = 0
        self._has = list[Job]()
        self._is_gone = False

    def send(self, message: bytes) -> None:
        if self._is_gone:
            raise NodeLostError("it has gone")
        head, body = decode(message)
        match head["kind"]:
            case "hello" if self._engine.refuses:
                self._said.put(encode("refused", error="it has podium 0.0.1"))
            case "hello":
                self._said.put(encode("ready", places=1, host="here"))
                self._ask()
            case "work":
                self._work(unpacked(body))
            case "end":
                self._go()

    def receive(self) -> bytes:
        message = self._said.get()
        if message is None:
            raise NodeLostError("its process was killed")
        return message

    def close(self, *, for_good: bool = False) -> None:
        if for_good:
            self._engine.given_up.add(self.name)
        self._go()

    def _ask(self) -> None:
        self._asked += 1
        self._said.put(encode("next", ask=self._asked, shard=self._asked))

    def _go(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            for job in self._has:
                self._story.end(job.number)
            self._said.put(None)
            self._engine.gone(self)

    def _start(self, job: Job) -> None:
        self._story.begin(self, job)
        self._has.append(job)
        self._tell(EventKind.STARTED, job.number, {"attempt": job.attempt})
        self._tell(EventKind.RUN, job.number, {"run": f"/runs/{job.number}-{job.attempt}"})

    def _end(self, job: Job, status: JobStatus, reason: Reason | None = None) -> None:
        self._story.end(job.number)
        self._has.remove(job)
        outcome = Outcome(job.number, status, 0.1, reason=reason, attempt=job.attempt, runs=job.previous)
        self._said.put(encode("outcome", **asdict(outcome)))

    def _tell(self, kind: EventKind, number: int, data: dict[str, Any]) -> None:
        self._said.put(encode("event", event=kind, job=number, data=data))

    def _work(self, work: Work) -> None:
        fate = self._story.next_fate()
        self._story.tried.append(work.attempts)
        if fate == "die at once":
            self._go()
            return
        for job in work.jobs:
            self._start(job)
            if fate == "complete":
                self._end(job, JobStatus.COMPLETED)
            elif fate == "fail":
                self._end(job, JobStatus.FAILED, Reason.ERROR)
            elif fate == "die between" and job is work.jobs[0]:
                self._end(job, JobStatus.COMPLETED)
            elif fate == "retry and die":
                failed = Outcome(job.number, JobStatus.KILLED, 0.1, attempt=job.attempt, runs=job.previous)
                self._tell(EventKind.RETRY, job.number, asdict(failed))
        if fate == "leave":
            self._said.put(encode("leaving", why="it got SIGTERM"))
            for job in work.jobs:
                self._end(job, JobStatus.KILLED, Reason.STOPPED)
        if fate == "babble":
            self._said.put(b"nonsense")
        elif fate in {"complete", "fail"}:
            self._said.put(encode("ended", shard=self._asked))
            self._ask()
        else:
            self._go()


class FakeEngine:
    """An engine with places, each of which gets another node when its node is lost."""

    name, packages = "fake", ()
    is_starting = False

    def __init__(self, story: Story, places: int, *, refuses: bool = False) -> None:
        self.story, self.refuses = story, refuses
        self.given_up = set[str]()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for number in range(places):
            self._waiting.put(f"place {number}")

    def gone(self, node: FakeNode) -> None:
        if node.name not in self.given_up:
            self._waiting.put(node.name)

    def nodes(self, command: NodeCommand) -> Iterator[FakeNode]:
        assert Path(command.sweep).is_dir()  # of one name there may be several
        for name in iter(self._waiting.get, None):
            yield FakeNode(self, name)

    def close(self) -> None:
        self._waiting.put(None)


class Common:
    """Stands for what the jobs of a sweep share, of which no job of these tests needs anything."""

    sweep = "sweep"


@pytest.fixture(autouse=True)
def _nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    start: Any = None
    prepared = Prepared(Preparation([], [], "", [], [], b"", start), ())
    monkeypatch.setattr(Prepared, "of", lambda *_args, **_named: prepared)


def made(engine: FakeEngine, folder: Path, together: int = 1) -> ClusterExecutor:
    common: Any = Common()
    return ClusterExecutor(engine, LauncherSettings(1, 1, (), 0.0, fusion_size=together), common, folder)


def jobs(folder: Path, count: int, group: str | None = None) -> list[Job]:
    return [
        Job(number, f"key-{number}", "hash", (), {}, folder / f"jobs/{number}", b"", group=group)
        for number in range(count)
    ]


@given(
    st.lists(st.sampled_from(FATES), max_size=20),
    st.integers(0, 8),
    st.integers(1, 3),
    st.sampled_from([None, "all"]),
)
@settings(max_examples=100, deadline=None)
def test_each_job_has_one_outcome_whatever_nodes_do(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str], count: int, places: int, group: str | None
) -> None:
    folder, story, events = tmp_path_factory.mktemp("sweep"), Story(fates), list[Event]()
    executor = made(FakeEngine(story, places), folder, together=3)
    outcomes = list(executor.run(jobs(folder, count, group), events.append))
    assert story.faults == []
    assert Counter(each.job for each in outcomes) == Counter(range(count))
    assert not story.running
    retries = Counter(event.job for event in events if event.kind is EventKind.RETRY)
    for outcome in outcomes:
        assert outcome.attempt == story.attempts[outcome.job][-1] or outcome.reason is Reason.LOST
        assert retries[outcome.job] >= len(story.attempts[outcome.job]) - 1
        if outcome.status is not JobStatus.COMPLETED:
            assert outcome.reason in {Reason.ERROR, Reason.LOST}


def test_the_loss_of_a_node_is_said_once_with_its_reason_and_what_was_put_back(
    tmp_path: Path,
) -> None:
    said, all_said = list[str](), threading.Event()

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "was lost" in record.getMessage():
                said.append(record.getMessage())
            if len(said) == 3:
                all_said.set()

    def until_all_is_said() -> Iterator[Job]:
        yield from jobs(tmp_path, 1)
        assert all_said.wait(60.0)

    logger, hearing = logging.getLogger("sweeps"), Hearing()
    logger.addHandler(hearing)
    try:
        list(made(FakeEngine(Story(["die"] * 3), 1), tmp_path).run(until_all_is_said(), lambda _event: None))
    finally:
        logger.removeHandler(hearing)
    lost = "node place 0 was lost: its process was killed"
    assert sorted(said) == [
        lost,
        f"{lost}; put back: 1 job",
        f"{lost}; put back: 1 job",
    ]  # in the end it has failed


def test_a_job_goes_on_with_the_runs_of_a_lost_node(tmp_path: Path) -> None:
    story, events = Story(["die"]), list[Event]()
    (outcome,) = made(FakeEngine(story, 1), tmp_path).run(jobs(tmp_path, 1), events.append)
    assert [(job.attempt, job.previous) for job in story.seen] == [(1, ()), (2, ("/runs/0-1",))]
    assert (outcome.status, outcome.attempt) == (JobStatus.COMPLETED, 2)
    (retry,) = [event.data for event in events if event.kind is EventKind.RETRY]
    assert (retry["error"], retry["reason"], retry["cut_off"]) == (
        "its node place 0 was lost",
        Reason.LOST,
        True,
    )


def test_a_job_that_loses_node_after_node_fails(tmp_path: Path) -> None:
    (outcome,) = made(FakeEngine(Story(["die"] * 3), 1), tmp_path).run(jobs(tmp_path, 1), lambda _event: None)
    assert (outcome.status, outcome.reason, outcome.attempt) == (JobStatus.FAILED, Reason.LOST, 3)
    assert outcome.error == "its node place 0 was lost, the last of 3 that were lost while it ran"


def test_nodes_that_leave_cost_a_job_nothing(tmp_path: Path) -> None:
    story = Story(["leave"] * 5)
    (outcome,) = made(FakeEngine(story, 1), tmp_path).run(jobs(tmp_path, 1), lambda _event: None)
    assert (outcome.status, outcome.attempt) == (JobStatus.COMPLETED, 6)


def test_a_job_keeps_its_retries_when_its_node_is_lost(tmp_path: Path) -> None:
    story = Story(["retry and die", "die"])
    (outcome,) = made(FakeEngine(story, 1), tmp_path).run(jobs(tmp_path, 1), lambda _event: None)
    assert story.tried == [0, 1, 1]
    assert outcome.attempt == 3  # the second one had not begun when its node was lost


def test_jobs_that_had_not_begun_stay_together(tmp_path: Path) -> None:
    story = Story(["die at once"])
    outcomes = list(
        made(FakeEngine(story, 1), tmp_path, together=3).run(jobs(tmp_path, 3, "all"), lambda _event: None)
    )
    assert [job.attempt for job in story.seen] == [1, 1, 1]
    assert len(outcomes) == 3


def test_a_sweep_whose_nodes_all_refuse_says_why(tmp_path: Path) -> None:
    engine = FakeEngine(Story([]), 1, refuses=True)
    with pytest.raises(SweepError, match=r"no node of fake can run the jobs; place 0: it has podium 0\.0\.1"):
        list(made(engine, tmp_path).run(jobs(tmp_path, 2), lambda _event: None))


def test_a_sweep_ends_when_the_node_that_was_to_come_comes_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Looking(FakeEngine):
        """Says once that another node is to come."""

        looks = 0

        @property
        def is_starting(self) -> bool:  # type: ignore[override]
            self.looks += 1
            return self.looks == 1

    monkeypatch.setattr("sweeps.executor.cluster.cluster_executor.PING_S", 0.05)
    engine = Looking(Story([]), 1, refuses=True)
    with pytest.raises(SweepError, match=r"no node of fake can run the jobs; place 0: it has podium 0\.0\.1"):
        list(made(engine, tmp_path).run(jobs(tmp_path, 2), lambda _event: None))
    assert engine.looks > 1


def test_an_error_of_whoever_listens_ends_the_sweep(tmp_path: Path) -> None:
    def listen(_event: Event) -> None:
        raise KeyError("no such job")

    with pytest.raises(KeyError, match="no such job"):
        list(made(FakeEngine(Story([]), 1), tmp_path).run(jobs(tmp_path, 2), listen))


def test_a_sweep_that_waits_for_a_node_can_be_stopped(tmp_path: Path) -> None:
    executor, outcomes = made(FakeEngine(Story([]), 0), tmp_path), list[Outcome]()
    running = threading.Thread(
        target=lambda: outcomes.extend(executor.run(jobs(tmp_path, 2), lambda _event: None))
    )
    running.start()
    executor.stop()
    running.join()
    assert {each.job: each.status for each in outcomes} == dict.fromkeys(range(2), JobStatus.CANCELLED)


def test_jobs_of_a_lost_node_end_when_the_sweep_is_stopped(tmp_path: Path) -> None:
    executor = made(FakeEngine(Story(["leave", "die"]), 2), tmp_path)

    def stop(event: Event) -> None:
        if event.kind is EventKind.STARTED:
            executor.stop()

    outcomes = list(executor.run(jobs(tmp_path, 5), stop))
    assert sorted(each.job for each in outcomes) == [*range(5)]
