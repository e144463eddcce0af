"""Room in a Ray cluster as places for nodes: an actor each, which waits until Ray has room for it. All of it runs in one event loop.

An actor takes what the jobs of its node need, so Ray's own scheduler places it, its autoscaler sees that room is wanted, and nothing
else of the cluster's gets that room.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import asdict
from typing import Any, NamedTuple

import ray
from ray.exceptions import ActorUnavailableError, RayError

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines import ray_actor
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.backoff import Backoff
from sweeps.executor.engines.line import Line
from sweeps.executor.engines.ray_pipe import Kind, packed
from sweeps.executor.failure_text import one_line, summary

NAMESPACE = "podium"
LOOK_EVERY_S = 1.0  # how often it is seen whether another actor may be asked for
NEVER_RAN = "The actor never ran"  # what Ray says of one that it takes out of a queue
STARTS_WITHIN_S = 60.0  # how long an actor that has room counts as one that starts
AGAIN_S = 0.5  # between calls that fail
CLOSES_WITHIN_S = 25.0  # how long an actor may take to end its process
ENDED_WITHIN_S = 60.0  # ... if an earlier session has left it


ray.cloudpickle.register_pickle_by_value(ray_actor)


class Wanted(NamedTuple):
    """The nodes to start: what an actor takes of Ray, how many there are at most, and what their processes get.

    A node that hears nothing from here has ended its jobs after `hold_s`.
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
        self.made_at = time.monotonic()
        self.told_at = self.made_at  # when its node may have heard something last
        self.is_refused = False  # whether its machine can run no node
        self.is_leaving = False  # whether its machine is taken back
        self.has_room = True  # whether its machine is there for another node
        self.is_closed = False  # whether no other node is to come there
        self.closing: asyncio.Task[None] | None = None

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
        self._backoff = Backoff()
        # Room for nodes that are to come: by the number of the node that had it, or below 0, until when it counts.
        self._room: dict[int, float] = {}
        self._told = 0  # how much of it the sweep knows of

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
        until = time.monotonic() + STARTS_WITHIN_S
        self._room = {-number: until for number in range(1, min(first, self._wanted.nodes or first) + 1)}
        while True:
            while self._has_room_for_more(first):
                self._ask()
            self._tell_starting()
            await self._let_leave()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):  # `wait_for` of Python 3.11 may lose a cancellation
                    await self._changed.wait()

    def send(self, number: int, message: bytes) -> None:
        """Send a message to a node; one to a lost node goes nowhere."""
        place = self._places.get(number)
        if place is not None and place.line.lost is None:
            place.line.put(message)
            place.bell.set()

    def close(self, number: int, *, for_good: bool) -> None:
        """End a node by force. `for_good` lets its actor keep the room: no other node is to come there."""
        place = self._places.get(number)
        if place is None:
            if for_good:
                self._room.pop(number, None)
                self._tell_starting()
            self._tell(packed(Kind.CLOSED, number))
            return
        place.is_closed = place.is_closed or for_good
        if place.closing is None:
            place.closing = self._do(self._close(place))

    async def end(self) -> None:
        """End all nodes."""
        for task in self._carrying:
            task.cancel()
        for place in self._places.values():
            place.is_closed = True
        await asyncio.gather(*(self._close(place) for place in self._places.values() if place.machine))
        for place in self._places.values():
            ray.kill(place.actor)

    def _has_room_for_more(self, first: int) -> bool:
        """Whether to ask for one more: as many as fit in the beginning, and then as many as have found room, one at least.

        So a cluster that grows is asked for more and more.
        """
        if self._backoff.left_s:
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

    def _tell_starting(self) -> None:
        """Tell for how many nodes that are to come there is room, when that changes."""
        now = time.monotonic()
        count = sum(until > now for until in self._room.values())
        if count != self._told:
            self._told = count
            self._tell(packed(Kind.STARTING, body=str(count)))

    def _ask(self) -> None:
        self._count += 1
        request = dict(self._wanted.request)
        cpus, gpus = request.pop("CPU", 0.0), request.pop("GPU", 0.0)
        options = ray.remote(ray_actor.NodeActor).options(
            name=f"{self._wanted.command.sweep}:{self._count}:{time.time_ns()}",
            namespace=NAMESPACE,
            num_cpus=cpus,
            num_gpus=gpus,
            resources=request,
            max_restarts=0,
            max_task_retries=0,
        )
        place = Place(self._count, options.remote(asdict(self._wanted.command), self._wanted.variables))
        self._places[place.number] = place
        self._do(self._carry(place))

    async def _carry(self, place: Place) -> None:
        """Run the node of a place until it is lost, whatever Ray raises: through `ray://` also errors of connections."""
        try:
            (error,) = await asyncio.gather(self._run(place), return_exceptions=True)
            if error is not None:
                await self._lose(place, error)
        finally:
            await self._leave(place)

    async def _run(self, place: Place) -> None:
        machine, address, refusal = await self._answer(place.actor.begin)
        place.name = self._named(address)
        place.machine = machine
        self._introduce(place)
        self._changed.set()
        if refusal is not None:
            place.is_refused = place.is_closed = True
            place.line.lose(refusal)
            return
        sending = asyncio.ensure_future(self._send(place))
        try:
            await self._fetch(place)
        finally:
            sending.cancel()

    def _named(self, address: str) -> str:
        """Return a name for a node: that of its machine, and a number that no other node there has."""
        names = {place.name for place in self._places.values()}
        return next(
            name for number in range(1, len(names) + 2) if (name := f"{address}/{number}") not in names
        )

    def _introduce(self, place: Place) -> None:
        told = {"name": place.name, "places": self._wanted.places}
        self._tell(packed(Kind.NODE, place.number, told))
        if self._room:
            del self._room[min(self._room, key=self._room.__getitem__)]
            self._tell_starting()

    async def _send(self, place: Place) -> None:
        with contextlib.suppress(Exception):  # of an actor that is lost, which is seen elsewhere
            while True:
                await place.bell.wait()
                place.bell.clear()
                _, first, messages = place.line.call
                if messages:
                    place.told_at = time.monotonic()
                    arrived = await self._answer(place.actor.take, first, messages)
                    place.told_at = time.monotonic()
                    place.line.take(Answer(arrived, (), more=False, ended=None))

    async def _fetch(self, place: Place) -> None:
        while place.line.lost is None:
            answer = await self._answer(place.actor.fetch, place.line.call.arrived)
            if place.line.lost is None:  # it may have been closed meanwhile
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

    async def _lose(self, place: Place, error: BaseException) -> None:
        """Note why an actor is lost, and not before the jobs of its node have ended."""
        if place.machine is None and NEVER_RAN in str(error):
            return  # its machine is taken back, or was lost, before it had begun
        if place.machine is None:
            place.name = "a machine of Ray"
            self._introduce(place)
            place.line.lose(f"its actor cannot be started: {_why(error)}")
            return
        place.has_room = False
        with contextlib.suppress(Exception):  # Ray may not answer at all
            machines = await asyncio.to_thread(ray.nodes)
            place.has_room = any(each["NodeID"] == place.machine and each["Alive"] for each in machines)
        if not place.has_room and place.line.lost is None:
            # It may have lost its network only. Then its node notices, which hears nothing.
            await asyncio.sleep(max(0.0, place.told_at + self._wanted.hold_s - time.monotonic()))
        place.line.lose(
            f"its actor {'has gone' if isinstance(error, RayError) else 'cannot be reached'}: {_why(error)}"
        )

    async def _leave(self, place: Place) -> None:
        """Let another node take the room, unless none is to; later if nodes end at once."""
        if place.closing is not None:
            await asyncio.wait([place.closing])
        place.line.lose("the sweep has ended")
        if not place.is_closed:
            self._let_go(place)
        if place.name:
            kind = Kind.REFUSED if place.is_refused else Kind.LOST
            self._tell(packed(kind, place.number, place.line.lost or ""))

    def _let_go(self, place: Place) -> None:
        del self._places[place.number]
        with contextlib.suppress(Exception):
            ray.kill(place.actor)
        if place.name and not place.is_leaving:
            self._backoff.note_loss(place.made_at)
            if place.has_room:
                self._room[place.number] = time.monotonic() + self._backoff.left_s + STARTS_WITHIN_S
        self._tell_starting()
        self._changed.set()

    async def _let_leave(self) -> None:
        """Have the nodes stop their jobs gently whose machines Ray takes back."""
        running = [
            place for place in self._places.values() if place.machine is not None and place.line.lost is None
        ]
        if running:
            taken_back = await asyncio.to_thread(_taken_back)
            for place in running:
                if place.machine in taken_back and not place.is_leaving:
                    place.is_leaving = True
                    self._do(self._send_off(place))

    async def _send_off(self, place: Place) -> None:
        with contextlib.suppress(Exception):  # of an actor that is lost, which is seen elsewhere
            await self._answer(place.actor.leave)

    async def _close(self, place: Place) -> None:
        place.line.lose("it was closed")
        with contextlib.suppress(Exception):  # it has gone, or Ray has
            try:
                await asyncio.wait_for(self._answer(place.actor.close), CLOSES_WITHIN_S)
            except TimeoutError:
                if not place.is_closed:
                    ray.kill(place.actor)  # it hangs, or its machine is cut off
        self._tell(packed(Kind.CLOSED, place.number))

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
        with contextlib.suppress(RayError, ValueError):  # ValueError: it has gone meanwhile
            actor = ray.get_actor(name, NAMESPACE)
            with contextlib.suppress(RayError, TimeoutError):  # it hangs, or is cut off
                await asyncio.wait_for(_awaited(actor.close.remote()), ENDED_WITHIN_S)
            ray.kill(actor)

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        return task


async def _awaited(reference: Any) -> Any:
    return await reference


def _taken_back() -> Collection[str]:
    """Return the ids of the machines that Ray drains before they end, as its own libraries do; none if it cannot say."""
    try:
        draining: Collection[str] = ray._private.state.state.get_draining_nodes()
    except (AttributeError, RayError):  # of another version, or through a `ray://` address
        return ()
    return draining


def _why(error: BaseException) -> str:
    """Return an error as one line: of Ray's own errors the last one, which says what is special."""
    if not isinstance(error, RayError):
        return summary(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1] if lines else type(error).__name__)
