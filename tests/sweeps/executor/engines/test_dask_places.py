"""When nodes on the workers of a Dask cluster are given up, and when others are to come. The client of Dask is a stand-in, which fails as a test says."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.engines import backoff, dask_places
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.dask_endings import has_ended
from sweeps.executor.engines.dask_places import Place, Places

WORKER = "tcp://worker:1"
PATIENCE_S = 20.0
IDLE = Answer(0, (), more=False, ended=None)


class FakeTask:
    """The task of a node, of which a client knows its `status`."""

    status = "pending"

    async def exception(self) -> Exception | None:
        return RuntimeError("no thread is left") if self.status == "error" else None

    def add_done_callback(self, done: Callable[[Any], None]) -> None:
        self.done = done

    def release(self) -> None:
        """Do nothing."""

    def end(self, status: str) -> None:
        """Come to an end."""
        self.status = status
        self.done(self)


class FakeClient:
    """A client of a cluster with one worker, on which nodes begin at once; `answer` is what each call of a node gives."""

    status = "running"
    scheduler = "the scheduler"

    def __init__(self, answer: Callable[[], Coroutine[Any, Any, Answer | None]]) -> None:
        self.loop = SimpleNamespace(add_callback=lambda call: call())
        self.workers = {WORKER: 1}
        self.tasks = list[FakeTask]()
        self.looks: asyncio.Queue[None] = asyncio.Queue()
        self.refuses = False
        self.answer = answer

    def subscribe_topic(self, _topic: str, ring: Callable[[tuple[float, str]], None]) -> None:
        self._ring = ring

    async def nthreads(self) -> dict[str, int]:
        self.looks.put_nowait(None)
        return dict(self.workers)

    def submit(self, _tend: Any, node: str, *_: Any, **__: Any) -> FakeTask:
        self.tasks.append(FakeTask())
        asyncio.get_running_loop().call_soon(lambda: self._ring((0.0, node)))
        return self.tasks[-1]

    async def run(self, function: Any, *_: Any, workers: list[str], **__: Any) -> dict[str, Any]:
        answer = await self.answer() if function is dask_places.exchange else None
        return dict.fromkeys(workers, answer)

    async def run_on_scheduler(self, _function: Any, _address: str) -> bool:
        return self.refuses


class Watched:
    """The places of a client, watched; `found` gets each."""

    def __init__(self, client: FakeClient) -> None:
        self.found: asyncio.Queue[Place] = asyncio.Queue()
        self.places = Places(client, NodeCommand("sweep", ()), self.found.put_nowait)  # type: ignore[arg-type]

    async def __aenter__(self) -> "Watched":
        self._watching = asyncio.ensure_future(self.places.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await self.places.end()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_EVERY_S", "AGAIN_S", "GONE_AFTER_S"):
        monkeypatch.setattr(dask_places, name, 0.01)
    monkeypatch.setattr(backoff, "MOST_WAIT_S", 0.01)


def within(work: Coroutine[Any, Any, None]) -> None:
    """Run a test in a loop, but not for ever."""

    async def run() -> None:
        await asyncio.wait_for(work, PATIENCE_S)

    asyncio.run(run())


async def idle() -> Answer:
    return IDLE


def test_a_node_on_a_worker_that_is_cut_off_is_kept_until_the_worker_has_ended() -> None:
    async def test() -> None:
        calls: asyncio.Queue[None] = asyncio.Queue()

        async def silent() -> Answer:
            calls.put_nowait(None)
            return await asyncio.Event().wait() and IDLE

        client = FakeClient(idle)
        async with Watched(client) as watched:
            place = await watched.found.get()
            client.answer = silent
            client.workers.clear()
            for _ in range(3):
                await calls.get()
            assert place.line.lost is None
            client.refuses = True
            with pytest.raises(NodeLostError, match=r"^its Dask worker has gone$"):
                await asyncio.to_thread(place.line.get)

    within(test())


def test_a_call_that_waits_as_the_worker_is_killed_does_not_hide_that() -> None:
    async def test() -> None:
        called = asyncio.Event()

        async def silent() -> Answer:
            called.set()
            return await asyncio.Event().wait() and IDLE

        client = FakeClient(idle)
        async with Watched(client) as watched:
            place = await watched.found.get()
            client.answer = silent
            place.bell.set()
            await called.wait()
            client.refuses = True
            client.workers.clear()
            with pytest.raises(NodeLostError, match=r"^its Dask worker has gone$"):
                await asyncio.to_thread(place.line.get)

    within(test())


def test_a_node_that_runs_is_kept_whatever_a_call_of_it_raises() -> None:
    async def test() -> None:
        answers: list[Answer | Exception] = [
            IDLE,
            AttributeError("'NoneType' object has no attribute 'broadcast'"),
            OSError("the stream is closed"),
            Answer(0, (b"still here",), more=False, ended=None),
        ]

        async def one_of_them() -> Answer:
            answer = answers.pop(0) if answers else IDLE
            if isinstance(answer, Exception):
                raise answer
            return answer

        async with Watched(FakeClient(one_of_them)) as watched:
            place = await watched.found.get()
            place.bell.set()
            assert await asyncio.to_thread(place.line.get) == b"still here"

    within(test())


def test_a_worker_has_ended_when_its_machine_refuses_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "tcp://{}:{}".format(*server.getsockname())
        assert not asyncio.run(has_ended(address))  # nobody answers, as it hangs
    assert asyncio.run(has_ended(address))


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("error", "RuntimeError: no thread is left"),
        ("cancelled", "Dask has cancelled its task"),
        ("lost", "Dask has lost its task"),
        ("finished", "Dask has finished its task"),
    ],
)
def test_a_place_whose_task_ends_before_its_node_has_begun_gets_another_one(status: str, why: str) -> None:
    async def test() -> None:
        calls: asyncio.Queue[None] = asyncio.Queue()

        async def unknown() -> None:
            calls.put_nowait(None)

        client = FakeClient(unknown)
        async with Watched(client) as watched:
            await calls.get()
            client.tasks[0].end(status)
            place = await watched.found.get()
            with pytest.raises(NodeLostError, match=f"^it cannot be started: {why}$"):
                place.line.get()
            client.answer = idle
            assert (await watched.found.get()).line.lost is None

    within(test())


def test_a_node_is_to_come_from_the_loss_of_the_one_before_until_the_sweep_has_it() -> None:
    async def test() -> None:
        client = FakeClient(idle)
        async with Watched(client) as watched:
            for _ in range(2):
                place = await watched.found.get()
                assert watched.places.is_starting
                place.is_taken = True
                assert not watched.places.is_starting
                place.lose("its process ended with exit code 1")
                assert watched.places.is_starting
            client.workers.clear()
            client.looks = asyncio.Queue()
            for _ in range(2):  # the first may have begun before
                await client.looks.get()
            assert not watched.places.is_starting

    within(test())


@pytest.mark.parametrize("turns", range(5))
def test_no_node_is_called_after_the_end_whatever_happens_just_before(turns: int) -> None:
    async def test() -> None:
        before = asyncio.all_tasks()
        async with Watched(FakeClient(idle)) as watched:
            place = await watched.found.get()
            await asyncio.sleep(0.01)
            place.bell.set()
            for _ in range(turns):
                await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    within(test())
