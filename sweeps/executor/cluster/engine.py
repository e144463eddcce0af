"""The contract between a sweep and an engine, which starts nodes and carries messages.

A node is a process that runs jobs on its machine as `sweeps.executor.local` does. An engine knows nothing of jobs: it starts a
process where there is room, carries bytes both ways, and says when the process has gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sweeps.errors import SweepError


class NodeLostError(SweepError):
    """A node has gone: its process has ended, was killed, or cannot be reached. The message says which, as far as known."""


class NodeRefusedError(NodeLostError):
    """A place can run no node, as the message says, and gets none any more."""


@dataclass(frozen=True)
class NodeCommand:
    """What an engine runs for each node, with the Python interpreter of the machine where it runs it.

    `arguments` follow the interpreter. `sweep` is the folder of the sweep: a cluster may serve several of one name. A process for
    the same folder that an earlier session has left in the same place is ended before. A node that gets SIGTERM has ended
    `leaves_within_s` seconds later: a place that is taken back in order waits so long for it.
    """

    sweep: str
    arguments: tuple[str, ...]
    leaves_within_s: float = 60.0


class Node(Protocol):
    """A node's process, as the sweep's process sees it.

    A message is up to 4 GiB of bytes. Messages arrive whole, once and in their order, or the node is lost.
    """

    name: str  # for people: the name or address of the place where it runs
    places: int | None  # how many jobs the engine has given it room for at once; None if it does not say

    def send(self, message: bytes) -> None:
        """Send a message. Any thread may call it. Raise `NodeLostError` once the node is known to be lost."""

    def receive(self) -> bytes:
        """Wait for the next message and return it. One thread calls it. Raise `NodeLostError` when none can come any more.

        What the process has sent before its end is returned first.
        """

    def close(self, *, for_good: bool = False) -> None:
        """End the process and all that it started, by force, and wait until it has gone, if its machine can be reached.

        With `for_good` its place gets no other node. Without, as when a node is silent, it gets one once it can. A `receive`
        that waits in another thread raises `NodeLostError`. May be called again, and from any thread.
        """


class Engine(Protocol):
    """Starts nodes."""

    name: str  # for people: "Dask"
    packages: tuple[str, ...]  # those that it has loaded into this process, which jobs do not need

    def nodes(self, command: NodeCommand) -> Iterator[Node]:
        """Start a node in each place that the engine has, and yield it; wait for further places, until `close`.

        A place that comes later, while the sweep runs, gets a node too. So does one whose node was lost or closed while the place
        is still there; one whose node was closed for good gets none. One thread iterates. Raise `SweepError` if the engine itself
        fails, as when the cluster is gone. A node that cannot be started is yielded all the same, and is lost from the beginning:
        its `receive` raises `NodeRefusedError` if none can ever start there.
        """

    @property
    def is_starting(self) -> bool:
        """Whether a node is to come in a place that the engine has. It counts as coming until the iteration is asked for the next.

        The sweep calls it from any thread, when it has no node and places were refused; while it is true the sweep goes on.
        """

    def close(self) -> None:
        """Start no more nodes, end the iteration in the other thread, and let go of what the engine holds.

        End clusters that it started itself, and no others. Nodes are closed before. May be called again, and from any thread.
        """
