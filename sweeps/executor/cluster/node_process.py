"""A node's process, started on this machine: messages in and out, and a reason when it has gone."""

import contextlib
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing.spawn import get_command_line
from typing import IO

from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.cluster.frames import read_frame, write_frame
from sweeps.executor.cluster.node_guard import END
from sweeps.executor.failure_text import one_line

ENDS_WITHIN_S = 30.0  # how long a guard may take to end what its node has started
LAST_LINES = 20  # of what the process writes to stderr: why it has ended is among them


class NodeProcess:
    """What a `sweeps.executor.cluster.engine.Node` does, on this machine.

    What the process writes to stderr goes to this process's stderr. A process that cannot be started is lost from the beginning.
    """

    def __init__(
        self,
        command: NodeCommand,
        name: str,
        places: int | None = None,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.places = places
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._why = "its process has ended"
        # What a parent has written to its own stream must not be written again by the process.
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, *command.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **command.variables, **(variables or {})},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._why = f"its process could not start: {error}"
            return
        self._listener = threading.Thread(target=self._pass_on, name=f"podium-stderr-{name}", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int | None:
        """The process id of the node's guard; None of a process that could not start."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether processes of the node are left."""
        return self._process is not None and self._process.poll() is None

    def send(self, message: bytes) -> None:
        """Send a message; wait while the process does not read. Raise `NodeLostError` when it has gone."""
        process = self._process
        if process is None or process.stdin is None:
            raise NodeLostError(self._why)
        try:
            with self._writing:
                write_frame(process.stdin.fileno(), message)
        except (OSError, ValueError) as error:  # ValueError: it is closed
            raise NodeLostError(self._why) from error

    def receive(self) -> bytes:
        """Return the next message. Raise `NodeLostError`, with the exit code, once all processes of the node have gone."""
        process = self._process
        with self._reading:
            if process is None or process.stdout is None or process.stdout.closed:
                raise NodeLostError(self._why)
            message = read_frame(process.stdout.fileno())
        if message is None:
            self._end(process)
            raise NodeLostError(self._why)
        return message

    def close(self) -> None:
        """Let the guard end all processes of the node, and wait for that."""
        process = self._process
        if process is None:
            return
        process.send_signal(END)  # before the pipe is closed: a thread may wait for room in it
        self._shut(process.stdin, self._writing)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
        self._end(process)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """Note why the process has ended, once it has, and close the pipes."""
        code = process.wait()
        self._listener.join(1.0)
        lines = [line for line in self._last if line.strip()]
        last = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
        said = f": {one_line(last)}" if last and code else ""
        self._why = f"its process ended with exit code {code}{said}"
        self._shut(process.stdin, self._writing)
        self._shut(process.stdout, self._reading)

    def _shut(self, pipe: IO[bytes] | None, in_use: threading.Lock) -> None:
        with in_use, contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()

    def _pass_on(self) -> None:
        """Copy what the process writes to stderr, and keep the last lines."""
        process = self._process
        if process is None or process.stderr is None:
            return
        with process.stderr as lines:
            for line in lines:
                self._last.append(line.decode(errors="replace"))
                with contextlib.suppress(OSError):
                    os.write(2, line)


def node_code(own: str) -> tuple[str, ...]:
    """Return the arguments with which an interpreter runs a node.

    podium is that of the interpreter's own packages, or where it has none that in the folder `own`. The interpreter gets the
    options that this one has, and no module of the user's hides a package.
    """
    options = get_command_line()
    options = options[1 : options.index("-c")]
    code = (
        f"import sys; sys.path[:] = [*filter(None, sys.path), {own!r}]; "
        "from sweeps.executor.cluster import node_guard; node_guard.main()"
    )
    return (*options, "-c", code)
