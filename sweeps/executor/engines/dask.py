"""The engine that starts its nodes on the workers of a Dask cluster, one on each."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import Node, NodeCommand
from sweeps.executor.failure_text import summary

if TYPE_CHECKING:  # they import Dask, which takes seconds
    from sweeps.executor.engines.dask_places import Place, Places

CLOSE_WITHIN_S = 30.0  # how long a worker may take to end the process of a node
PACKAGES = "dask distributed importlib_metadata lazy_importer locket msgpack sortedcontainers tblib tlz toolz tornado zict zipp"


class Connection(NamedTuple):
    """A client of a cluster, a `distributed.Client`, and what lets go of both."""

    client: Any
    close: Callable[[], None]

    def run(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Have something done in the loop of the client."""
        return asyncio.run_coroutine_threadsafe(work, self.client.loop.asyncio_loop)


class DaskEngine:
    """An `Engine` on the workers of a cluster.

    `connect` finds or starts the cluster, which is `named` so in messages. It is called in a thread when the engine is made; what it
    raises, `nodes` raises as a `SweepError`. All else happens in the loop of the client: see `sweeps.executor.engines.dask_places`.
    """

    name = "Dask"
    packages: tuple[str, ...] = tuple(PACKAGES.split())

    def __init__(self, connect: Callable[[], Connection], named: str = "the cluster") -> None:
        self._named = named
        self._places: Places | None = None
        self._watching: Future[None] | None = None
        self._found: queue.SimpleQueue[_DaskNode | SweepError | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # held while places are made, and while all is closed
        self._is_closed = False
        thread = ThreadPoolExecutor(1, "podium-dask")
        self._connecting = thread.submit(connect)
        thread.shutdown(wait=False)

    def nodes(self, command: NodeCommand) -> Iterator[Node]:
        """Yield a node on each worker that the cluster has or gets; see `Engine`."""
        fault = self._connecting.exception()
        if fault is not None:
            raise SweepError(f"{self._named}: Dask cannot use it: {summary(fault)}") from fault
        from sweeps.executor.engines.dask_places import Places

        with self._lock:
            if not self._is_closed:
                connection = self._connecting.result()
                self._places = Places(connection.client, command, self._yield)
                self._watching = connection.run(self._places.watch())
                self._watching.add_done_callback(self._fail)
        while (found := self._found.get()) is not None:
            if isinstance(found, SweepError):
                raise found
            yield found
            found.place.is_taken = True

    @property
    def is_starting(self) -> bool:
        """Whether a node is to come; see `Engine`."""
        return self._places is not None and self._places.is_starting

    def close(self) -> None:
        """End the iteration and let go of the cluster; see `Engine`."""
        self._found.put(None)
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._watching is not None:
                self._watching.cancel()
            if self._connecting.exception() is None:
                with contextlib.closing(self._connecting.result()) as connection:
                    if self._places is not None:
                        _wait(connection.run(self._places.end()))

    def close_node(self, place: "Place", *, for_good: bool) -> None:
        """End a node by force; see `Node`."""
        if self._places is not None and not self._is_closed:
            _wait(self._connecting.result().run(self._places.close(place, for_good=for_good)))
        place.lose("it was closed")

    def ring(self, place: "Place") -> None:
        """Have a node called, because there is something to send."""
        self._connecting.result().client.loop.add_callback(place.bell.set)

    def _yield(self, place: "Place") -> None:
        self._found.put(_DaskNode(self, place))

    def _fail(self, watching: "Future[None]") -> None:
        """End the sweep with what has ended the watch: otherwise it would wait for ever."""
        fault = None if watching.cancelled() else watching.exception()
        if fault is not None:
            self._found.put(fault if isinstance(fault, SweepError) else SweepError(f"Dask: {summary(fault)}"))


class _DaskNode:
    """A node on a worker; see `Node`."""

    def __init__(self, engine: DaskEngine, place: "Place") -> None:
        self.name = place.name
        self.places: int | None = place.threads
        self.place = place
        self._engine = engine

    def send(self, message: bytes) -> None:
        self.place.line.put(message)
        self._engine.ring(self.place)

    def receive(self) -> bytes:
        return self.place.line.get()

    def close(self, *, for_good: bool = False) -> None:
        self._engine.close_node(self.place, for_good=for_good)


def _wait(ending: "Future[None]") -> None:
    """Wait, in another thread than the client's, until something has ended; not for ever, as its worker may hang."""
    with contextlib.suppress(TimeoutError):
        ending.result(CLOSE_WITHIN_S)
