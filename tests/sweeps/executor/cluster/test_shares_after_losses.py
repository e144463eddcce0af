"""What places get after a node was lost, or has left: jobs that shared a process do so again, and shares stay fair."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.executor.cluster.dealing import Dealing
from sweeps.executor.cluster.messages import Work, decode, unpacked
from sweeps.executor.conformance_app import PATIENCE_S
from sweeps.executor.contract import cancelled
from sweeps.executor.local.shards import Shards
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, Reason

PLACES, AT_ONCE = 4, 8


class Node:
    """Asks for shards, and gets them."""

    def __init__(self, dealing: Dealing) -> None:
        self._dealing = dealing
        self._got: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._asked = 0
        dealing.join(self, PLACES)

    def post(self, message: bytes) -> None:
        self._got.put(message)

    def next(self) -> tuple[Job, ...]:
        self._asked += 1
        self._dealing.ask(self, self._asked, self._asked)
        work: Work = unpacked(decode(self._got.get(timeout=PATIENCE_S))[1])
        return work.jobs


@contextmanager
def dealing(shards: Shards) -> Iterator[Dealing]:
    made = Dealing(shards, lambda _event: None, None)
    pulling = threading.Thread(target=made.pull)
    pulling.start()
    try:
        yield made
    finally:
        made.close()
        pulling.join()


@pytest.mark.parametrize("how", ["lost", "leaves"])
def test_jobs_of_a_node_that_goes_share_a_process_again_and_its_time_distorts_no_share(
    tmp_path: Path, how: str
) -> None:
    now, job = 1e5, Job(0, "key", "hash", (), {}, tmp_path, b"", group="all")
    jobs = [replace(job, number=number) for number in range(84)]
    shards = Shards(jobs, PLACES, AT_ONCE, clock=lambda: now)
    with dealing(shards) as deals:
        goes, stays = Node(deals), Node(deals)
        first = goes.next()
        assert [len(shard) for shard in (first, *(stays.next() for _ in range(3)))] == [16] * PLACES

        deals.hear(goes, Event(EventKind.STARTED, first[0].number, {}))
        if how == "leaves":
            deals.leave(goes)
            stopped = Outcome(first[0].number, JobStatus.KILLED, 0.0, reason=Reason.STOPPED)
            for outcome in (stopped, *map(cancelled, first[1:])):
                deals.end(goes, "goes", outcome)
            deals.shard_ended(goes, 1)
        deals.lose(goes, "goes", PLACES)
        put_back = [len(stays.next()) for _ in range(2)]
        assert sorted(put_back) == [1, 15]  # the one that had begun goes on by itself

        now += 1
        deals.shard_ended(stays, 4 + put_back.index(1))  # a job takes a second
        now += 7
        left = 20 + 3 * 8 + 7  # not begun, and of the other processes
        assert len(stays.next()) == -(-left // PLACES)
