"""The sweep's end of the line to a node whose messages an `agent` keeps on the node's machine."""

import queue
import threading
from collections import deque
from typing import NamedTuple

from sweeps.executor.cluster.engine import NodeLostError
from sweeps.executor.engines.agent import Answer


class Call(NamedTuple):
    """The arguments of `Agent.exchange`."""

    arrived: int
    first: int
    messages: tuple[bytes, ...]


class Line:
    """Messages on their way to a node and from it. An engine calls the agent with `call` and gives the answer to `take`.

    Any thread may use it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()  # messages to the node; the first has the number after `_gone`
        self._gone = 0
        self._arrived = 0
        self._from_node: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.lost: str | None = None  # why no message can come any more
        self._error = NodeLostError

    def put(self, message: bytes) -> None:
        """Keep a message for the next call; raise `NodeLostError` when the node is lost."""
        with self._lock:
            if self.lost is not None:
                raise NodeLostError(self.lost)
            self._waiting.append(message)

    def get(self) -> bytes:
        """Wait for a message of the node; raise `NodeLostError` when none can come any more."""
        message = self._from_node.get()
        if message is None:
            self._from_node.put(None)  # for whoever asks again
            raise self._error(self.lost)
        return message

    @property
    def call(self) -> Call:
        """What the next call says: all messages that are not known to have arrived."""
        with self._lock:
            return Call(self._arrived, self._gone + 1, tuple(self._waiting))

    def take(self, answer: Answer) -> bool:
        """Take what the agent has answered to the last call; return whether to call again at once."""
        with self._lock:
            while self._gone < answer.arrived:
                self._waiting.popleft()
                self._gone += 1
            self._arrived += len(answer.messages)
            for message in answer.messages:
                self._from_node.put(message)
        if answer.ended is not None:
            self.lose(answer.ended)
        return answer.more

    def lose(self, why: str, error: type[NodeLostError] = NodeLostError) -> None:
        """End the line; `error` tells of it. The first reason counts."""
        with self._lock:
            if self.lost is None:
                self.lost, self._error = why, error
                self._from_node.put(None)
