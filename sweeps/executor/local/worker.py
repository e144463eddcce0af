"""One child process, seen from its supervisor: assignments go in, messages come out.

The child leads a process group of its own, so that all processes its jobs start can be ended with it.
"""

import contextlib
import json
import os
import pickle
import signal
import threading
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from typing import Any

from sweeps.executor.failure_text import failure
from sweeps.executor.local import child
from sweeps.executor.local.server import server_pid
from sweeps.jobs import Reason
from sweeps.state.lock import holds_within
from tracking.process import is_alive

LINGER_S = 2.0  # how long a child may take to exit after its last job
ENDING_S = 0.5  # how long a killed process may take to be gone
UNKNOWN = 255  # the exit code that multiprocessing gives a child whose forkserver is gone


class Worker:
    """A child of the forkserver. One thread at a time may use it; `kill` may be called from anywhere.

    Raises OSError or EOFError when no process can be made.
    """

    def __init__(self, context: ForkServerContext, common: bytes, process_table: threading.Lock) -> None:
        self._process_table = process_table
        self.connection, there = context.Pipe()
        self._process = context.Process(target=child.main, args=(there, common), name="job")
        try:
            with process_table, there:
                self._process.start()
                self._server = server_pid()  # another thread may start a new one next
        except BaseException:
            self.connection.close()
            raise
        self.pid: int = self._process.pid or 0
        self.sentinel = self._process.sentinel

    def send(self, assignment: child.Assignment) -> None:
        """Send a job; if the child is gone already, waiting for its messages shows it."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(pickle.dumps(assignment))

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

    def end(self, *, linger: bool) -> int | None:
        """Wait until the child is gone and end what it left running; return its exit code, None if that is unknown.

        With `linger` the child has `LINGER_S` to exit by itself before it is killed.
        """
        self.connection.close()
        if linger and not wait([self.sentinel], LINGER_S):
            self.signal(signal.SIGKILL)
        wait([self.sentinel])
        # A child whose forkserver is gone has the same time to exit.
        holds_within(LINGER_S, lambda: not is_alive(self.pid))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with self._process_table:
            self._process.join()
            code = self._process.exitcode
            self._process.close()
        # A forkserver that is killed loses its children a moment before it is gone.
        if code == UNKNOWN and holds_within(ENDING_S, lambda: not is_alive(self._server)):
            return None
        return -1 if code is None else code
