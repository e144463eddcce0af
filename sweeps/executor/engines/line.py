"""The sweep's end of the line to a node whose messages an `agent` keeps on the node's machine."""

from collections import deque
from typing import NamedTuple

from sweeps.executor.cluster.engine import NodeLostError
from sweeps.executor.engines.agent import Answer
from sweeps.executor.engines.inbox import Inbox


class Call(NamedTuple):
    """The arguments of `Agent.exchange`."""

    arrived: int
    first: int
    messages: tuple[bytes, ...]


class Line(Inbox):
    """Messages on their way to a node and from it. An engine calls the agent with `call` and gives the answer to `take`.

    Any thread may use it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[bytes] = deque()  # messages to the node; the first has the number after `_gone`
        self._gone = 0
        self._arrived = 0

    def put(self, message: bytes) -> None:
        """Keep a message for the next call; raise `NodeLostError` when the node is lost."""
        with self._lock:
            if self.lost is not None:
                raise NodeLostError(self.lost)
            self._waiting.append(message)

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
                self.keep(message)
        if answer.ended is not None:
            self.lose(answer.ended)
        return answer.more
