"""One child process and the line to it: takes assignments, reports what becomes of each.

It leads a process group of its own, so that whatever its jobs start can be ended with it.
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

from sweeps import job as child

LINGER_S = 5.0  # how long a child may take to exit once it has nothing more to do


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
            return {"kind": "outcome", **child.failure(f"unreadable outcome: {error}", reason="lost")}
        return message

    def signal(self, number: signal.Signals) -> None:
        """Signal the child's process group, or the child alone if it is too young to have one."""
        for send in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)
                return

    def end(self, *, linger: bool) -> int:
        """Wait for the child to be gone, and end what it left behind; its exit code.

        With `linger` it may take a moment to exit by itself; what has not done so then is killed.
        """
        self.connection.close()
        if linger and not wait([self.sentinel], LINGER_S):
            self.signal(signal.SIGKILL)
        wait([self.sentinel])
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with self._process_table:
            self._process.join()
            code = self._process.exitcode
            self._process.close()
        return -1 if code is None else code
