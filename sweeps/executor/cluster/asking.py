"""What a node's executor asks of the sweep's process: jobs, judgements, what a script sets, and an ear for what happens."""

import contextlib
import itertools
import pickle
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from sweeps.executor.cluster.messages import Work, event_as_json, unpacked
from sweeps.executor.cluster.wire import Wire
from sweeps.executor.local.shards import Shard
from sweeps.executor.local.supplies import Delivery, Supplies
from sweeps.jobs import Event, Job, Outcome
from tracking import TrackingError
from tracking.watched import settle


class AskedShards:
    """A `sweeps.executor.local.shards.ShardSource`, whose shards come through the wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._numbers = itertools.count(1)
        self._known: dict[Shard, int] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Shard]:
        return self

    def __next__(self) -> Shard:
        number = next(self._numbers)
        answer = self._wire.ask("next", shard=number)
        if answer is None or answer[0]["kind"] == "none":
            raise StopIteration
        work: Work = unpacked(answer[1])
        shard = Shard(work.jobs, work.at_once, work.is_open, work.attempts)
        with self._lock:
            self._known[shard] = number
        return shard

    def another(self, shard: Shard, taken: int) -> Job | None:
        """Return a further job for the process of an open shard; None if none is ready now."""
        answer = self._wire.ask("another", shard=self._known[shard], taken=taken)
        if answer is None or answer[0]["kind"] == "none":
            return None
        job: Job = unpacked(answer[1])
        return job

    def ended(self, shard: Shard) -> None:
        """Tell that the jobs of a shard have ended."""
        with self._lock:
            number = self._known.pop(shard)
        self._wire.tell("ended", shard=number)

    def close(self) -> None:
        """Leave it to the sweep's process, which answers whoever waits for a shard."""


class Asking:
    """The other things that an executor asks and tells. Any thread may use it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def hear(self, event: Event) -> None:
        """Tell of an event."""
        self._wire.tell("event", **event_as_json(event))

    def judge(self, arrivals: Sequence[tuple[int, int, Path]]) -> Mapping[int, int | None]:
        """Return which jobs go on; all of them if no answer comes, because then this node ends them itself."""
        for _, _, run_dir in arrivals:
            _settle(run_dir)
        counts = [(job, level, str(run_dir)) for job, level, run_dir in arrivals]
        answer = self._wire.ask("judge", counts=counts)
        if answer is None:
            return {job: None for job, _, _ in arrivals}
        return {int(job): until for job, until in answer[0]["goes_on"].items()}

    def supply(self, wanted: Supplies) -> bytes:
        """Return what a job lacks; nothing if no answer comes."""
        answer = self._wire.ask("lacks", **wanted.as_message())
        return pickle.dumps(Delivery()) if answer is None else answer[1]

    def end(self, outcome: Outcome) -> None:
        """Tell of an outcome, once what its runs have logged can be read on other machines."""
        for run in outcome.runs:
            _settle(Path(run))
        self._wire.tell("outcome", **asdict(outcome))


def _settle(run_dir: Path) -> None:
    with contextlib.suppress(
        OSError, TrackingError
    ):  # a run that is gone, or that cannot be read, says so where it is read
        if run_dir.is_absolute():
            settle(run_dir)
