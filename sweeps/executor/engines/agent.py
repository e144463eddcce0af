"""A node's process on the machine where it runs, for an engine whose calls reach that machine one at a time.

Messages wait here until a call brings them or fetches them. They are numbered from 1 in each direction, and each call says how
many have arrived: so a call whose answer was lost is made again, and no message is lost or taken twice.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from sweeps.executor.cluster.engine import NodeLostError

MOST_BYTES = 16 << 20  # of the messages in one answer, unless its first message is larger


class Process(Protocol):
    """The process of a node, as `sweeps.executor.cluster.node_process.NodeProcess` is. Each method waits."""

    def send(self, message: bytes) -> None:
        """Write a message to the process; raise `NodeLostError` when it has ended."""

    def receive(self) -> bytes:
        """Return the next message of the process; raise `NodeLostError` after the last one."""

    def close(self) -> None:
        """End the process and all that it started."""


class Answer(NamedTuple):
    """What an agent answers to a call: messages of the process, and how many messages to it have `arrived` by now.

    With `more`, another call fetches further messages at once. `ended` says why the process has ended, once there are none.
    """

    arrived: int
    messages: tuple[bytes, ...]
    more: bool
    ended: str | None


class Agent:
    """Keeps the process of a node, and the messages on their way to it and from it.

    `ring` is called in a thread of the agent's when there is something to fetch, and not again before that was fetched.
    """

    def __init__(self, process: Process, ring: Callable[[], None]) -> None:
        self._process = process
        self._ring = ring
        self._lock = threading.Lock()
        self._to_process: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._arrived = 0
        self._kept: deque[bytes] = (
            deque()
        )  # messages of the process; the first has the number after `_dropped`
        self._dropped = 0
        self._fetched = 0
        self._ended: str | None = None
        self._is_over = threading.Event()

    def carry(self, patience_s: float) -> None:
        """Take what the process sends until it ends; then wait for at most so long until all of it was fetched."""
        threading.Thread(target=self._write, name="podium-to-node", daemon=True).start()
        why = "its agent has failed"
        try:
            while True:
                self._keep(self._process.receive())
        except NodeLostError as error:
            why = str(error)
        finally:
            self._to_process.put(None)
            self._process.close()
            with self._lock:
                self._ended = why
            self._ring()
        self.await_end(patience_s)

    def exchange(self, arrived: int, first: int, messages: Sequence[bytes]) -> Answer:
        """Take messages to the process, numbered from `first` on; return those of the process after the first `arrived`."""
        with self._lock:
            self._take(first, messages)
            while self._dropped < arrived:
                self._kept.popleft()
                self._dropped += 1
            fetched = _at_most(MOST_BYTES, self._kept)
            self._fetched = self._dropped + len(fetched)
            if self._ended is not None and not fetched:
                self._is_over.set()
                return Answer(self._arrived, (), more=False, ended=self._ended)
            more = len(fetched) < len(self._kept) or self._ended is not None
            return Answer(self._arrived, tuple(fetched), more, None)

    def take(self, first: int, messages: Sequence[bytes]) -> int:
        """Take messages to the process, numbered from `first` on; return how many have arrived in all."""
        with self._lock:
            self._take(first, messages)
            return self._arrived

    def await_end(self, timeout_s: float) -> None:
        """Wait until the process has ended and all that it sent was fetched, but not longer than this."""
        self._is_over.wait(timeout_s)

    def close(self) -> None:
        """End the process by force and wait until it has gone; what it has sent is fetched no more."""
        self._process.close()
        self._is_over.set()

    def _take(self, first: int, messages: Sequence[bytes]) -> None:
        for number, message in enumerate(messages, start=first):
            if number == self._arrived + 1:
                self._arrived = number
                self._to_process.put(message)

    def _keep(self, message: bytes) -> None:
        with self._lock:
            is_awaited = self._fetched == self._dropped + len(self._kept)
            self._kept.append(message)
        if is_awaited:
            self._ring()

    def _write(self) -> None:
        for message in iter(self._to_process.get, None):
            try:
                self._process.send(message)
            except NodeLostError:
                return


def _at_most(size: int, messages: Iterable[bytes]) -> list[bytes]:
    """Return the first messages up to a `size` in bytes, one at least."""
    fetched, left = list[bytes](), size
    for message in messages:
        left -= len(message)
        if fetched and left < 0:
            break
        fetched.append(message)
    return fetched
