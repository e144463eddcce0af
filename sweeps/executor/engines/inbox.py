"""Messages of a node on their last step: kept until the sweep takes them, and ended when the node is lost."""

import queue
import threading

from sweeps.executor.cluster.engine import NodeLostError


class Inbox:
    """The messages of a node that the sweep has not taken. Any thread may use it."""

    def __init__(self) -> None:
        self.lost: str | None = None  # why no message can come any more
        self._error = NodeLostError
        self._from_node: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def keep(self, message: bytes) -> None:
        """Keep a message of the node."""
        self._from_node.put(message)

    def get(self) -> bytes:
        """Wait for a message of the node; raise `NodeLostError` when none can come any more."""
        message = self._from_node.get()
        if message is None:
            self._from_node.put(None)  # for whoever asks again
            raise self._error(self.lost)
        return message

    def lose(self, why: str, error: type[NodeLostError] = NodeLostError) -> None:
        """Let nobody wait once the messages that are kept were taken; `error` tells of it. The first reason counts."""
        with self._lock:
            if self.lost is None:
                self.lost, self._error = why, error
                self._from_node.put(None)
