"""One child process and the line to it: takes assignments, reports what becomes of each.

It leads a process group of its own, so that whatever its jobs start can be ended with it.
"""

import contextlib
import json
import os
import pickle
import signal
import threading
import time
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from typing import Any

from sweeps.executor.failure_text import failure
from sweeps.executor.local import child
from sweeps.executor.local.main_script import Main
from sweeps.executor.local.server import server_pid
from sweeps.jobs import Reason
from tracking.process import is_alive

LINGER_S = 2.0  # how long a child may take to exit once it has nothing more to do
POLL_S = 0.05
ENDING_S = 0.5  # what a process that was killed may take to be gone
UNKNOWN = 255  # the exit code that multiprocessing gives for a child of a forkserver that is gone


class Worker:
    """A child of the forkserver. One thread at a time may use it; `kill` may be called from anywhere.

    Raises OSError or EOFError when no process can be made.
    """

    def __init__(
        self, context: ForkServerContext, common: bytes, program: Main, process_table: threading.Lock
    ) -> None:
        self._process_table = process_table
        self.connection, there = context.Pipe()
        self._process = context.Process(target=child.main, args=(there, common, program), name="job")
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
        """Hand over a job; a child that is gone already is noticed by whoever waits for it."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(pickle.dumps(assignment))

    def receive(self) -> dict[str, Any] | None:
        """The next message, which must be waiting; None when the child has closed the line."""
        try:
            message: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (EOFError, ConnectionResetError):
            return None
        except (OSError, ValueError) as error:  # a child that wrote into the line itself
            return {"kind": "outcome", **failure(f"unreadable outcome: {error}", reason=Reason.LOST)}
        return message

    def signal(self, number: signal.Signals) -> None:
        """Signal the child's process group, or the child alone if it is too young to have one."""
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)
                return

    def kill(self) -> None:
        """Kill the child and all its descendants, those that left its process group included."""
        import psutil

        with contextlib.suppress(psutil.Error):
            for descendant in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    descendant.kill()
        self.signal(signal.SIGKILL)

    def goes_on(self) -> bool:
        """Whether the child runs although its sentinel says that it ended.

        The forkserver tells of an end once the child is gone for good. So it is the forkserver itself that ended.
        """
        return is_alive(self.pid)

    def end(self, *, linger: bool) -> int | None:
        """Wait for the child to be gone, and end what it left behind; its exit code, None when nobody can tell.

        With `linger` it may take a moment to exit by itself; what has not done so then is killed.
        """
        self.connection.close()
        if linger and not wait([self.sentinel], LINGER_S):
            self.signal(signal.SIGKILL)
        wait([self.sentinel])
        self._await_orphan()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with self._process_table:
            self._process.join()
            code = self._process.exitcode
            self._process.close()
        if code == UNKNOWN and self._has_lost_its_server():
            return None
        return -1 if code is None else code

    def _has_lost_its_server(self) -> bool:
        """Whether the forkserver is gone; one that ends lets go of its children a moment before it is."""
        deadline = time.monotonic() + ENDING_S
        while is_alive(self._server):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _await_orphan(self) -> None:
        """Give a child that nobody watches any more the same moment to exit."""
        deadline = time.monotonic() + LINGER_S
        while self.goes_on() and time.monotonic() < deadline:
            time.sleep(POLL_S)
