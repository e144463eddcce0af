"""A node's process, started on this machine: messages in and out, and a reason when it has gone."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing.spawn import get_command_line

from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.cluster.frames import read_frame, write_frame
from sweeps.executor.cluster.node_guard import END
from sweeps.executor.failure_text import one_line

ENDS_WITHIN_S = (
    30.0  # how long a guard may take to end what its node has started, and without its guard the node itself
)
LAST_LINES = 20  # of what the process writes to stderr: why it has ended is among them
MOST_BYTES = 1 << 16  # of what it writes there at a time, or without an end of the line


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
        # A socket, unlike a pipe, can be shut while threads wait to read and to write.
        self._line, theirs = socket.socketpair()
        # What a parent has written to its own stream must not be written again by the process.
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, *command.arguments],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                env={**os.environ, **(variables or {})},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._why = f"its process could not start: {error}"
            self._line.close()
            return
        finally:
            theirs.close()
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
        try:
            with self._writing:
                write_frame(self._line.fileno(), message)
        except OSError as error:
            raise NodeLostError(self._why) from error

    def receive(self) -> bytes:
        """Return the next message. Raise `NodeLostError`, with the exit code, once all processes of the node have gone."""
        message = None
        with self._reading, contextlib.suppress(OSError):  # it is closed, or has gone before it has read all
            message = read_frame(self._line.fileno())
        if message is None:
            self._end()
            raise NodeLostError(self._why)
        return message

    def close(self) -> None:
        """Let the guard end all processes of the node, and wait for that.

        Processes that not even SIGKILL ends, such as those of a container that is frozen, are left after a while: they end when
        they go on.
        """
        process = self._process
        if process is None:
            return
        process.send_signal(END)
        if not self._has_gone():
            process.kill()  # whose node then ends by itself
            self._has_gone()
        self._end()

    def _has_gone(self) -> bool:
        """Wait until no process of the node is left, which would hold its end of the line; return False if it takes too long."""
        poll = select.poll()
        try:
            poll.register(self._line, 0)  # for its end alone
        except ValueError:  # it is closed
            return True
        return bool(poll.poll(1000 * ENDS_WITHIN_S))

    def _end(self) -> None:
        """Note why the process has ended, and let nobody wait for it."""
        process = self._process
        if process is None:
            return
        try:
            code = process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._why = "its process cannot be ended"
        else:
            self._listener.join(1.0)
            lines = [line for line in self._last if line.strip()]
            last = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
            said = f": {one_line(last)}" if last and code else ""
            self._why = f"its process ended with exit code {code}{said}"
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        with self._writing, self._reading:
            self._line.close()

    def _pass_on(self) -> None:
        """Copy what the process writes to stderr, in whole lines, and keep the last ones."""
        process = self._process
        if process is None or process.stderr is None:
            return
        pending = b""
        with process.stderr as written:
            while block := os.read(written.fileno(), MOST_BYTES):
                pending += block
                end = pending.rfind(b"\n") + 1 or (len(pending) if len(pending) >= MOST_BYTES else 0)
                self._tell(pending[:end])
                pending = pending[end:]
        self._tell(pending)

    def _tell(self, text: bytes) -> None:
        self._last.extend(text.decode(errors="replace").splitlines())
        with contextlib.suppress(OSError):
            while text:
                text = text[os.write(2, text) :]


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
