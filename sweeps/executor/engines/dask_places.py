"""The workers of a Dask cluster as places for nodes. All of it runs in the loop of Dask's client.

Each node is one long task, which keeps its worker in use; all messages go by functions that run beside the tasks. A node rings
through the events of the cluster when it has something to fetch, so an idle node costs nothing.
"""

import asyncio
import contextlib
import operator
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from dask.delayed import delayed
from distributed import Client

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import NodeCommand, NodeLostError, NodeRefusedError
from sweeps.executor.engines import dask_worker
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.backoff import Backoff
from sweeps.executor.engines.dask_endings import has_ended
from sweeps.executor.engines.dask_worker import end, end_all, exchange, tend
from sweeps.executor.engines.line import Line
from sweeps.executor.failure_text import summary

LOOK_EVERY_S = 1.0  # how often the cluster is asked for its workers
CALL_EVERY_S = 15.0  # how often a node is called without a ring; one is lost while the client reconnects
AGAIN_S = 0.5  # between calls that fail
GONE = "its Dask worker has gone"
GONE_AFTER_S = 3.0  # how long a worker that has left the cluster may take to answer
END_WITHIN_S = 10.0  # how long the nodes of this one may take
ENDED_WITHIN_S = 60.0  # ... and those of an earlier one


class Place:
    """A node on a worker, as this process sees it. Its `line` is for any thread."""

    def __init__(self, address: str, threads: int) -> None:
        self.address = address
        self.threads = threads
        self.name = address.partition("://")[2] or address
        self.node = uuid4().hex
        self.line = Line()
        self.bell = asyncio.Event()  # set when there is something to send or to fetch
        self.made_at = time.monotonic()
        self.has_begun = False
        self.is_taken = False  # whether the sweep has it
        self.is_leaving = False  # whether the cluster has dropped its worker, which may still stop its jobs
        self.limit: asyncio.Timeout | None = None  # of the call in progress

    def leave(self) -> None:
        """Note that the cluster has dropped the worker, and have it called; it may take `GONE_AFTER_S` for each answer from now on."""
        if not self.is_leaving and self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + GONE_AFTER_S)
        self.is_leaving = True
        self.bell.set()

    def lose(self, why: str, error: type[NodeLostError] = NodeLostError) -> None:
        """Let nobody wait for the node any more."""
        self.line.lose(why, error)
        self.bell.set()


class Places:
    """Starts a node on each worker, and gives each to `found` when its process has begun, or cannot begin."""

    def __init__(self, client: Client, command: NodeCommand, found: Callable[[Place], None]) -> None:
        self._client = client
        self._command = command
        self._found = found
        self._topic = f"podium-{uuid4().hex}"
        self._seen = frozenset[str]()  # the addresses of workers at the last look
        self._taken: dict[str, Place] = {}  # by the address of the worker
        self._given_up = set[str]()  # addresses where no node is wanted any more
        self._nodes: dict[str, Place] = {}
        self._carrying: set[asyncio.Task[None]] = set()
        self._backoffs: defaultdict[str, Backoff] = defaultdict(Backoff)  # by address

    async def watch(self) -> None:
        """Start nodes where there are workers without one, until cancelled; raise `SweepError` when the cluster has gone."""
        self._client.subscribe_topic(self._topic, self._ring)
        first = await self._workers()
        if first:  # no two processes may run one job
            with contextlib.suppress(
                TimeoutError
            ):  # of a worker that hangs; its node has heard nothing for too long
                await asyncio.wait_for(self._end_earlier(list(first)), ENDED_WITHIN_S)
        while True:
            workers = await self._workers()
            if workers is not None:
                self._compare(workers)
            await asyncio.sleep(LOOK_EVERY_S)

    @property
    def is_starting(self) -> bool:
        """Whether a worker that the cluster had at the last look is to have a node that the sweep does not have. Any thread may ask."""
        return not all(address in self._given_up or self._is_served(address) for address in self._seen)

    async def close(self, place: Place, *, for_good: bool) -> None:
        """End a node by force, and leave its place empty if it is `for_good`."""
        if for_good:
            self._given_up.add(place.address)
        place.lose("it was closed")
        if place.has_begun and self._client.status == "running":
            with contextlib.suppress(OSError):  # its worker has gone too
                await self._client.run(end, place.node, workers=[place.address], on_error="ignore")

    async def end(self) -> None:
        """End what still runs of the sweep on any worker."""
        for task in self._carrying:
            task.cancel()
        if self._client.status == "running":
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._end_all([*self._taken]), END_WITHIN_S)

    def _is_served(self, address: str) -> bool:
        place = self._taken.get(address)
        return place is not None and place.is_taken and place.line.lost is None

    def _compare(self, workers: Mapping[str, int]) -> None:
        for address, place in list(self._taken.items()):
            if address not in workers and place.line.lost is not None:
                del self._taken[address]
            elif address not in workers:
                place.leave()
        self._given_up &= workers.keys()
        self._seen = frozenset(workers)
        for address, threads in workers.items():
            if address not in {*self._taken, *self._given_up} and not self._backoffs[address].left_s:
                place = self._taken[address] = Place(address, threads)
                self._nodes[place.node] = place
                carrying = asyncio.ensure_future(self._carry(place))
                self._carrying.add(carrying)
                carrying.add_done_callback(partial(self._leave, place))

    async def _carry(self, place: Place) -> None:
        """Run the node of a place, and carry its messages until it is lost, or Dask raises anything."""
        while not await self._may_begin(place):
            if place.line.lost is not None:
                return
            await asyncio.sleep(AGAIN_S)
        await self._run(place)

    async def _may_begin(self, place: Place) -> bool:
        """Ask a worker whether it can run a node; False if it does not answer, or cannot, by which the place is lost.

        Dask ends a worker that gets a task which it cannot read. Here it only answers with the error.
        """
        for lacks, ask in (
            ("cannot import podium", self._import),
            (f"cannot read tasks of Dask {version('dask')}", self._read),
        ):
            try:
                asking = asyncio.wait_for(ask([place.address]), GONE_AFTER_S if place.is_leaving else None)
                answer = (await asking)[place.address]
            except OSError as error:
                answer = error
            if isinstance(answer, OSError):
                if place.is_leaving:
                    place.lose(GONE)
                return False
            if isinstance(answer, Exception):
                self._given_up.add(place.address)
                place.lose(f"its Dask worker {lacks}: {summary(answer)}", NodeRefusedError)
                self._found(place)
                return False
        return True

    async def _run(self, place: Place) -> None:
        loop: Any = self._client.loop
        task = self._client.submit(
            tend,
            place.node,
            self._command,
            self._topic,
            key=f"podium-{PurePath(self._command.sweep).name}-{place.node}",
            workers=[place.address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        task.add_done_callback(lambda _task: loop.add_callback(place.bell.set))
        try:
            while place.line.lost is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(
                        CALL_EVERY_S
                    ):  # `wait_for` of Python 3.11 may lose a cancellation
                        await place.bell.wait()
                place.bell.clear()
                status = task.status
                if place.line.lost is None:
                    await self._call(place)
                if status != "pending" and not place.has_begun and place.line.lost is None:
                    why = (
                        summary(await task.exception())
                        if status == "error"
                        else f"Dask has {status} its task"
                    )
                    place.lose(f"it cannot be started: {why}")
                    self._found(place)
        finally:
            task.release()

    async def _call(self, place: Place) -> None:
        passing = Exception if place.has_begun else OSError
        try:
            answer = await self._answer(place)
            while answer is not None and place.line.take(answer):
                answer = await self._answer(place)
        except passing:
            # The jobs of a worker that is cut off run on. The sweep ends a node that is silent for too long.
            if place.is_leaving and (not place.has_begun or await self._has_ended(place)):
                place.lose(GONE)
            await asyncio.sleep(AGAIN_S)
            place.bell.set()
            return
        if answer is None and place.has_begun:
            place.lose("its Dask worker has forgotten it")
        elif answer is not None and not place.has_begun:
            place.has_begun = True
            self._found(place)

    async def _answer(self, place: Place) -> Answer | None:
        """Call a node; raise OSError, for a worker that has left the cluster soon, when nobody answers."""
        calling: Any = self._client.run(exchange, place.node, *place.line.call, workers=[place.address])
        try:
            async with asyncio.timeout(GONE_AFTER_S if place.is_leaving else None) as place.limit:
                answers = await calling
        finally:
            place.limit = None
        answer: Answer | None = answers[place.address]
        return answer

    async def _has_ended(self, place: Place) -> bool:
        """Whether the scheduler, which reaches all workers, finds that the process of one has ended."""
        with contextlib.suppress(Exception):  # it may lack podium, or run nothing for clients
            asking: Any = self._client.run_on_scheduler(has_ended, place.address)
            return bool(await asyncio.wait_for(asking, GONE_AFTER_S))
        return False

    def _leave(self, place: Place, carrying: "asyncio.Task[None]") -> None:
        """Let another node take a place; later if nodes end at once there."""
        self._carrying.discard(carrying)
        fault = None if carrying.cancelled() else carrying.exception()
        if fault is not None and not place.has_begun:
            place.lose(f"it cannot be started: {summary(fault)}")
            self._found(place)
        place.lose("the sweep has ended" if fault is None else summary(fault))
        del self._nodes[place.node]
        if self._taken.get(place.address) is place:
            del self._taken[place.address]
            self._backoffs[place.address].note_loss(place.made_at)

    async def _workers(self) -> Mapping[str, int] | None:
        """Return the workers of the cluster with their threads; None while the scheduler does not answer."""
        try:
            workers: Mapping[str, int] = await self._client.nthreads()
        except (OSError, AttributeError) as error:
            if isinstance(error, AttributeError) and self._client.scheduler is not None:
                raise  # else the client has let go of its scheduler before it says so
            if self._client.status in {"closing", "closed"}:
                for place in self._nodes.values():
                    place.lose("the scheduler of Dask has gone")
                raise SweepError(f"the scheduler of Dask has gone: {summary(error)}") from error
            return None
        return workers

    async def _import(self, workers: list[str]) -> dict[str, Any]:
        """Have workers import what runs there for a node; return an error for each that cannot, and for each out of reach."""
        return await self._try(workers, import_module, dask_worker.__name__)

    async def _read(self, workers: list[str]) -> dict[str, Any]:
        """Have workers read a task, which has the format of Dask's version; return as `_import` does."""
        (task,) = delayed(abs, pure=False)(1).__dask_graph__().values()
        return await self._try(workers, operator.is_, task, None)

    async def _try(self, workers: list[str], function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        answers: Any = await self._client.run(function, *arguments, workers=workers, on_error="return")
        return dict(answers)

    async def _end_earlier(self, workers: list[str]) -> None:
        """End what an earlier session has left on workers; those of other people are asked for nothing that they lack."""
        answers = await self._import(workers)
        await self._end_all([each for each in workers if not isinstance(answers[each], Exception)])

    async def _end_all(self, workers: list[str]) -> None:
        await self._client.run(end_all, self._command.sweep, workers=workers, on_error="ignore")

    def _ring(self, event: tuple[float, str]) -> None:
        place = self._nodes.get(event[1])
        if place is not None:
            place.bell.set()
