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
    """A node in a place of an engine."""

    def __init__(self, command: NodeCommand, place: Place, engine: "ProcessEngine") -> None:
        self._engine = engine
        super().__init__(command, place.name, place.places, variables=place.variables)

    def close(self, *, for_good: bool = False) -> None:
        """End it; see `Node`."""
        if for_good:
            self._engine.give_up(self.name)
        super().close()


class ProcessEngine:
    """A `sweeps.executor.cluster.engine.Engine`, with a node in each of its places, which have different names. More may be added."""

    name = "the engine of processes"
    packages: tuple[str, ...] = ()

    def __init__(self, *places: Place) -> None:
        self._waiting = [*places]
        self._nodes: list[tuple[Place, _PlacedNode]] = []
        self._given_up = set[str]()  # names of places
        self._is_yielding = False
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

    def give_up(self, name: str) -> None:
        """Start no more nodes in a place."""
        with self._lock:
            self._given_up.add(name)
            self._waiting = [place for place in self._waiting if place.name != name]

    @property
    def is_starting(self) -> bool:
        """Whether a node is to come; see `Engine`."""
        with self._lock:
            self._free_places()
            return self._is_yielding or bool(self._waiting)

    def nodes(self, command: NodeCommand) -> Iterator[_PlacedNode]:
        """Start a node in each place, and yield it; see `Engine`."""
        while not self._closed.is_set():
            place = self._next_place()
            if place is None:
                self._closed.wait(POLL_S)
                continue
            node = _PlacedNode(command, place, self)
            with self._lock:
                self._nodes.append((place, node))
            yield node
            self._is_yielding = False

    def close(self) -> None:
        """Start no more nodes."""
        self._closed.set()

    def _next_place(self) -> Place | None:
        with self._lock:
            self._free_places()
            self._is_yielding = bool(self._waiting)
            return self._waiting.pop(0) if self._waiting else None

    def _free_places(self) -> None:
        for place, node in [*self._nodes]:
            if not node.is_running:
                self._nodes.remove((place, node))
                if place.name not in self._given_up:
                    self._waiting.append(place)
