"""How the actors of nodes are given up. Ray is a stand-in here, whose actors do what a test says."""

import asyncio
import gc
import importlib
import sys
from collections.abc import Callable, Coroutine, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sweeps.executor import engines
from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.ray_pipe import Kind, Told, unpacked

MODULE = "sweeps.executor.engines.ray_places"
PATIENCE_S = 20.0


class RayError(Exception):
    """What Ray raises."""


class ActorUnavailableError(RayError):
    """What Ray raises of an actor that may come back."""


class FakeRay(ModuleType):
    """Ray with one machine, on which there is room for what `actor` is."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.cloudpickle = SimpleNamespace(register_pickle_by_value=lambda _module: None)
        self.util = SimpleNamespace(list_named_actors=lambda **_: self.named)
        self.named = list[dict[str, str]]()
        self.alive = ["machine"]
        self.killed = list[Any]()
        self.kill = self.killed.append
        self.actor: Any = None

    def get_actor(self, name: str, _namespace: str) -> Any:
        raise ValueError(name)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": each, "Alive": True} for each in self.alive]

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def remote(self, _class: type) -> Any:
        made = SimpleNamespace(remote=lambda *_: self.actor)
        return SimpleNamespace(options=lambda **_: made)


class Method:
    """A method of an actor."""

    def __init__(self, call: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self.remote = call


class FakeActor:
    """An actor whose node begins at once and is idle; a test puts other methods in their places."""

    def __init__(self) -> None:
        self.begin = Method(self._begin)
        self.fetch = Method(self.never)
        self.take = Method(self._take)
        self.close = Method(self._nothing)

    async def never(self, *_: Any) -> Any:
        await asyncio.Event().wait()

    async def _begin(self) -> tuple[str, str, None]:
        return "machine", "10.0.0.1", None

    async def _take(self, first: int, messages: tuple[bytes, ...]) -> int:
        return first + len(messages) - 1

    async def _nothing(self) -> None:
        pass


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    """Put a stand-in in the place of Ray, whether that is installed or not."""
    ray, exceptions = FakeRay(), ModuleType("ray.exceptions")
    vars(exceptions).update(RayError=RayError, ActorUnavailableError=ActorUnavailableError)
    for name, module in (("ray", ray), ("ray.exceptions", exceptions)):
        monkeypatch.setitem(sys.modules, name, module)
    earlier = sys.modules.pop(MODULE, None)
    yield ray
    sys.modules.pop(MODULE, None)
    vars(engines).pop("ray_places", None)
    if earlier is not None:
        sys.modules[MODULE] = earlier
        vars(engines)["ray_places"] = earlier


class Watched:
    """The places of a Ray, watched; what they tell is in `told`."""

    def __init__(self, hold_s: float = 0.0) -> None:
        self.module: Any = importlib.import_module(MODULE)
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.hold_s = hold_s

    async def __aenter__(self) -> "Watched":
        self.loop = asyncio.get_running_loop()
        self.faults = list[Any]()
        self.loop.set_exception_handler(lambda _loop, context: self.faults.append(context))
        wanted = self.module.Wanted(NodeCommand("sweep", ()), {"CPU": 1.0}, 1, 1, {}, self.hold_s)
        self.places = self.module.Places(wanted, lambda message: self.told.put_nowait(unpacked(message)))
        self.watching = asyncio.ensure_future(self.places.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.watching.cancel()
        await self.places.end()

    async def next(self, *kinds: Kind) -> Told:
        """Wait for what is told next of these kinds."""
        while (told := await self.told.get()).kind not in kinds:
            pass
        return told


def within(work: Coroutine[Any, Any, None]) -> None:
    """Run a test in a loop, but not for ever."""

    async def run() -> None:
        await asyncio.wait_for(work, PATIENCE_S)

    asyncio.run(run())


def test_a_node_of_a_lost_machine_is_held_from_the_last_message_that_it_may_have_got(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        actor = ray.actor = FakeActor()
        dies, arrives, slept = asyncio.Event(), asyncio.Event(), list[float]()

        async def fetch(_arrived: int) -> Answer:
            await dies.wait()
            raise RayError("The actor died because its node has died.")

        async def take(_first: int, _messages: tuple[bytes, ...]) -> int:
            arrives.set()
            return await actor.never()

        actor.fetch, actor.take = Method(fetch), Method(take)
        async with Watched(hold_s=100.0) as watched:
            now = 1000.0
            clock = SimpleNamespace(monotonic=lambda: now, time_ns=lambda: 0)
            monkeypatch.setattr(watched.module, "time", clock)
            node = (await watched.next(Kind.NODE)).node
            now += 500.0
            watched.places.send(node, b"ping")
            await arrives.wait()
            ray.alive.clear()
            now += 1.0
            with monkeypatch.context() as patch:
                patch.setattr(asyncio, "sleep", hold := Held())
                dies.set()
                slept.append(await hold.seconds.get())
            hold.over.set()
            assert (await watched.next(Kind.LOST)).text.startswith("its actor has gone")
        assert slept == [99.0]

    within(test())


class Held:
    """A sleep that takes as long as a test says."""

    def __init__(self) -> None:
        self.seconds: asyncio.Queue[float] = asyncio.Queue()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.put_nowait(seconds)
        await self.over.wait()


def test_an_actor_of_an_earlier_session_that_hangs_is_killed(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        hung, ray.actor = FakeActor(), FakeActor()
        hung.close = Method(hung.never)
        ray.named = [
            {"name": "sweep:1:1", "namespace": "podium"},
            {"name": "other:1:1", "namespace": "podium"},
        ]
        monkeypatch.setattr(ray, "get_actor", lambda name, _namespace: {"sweep:1:1": hung}[name])
        watched = Watched()
        monkeypatch.setattr(watched.module, "ENDED_WITHIN_S", 0.01)
        async with watched:
            await watched.next(Kind.NODE)
            assert ray.killed == [hung]

    within(test())


def test_a_node_that_cannot_be_reached_is_lost_with_the_reason_whatever_is_raised(ray: FakeRay) -> None:
    async def test() -> None:
        actor = ray.actor = FakeActor()

        async def fetch(_arrived: int) -> Answer:
            raise ConnectionError("the channel is closed")

        actor.fetch = Method(fetch)
        async with Watched() as watched:
            told = await watched.next(Kind.LOST)
            assert told.text == "its actor cannot be reached: ConnectionError: the channel is closed"

    within(test())


def test_a_message_that_comes_while_its_node_is_closed_goes_nowhere(ray: FakeRay) -> None:
    async def test() -> None:
        actor = ray.actor = FakeActor()
        fetching, closing = asyncio.Event(), asyncio.Event()

        async def fetch(_arrived: int) -> Answer:
            fetching.set()
            await closing.wait()
            return Answer(0, (b"too late",), more=False, ended=None)

        async def close() -> None:
            closing.set()

        actor.fetch, actor.close = Method(fetch), Method(close)
        async with Watched() as watched:
            node = (await watched.next(Kind.NODE)).node
            await fetching.wait()
            watched.places.close(node, for_good=False)
            told = await watched.next(Kind.MESSAGE, Kind.LOST)
            assert (told.kind, told.text) == (Kind.LOST, "it was closed")
        gc.collect()
        assert watched.faults == []

    within(test())


@pytest.mark.parametrize("turns", range(5))
def test_no_actor_is_asked_for_after_the_end_whatever_happens_just_before(ray: FakeRay, turns: int) -> None:
    async def test() -> None:
        ray.actor = FakeActor()
        async with Watched() as watched:
            await watched.next(Kind.NODE)
            changed = watched.places._changed
            while not changed._waiters:
                await asyncio.sleep(0.001)
            changed.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            watched.watching.cancel()
            await asyncio.wait([watched.watching], timeout=PATIENCE_S / 4)
            assert watched.watching.cancelled()

    within(test())
