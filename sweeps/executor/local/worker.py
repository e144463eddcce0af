"""One child process, seen from its supervisor: assignments go in, messages come out.

The child leads a process group of its own, so that all processes its jobs start can be ended with it.
"""

import contextlib
import json
import os
import pickle
import signal
from multiprocessing.connection import wait
from typing import Any

from sweeps.executor.failure_text import failure
from sweeps.executor.local import child
from sweeps.executor.local.forkserver import NUMBER
from sweeps.executor.local.server import ForkServer
from sweeps.jobs import Reason
from sweeps.state.lock import holds_within
from tracking.process import is_alive

ORPHAN_S = 2.0  # how long a child whose forkserver is gone may take to end after its connection


class Worker:
    """A child of the forkserver. One thread at a time may use it; `kill` may be called from anywhere.

    Raises OSError when no process can be made.
    """

    def __init__(self, server: ForkServer) -> None:
        self.pid, self.connection, self.sentinel, self._alive = server.fork()

    def send(self, assignment: child.Assignment) -> None:
        """Send a job; if the child is gone already, waiting for its messages shows it."""
        self.answer(pickle.dumps(assignment))

    def answer(self, data: bytes) -> None:
        """Send what the child has asked for."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(data)

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, which must be waiting; None when the child has closed the connection."""
        try:
            message: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            return None
        except (OSError, ValueError) as error:  # a job wrote to the connection itself
            return {"kind": "outcome", **failure(f"unreadable outcome: {error}", reason=Reason.LOST)}
        return message

    def signal(self, number: signal.Signals) -> None:
        """Signal the child's process group, or the child alone before it has made one."""
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)
                return

    def kill(self) -> None:
        """Kill the child and all its descendants, including those that left its process group."""
        import psutil

        with contextlib.suppress(psutil.Error):
            for descendant in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    descendant.kill()
        self.signal(signal.SIGKILL)

    def end(self) -> int | None:
        """Wait until the child is gone and end what it left running; return its exit code, None if that is unknown."""
        self.connection.close()
        wait([self.sentinel])
        code = os.read(self.sentinel, NUMBER.size)
        if not code:  # the forkserver, which knows the exit code, has gone
            holds_within(ORPHAN_S, lambda: not is_alive(self.pid))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        os.close(self.sentinel)
        os.close(self._alive)
        return int(NUMBER.unpack(code)[0]) if code else None
