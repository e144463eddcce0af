"""The end of the wire in a node's process: what it sends, what it asks and waits for, what it is told.

Whoever sends never waits, also while the sweep's process does not read. Whoever asks does, for as long as a lease at most: a thread that
supervises a job, and asks for a judgement, another job or what this one lacks, enforces no limit meanwhile and hears no order to stop.
"""

import contextlib
import itertools
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Any

from sweeps.executor.cluster.frames import read_frame, write_frame
from sweeps.executor.cluster.messages import decode, encode

Answer = tuple[dict[str, Any], bytes]

FLUSH_S = 10.0  # how long the end of a node waits until its last messages are written


class Wire:
    """Two pipes to the sweep's process, of which this process reads one and writes the other. Any thread may use it."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._numbers = itertools.count(1)
        self._asked: dict[int, queue.SimpleQueue[Answer | None]] = {}
        self._lock = threading.Lock()
        self._is_deaf = self._is_silent = False
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="podium-wire", daemon=True)
        self._writer.start()

    def tell(self, kind: str, **head: Any) -> None:
        """Send a message."""
        self._to_send.put(encode(kind, **head))

    def ask(self, kind: str, **head: Any) -> Answer | None:
        """Send a question and wait for its answer; None if none will come."""
        number, answers = next(self._numbers), queue.SimpleQueue[Answer | None]()
        with self._lock:
            if self._is_deaf:
                return None
            self._asked[number] = answers
        self.tell(kind, ask=number, **head)
        return answers.get()

    def expect_nothing(self) -> None:
        """Wait for no answer any more: whoever does so gets None, now and later."""
        with self._lock:
            self._is_deaf = True
            waiting = [*self._asked.values()]
            self._asked.clear()
        for each in waiting:
            each.put(None)

    def read(self, hear: Callable[[dict[str, Any], bytes], None], *, patience_s: Callable[[], float]) -> bool:
        """Read messages, give answers to who waits for them and the others to `hear`.

        Return True when the other end has gone, False when it was silent for so many seconds.
        """
        poll = select.poll()
        poll.register(self._incoming, select.POLLIN)
        while True:
            # This process may have been paused: what has come meanwhile counts more than its clock.
            if not poll.poll(1000 * patience_s()) and not poll.poll(0):
                return False
            message = read_frame(self._incoming)
            if message is None:
                return True
            head, body = decode(message)
            if "ask" not in head:
                hear(head, body)
                continue
            with self._lock:
                answers = self._asked.pop(head["ask"], None)
            if answers is not None:
                answers.put((head, body))

    def fall_silent(self) -> None:
        """Send nothing more: how jobs end from now on is no outcome of theirs."""
        self._is_silent = True

    def flush(self) -> None:
        """Write what is left to be sent, as far as that is read; nothing can be sent afterwards."""
        self._to_send.put(None)
        self._writer.join(FLUSH_S)

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # the other end has gone
            for message in iter(self._to_send.get, None):
                if self._is_silent:
                    return
                write_frame(self._outgoing, message)


def taken_over() -> tuple[int, int]:
    """Return the standard input and output of this process as a wire, which no process that it starts inherits.

    Its own standard input is empty from now on, and what it prints goes to stderr.
    """
    incoming, outgoing = os.dup(0), os.dup(1)  # which are not inherited
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return incoming, outgoing
