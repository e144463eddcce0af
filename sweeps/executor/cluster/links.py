"""The wire to one node, in the process of the sweep: a thread that sends, and one that receives until the node is lost."""

import math
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from sweeps.executor.cluster.engine import Node, NodeLostError, NodeRefusedError
from sweeps.executor.cluster.messages import Head, decode, encode

PING = encode("ping")


class Hearing(Protocol):
    """Who hears what comes through a link; in the thread of the link."""

    def heard(self, link: "Link", head: Head) -> None:
        """Hear a message; raise any error for one that cannot be read."""

    def lost(self, link: "Link", error: str) -> None:
        """Hear that no more messages come."""


class Link:
    """A node that was started.

    `name` is that of its machine. `places` is how many jobs it runs at once, and `slots` the numbers of these places in the
    sweep; both are unknown until it `is_ready`. `is_leaving` if it takes no more jobs. The node is told something every
    `ping_s` seconds at least. `silent_since` is the time from which nothing was heard; infinite while this process deals with a
    message, however long that takes it.
    """

    def __init__(self, node: Node, hearing: Hearing, *, ping_s: float) -> None:
        self.node = node
        self.name = node.name
        self.places = node.places or 1
        self.slots: list[int] = []
        self.is_ready = False
        self.is_leaving = False
        self.refusal: str | None = None
        self.silent_since = time.monotonic()
        self._hearing = hearing
        self._ping_s = ping_s
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._has_gone = threading.Event()
        self._error = ""
        self._threads = [
            threading.Thread(target=target, name=f"podium-{name}-{self.name}", daemon=True)
            for name, target in (("send", self._send), ("receive", self._receive))
        ]

    def begin(self, hello: bytes) -> None:
        """Tell the node what to do, and hear it from now on."""
        self.post(hello)
        for each in self._threads:
            each.start()

    def post(self, message: bytes) -> None:
        """Send a message, without waiting; one to a lost node goes nowhere."""
        self._to_send.put(message)

    def await_end(self, timeout_s: float) -> None:
        """Wait until the node is lost or has ended, but not longer than this."""
        self._has_gone.wait(timeout_s)

    def end(self, why: str) -> None:
        """End the node by force; it is lost then, because of `why`. Its place may get another one."""
        self._error = why
        self.node.close()

    def close(self) -> None:
        """End the node by force and hear no more of it, nor of its place."""
        self.node.close(for_good=True)
        self._to_send.put(None)
        for each in self._threads:
            if each is not threading.current_thread() and each.ident is not None:
                each.join()

    def _send(self) -> None:
        self._until_lost(self._send_all)

    def _receive(self) -> None:
        why = self._until_lost(self._receive_all)
        self._hearing.lost(self, self._error or why)
        self._has_gone.set()
        self._to_send.put(None)

    def _until_lost(self, work: Callable[[], None]) -> str:
        """Send or receive until the node is lost; one that cannot be reached or understood is ended, or its jobs would run twice."""
        try:
            work()
        except NodeLostError as fault:
            if isinstance(fault, NodeRefusedError):
                self.refusal = str(fault)
            return str(fault)
        except Exception as fault:  # noqa: BLE001 - of the engine's libraries, or of what a node sends: it may be anything
            self.end(f"it cannot be reached or understood: {fault!r}")
        return ""

    def _send_all(self) -> None:
        while True:
            try:
                message = self._to_send.get(timeout=self._ping_s)
            except queue.Empty:
                message = PING
            if message is None:
                return
            self.node.send(message)

    def _receive_all(self) -> None:
        while True:
            head, _ = decode(self.node.receive())
            self.silent_since = math.inf
            self._hearing.heard(self, head)
            self.silent_since = time.monotonic()
