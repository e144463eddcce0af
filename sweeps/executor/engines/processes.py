"""An engine on this machine alone: each node is a process that it starts. It shows the contract of an engine, and tests it."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess

POLL_S = 0.05


@dataclass(frozen=True)
class Place:
    """A place for a node: its name, how many jobs it runs at once, and variables that its process gets."""

    name: str
    places: int | None = 1
    variables: Mapping[str, str] | None = None


class _PlacedNode(NodeProcess):
    """A node in a place, which `was_closed` if the sweep wants no other one there."""

    was_closed = False

    def close(self) -> None:
        """Let no other node take its place, and end it."""
        self.was_closed = True
        super().close()


class ProcessEngine:
    """A `sweeps.executor.cluster.engine.Engine`, with a node in each of its places. Places may be added while it runs."""

    name = "the engine of processes"
    packages: tuple[str, ...] = ()

    def __init__(self, *places: Place) -> None:
        self._waiting = [*places]
        self._nodes: list[tuple[Place, _PlacedNode]] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @property
    def running(self) -> list[NodeProcess]:
        """The nodes that run."""
        with self._lock:
            return [node for _, node in self._nodes]

    def add(self, place: Place) -> None:
        """Add a place for a node."""
        with self._lock:
            self._waiting.append(place)

    def nodes(self, command: NodeCommand) -> Iterator[NodeProcess]:
        """Start a node in each place, and yield it; see `Engine`."""
        while not self._closed.is_set():
            place = self._next_place()
            if place is None:
                self._closed.wait(POLL_S)
                continue
            node = _PlacedNode(command, place.name, place.places, variables=place.variables)
            with self._lock:
                self._nodes.append((place, node))
            yield node

    def close(self) -> None:
        """Start no more nodes."""
        self._closed.set()

    def _next_place(self) -> Place | None:
        with self._lock:
            for place, node in [*self._nodes]:
                if not node.is_running:
                    self._nodes.remove((place, node))
                    if not node.was_closed:
                        self._waiting.append(place)
            return self._waiting.pop(0) if self._waiting else None
