"""Room in a Ray cluster as places for nodes: an actor each, which waits until Ray has room for it. All of it runs in one event loop.

An actor takes what the jobs of its node need, so Ray's own scheduler places it, its autoscaler sees that room is wanted, and nothing
else of the cluster's gets that room.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import ray
from ray.exceptions import ActorUnavailableError, RayError

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.line import Line
from sweeps.executor.engines.ray_pipe import Kind, packed
from sweeps.executor.engines.ray_worker import NodeActor
from sweeps.executor.failure_text import one_line

NAMESPACE = "podium"
LOOK_EVERY_S = 1.0  # how often it is seen whether another actor may be asked for
AGAIN_S = 0.5  # between calls that fail
AT_ONCE_S = 10.0  # a node that is lost within so long lets the next one wait
MOST_WAIT_S = 32.0
CLOSES_WITHIN_S = 25.0  # how long an actor may take to end its process
ENDED_WITHIN_S = 60.0  # ... if an earlier session has left it


class Wanted(NamedTuple):
    """The nodes to start: what an actor takes of Ray, how many there are at most, and what their processes get.

    The jobs of a node whose machine is gone have ended after `hold_s` without a word from here.
    """

    command: NodeCommand
    request: dict[str, float]
    nodes: int | None
    places: int
    variables: dict[str, str]
    hold_s: float


class Place:
    """An actor and its node."""

    def __init__(self, number: int, actor: Any) -> None:
        self.number = number
        self.actor = actor
        self.line = Line()
        self.bell = asyncio.Event()  # set when there is something to send
        self.machine: str | None = None  # Ray's id of it, once the node has begun
        self.name = ""
        self.made_at = self.heard_at = time.monotonic()
        self.is_closing = False
        self.is_closed = False  # for good: its actor keeps the room

    @property
    def is_waiting(self) -> bool:
        """Whether Ray has found no room for it yet."""
        return self.machine is None and not self.is_closed


class Places:
    """Asks for actors, and carries the messages of their nodes; `tell` takes what the sweep is to hear of them."""

    def __init__(self, wanted: Wanted, tell: Callable[[bytes], None]) -> None:
        self._wanted = wanted
        self._tell = tell
        self._places: dict[int, Place] = {}
        self._count = 0
        self._carrying: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._falls = 0  # how many nodes in turn were lost at once
        self._not_before = 0.0

    async def watch(self) -> None:
        """Ask for actors as long as there may be room for more; until cancelled."""
        await self._end_earlier()
        first = self._fitting()
        if not first:
            takes = ", ".join(f"{name} {amount:g}" for name, amount in self._wanted.request.items())
            self._tell(
                packed(
                    Kind.NOTE, body=f"no machine of Ray has {takes} free for a node; the sweep waits for one"
                )
            )
        while True:
            while self._has_room_for_more(first):
                self._ask()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)

    def send(self, number: int, message: bytes) -> None:
        """Send a message to a node; one to a lost node goes nowhere."""
        place = self._places.get(number)
        if place is not None and place.line.lost is None:
            place.line.put(message)
            place.bell.set()

    def close(self, number: int, *, for_good: bool) -> None:
        """End a node by force; if `for_good`, let its actor keep the room: no other node is to come there."""
        place = self._places.get(number)
        if place is None:
            self._tell(packed(Kind.CLOSED, number))
            return
        place.is_closing = True
        place.is_closed |= for_good
        self._do(self._close(place))

    async def end(self) -> None:
        """End all nodes."""
        for task in self._carrying:
            task.cancel()
        for place in self._places.values():
            place.is_closing = place.is_closed = True
        await asyncio.gather(*(self._close(place) for place in self._places.values() if place.machine))
        for place in self._places.values():
            ray.kill(place.actor)

    def _has_room_for_more(self, first: int) -> bool:
        """Whether to ask for one more: as many as fit in the beginning, and then as many as have found room, one at least.

        So a cluster that grows is asked for more and more.
        """
        if time.monotonic() < self._not_before:
            return False
        held = len(self._places)
        if self._wanted.nodes is not None:
            return held < self._wanted.nodes
        waiting = sum(place.is_waiting for place in self._places.values())
        running = sum(place.machine is not None and not place.is_closed for place in self._places.values())
        return held < first or waiting < max(1, running)

    def _fitting(self) -> int:
        """Return how many nodes have room now."""
        free = ray.available_resources()
        least = min(
            (free.get(name, 0.0) / amount for name, amount in self._wanted.request.items()), default=1.0
        )
        return int(least + 1e-6)

    def _ask(self) -> None:
        self._count += 1
        request = dict(self._wanted.request)
        cpus, gpus = request.pop("CPU", 0.0), request.pop("GPU", 0.0)
        options = ray.remote(NodeActor).options(
            name=f"{self._wanted.command.sweep}:{self._count}:{time.time_ns()}",
            namespace=NAMESPACE,
            num_cpus=cpus,
            num_gpus=gpus,
            resources=request,
            max_restarts=0,
            max_task_retries=0,
        )
        place = Place(self._count, options.remote(self._wanted.command, self._wanted.variables))
        self._places[place.number] = place
        self._do(self._carry(place))

    async def _carry(self, place: Place) -> None:
        """Run the node of a place until it is lost."""
        try:
            try:
                begun = await self._answer(place.actor.begin)
                place.name = self._named(begun.address)
                place.machine = begun.machine
                self._introduce(place)
                self._changed.set()
                sending = asyncio.ensure_future(self._send(place))
                try:
                    await self._fetch(place)
                finally:
                    sending.cancel()
            except RayError as error:
                await self._lose(place, error)
        finally:
            await self._leave(place)

    def _named(self, address: str) -> str:
        """Return a name for a node: that of its machine, and a number that no other node there has."""
        names = {place.name for place in self._places.values()}
        return next(
            name for number in range(1, len(names) + 2) if (name := f"{address}/{number}") not in names
        )

    def _introduce(self, place: Place) -> None:
        told = {"name": place.name, "places": self._wanted.places}
        self._tell(packed(Kind.NODE, place.number, told))

    async def _send(self, place: Place) -> None:
        with contextlib.suppress(RayError):  # of an actor that is lost, which is seen elsewhere
            while True:
                await place.bell.wait()
                place.bell.clear()
                _, first, messages = place.line.call
                if messages:
                    arrived = await self._answer(place.actor.take, first, messages)
                    place.line.take(Answer(arrived, (), more=False, ended=None))

    async def _fetch(self, place: Place) -> None:
        while place.line.lost is None:
            answer = await self._answer(place.actor.fetch, place.line.call.arrived)
            place.heard_at = time.monotonic()
            place.line.take(answer)
            for _ in answer.messages:
                self._tell(packed(Kind.MESSAGE, place.number, place.line.get()))

    async def _answer(self, method: Any, *arguments: Any) -> Any:
        """Call an actor; again, as the calls can be repeated, while it cannot be reached. Raise RayError once it is lost."""
        while True:
            try:
                return await method.remote(*arguments)
            except ActorUnavailableError:
                await asyncio.sleep(AGAIN_S)

    async def _lose(self, place: Place, error: RayError) -> None:
        """Note why an actor is lost, and not before the jobs of its node have ended."""
        if place.machine is None:
            place.name = "a machine of Ray"
            self._introduce(place)
            place.line.lose(f"its actor cannot be started: {_why(error)}")
            return
        alive = {each["NodeID"] for each in await asyncio.to_thread(ray.nodes) if each["Alive"]}
        if place.machine not in alive and not place.is_closing:
            # It may have lost its network only. Then its node notices, which hears nothing.
            await asyncio.sleep(max(0.0, place.heard_at + self._wanted.hold_s - time.monotonic()))
        place.line.lose(f"its actor has gone: {_why(error)}")

    async def _leave(self, place: Place) -> None:
        """Say that a node is lost, and let another one take the room, unless this one is closed, which does that itself."""
        place.line.lose("the sweep has ended")
        if place.name:
            self._tell(packed(Kind.LOST, place.number, place.line.lost or ""))
        if not place.is_closing:
            self._let_go(place)

    def _let_go(self, place: Place) -> None:
        """Let another node take the room, unless none is to come there; later if nodes end at once."""
        if place.is_closed or self._places.pop(place.number, None) is None:
            return
        with contextlib.suppress(RayError):
            ray.kill(place.actor)
        is_quick = time.monotonic() - place.made_at < AT_ONCE_S
        self._falls = self._falls + 1 if is_quick else 0
        if self._falls:
            self._not_before = time.monotonic() + min(MOST_WAIT_S, 2.0**self._falls)
        self._changed.set()

    async def _close(self, place: Place) -> None:
        place.line.lose("it was closed")
        with contextlib.suppress(RayError, TimeoutError):
            await asyncio.wait_for(self._answer(place.actor.close), CLOSES_WITHIN_S)
        self._tell(packed(Kind.CLOSED, place.number))
        self._let_go(place)

    async def _end_earlier(self) -> None:
        """End what an earlier session of the sweep has left: no two processes may run one job."""
        names = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        await asyncio.gather(
            *(
                self._end_one(each["name"])
                for each in names
                if each["namespace"] == NAMESPACE
                and each["name"].rsplit(":", 2)[0] == self._wanted.command.sweep
            )
        )

    async def _end_one(self, name: str) -> None:
        with contextlib.suppress(RayError, ValueError, TimeoutError):  # ValueError: it has gone meanwhile
            actor = ray.get_actor(name, NAMESPACE)
            await asyncio.wait_for(_awaited(actor.close.remote()), ENDED_WITHIN_S)
            ray.kill(actor)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)


async def _awaited(reference: Any) -> Any:
    return await reference


def _why(error: RayError) -> str:
    """Return the first line of an error of Ray's that says something of its own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1] if lines else type(error).__name__)
