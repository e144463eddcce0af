"""The engine that starts its nodes in actors of Ray, as many as the cluster has room for."""

import contextlib
import logging
import os
import queue
import secrets
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import NodeCommand, NodeLostError, NodeRefusedError
from sweeps.executor.cluster.frames import read_frame, write_frame
from sweeps.executor.engines.inbox import Inbox
from sweeps.executor.engines.ray_pipe import FOR_GOOD, Kind, Told, packed, unpacked
from sweeps.executor.failure_text import one_line
from sweeps.executor.local.server_process import OWN
from sweeps.settings.ray_settings import RaySettings

log = logging.getLogger(__name__)

GO_WITHIN_S = 5.0  # how long the processes of jobs may take to go once they are killed
CLOSE_WITHIN_S = 30.0  # how long the machine of a node may take to end its process
END_WITHIN_S = 60.0  # how long a Ray of the sweep's own may take to end
# Of a Ray of the sweep's own: it reports to nobody, and jobs have the memory that they have without Ray.
OWN_VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}
MODE = "RAY_AUTH_MODE"
LAST_LINES = 20  # of what the process that speaks to Ray writes: why it has ended is among them
LONGEST = 10_000  # bytes of such a line that are kept together
CODE = "import sys; sys.path[:] = [*filter(None, sys.path), {own!r}]; from sweeps.executor.engines import ray_driver; ray_driver.main()"


class RayEngine:
    """An `Engine` on the Ray that the settings name. Another process speaks to it; see `sweeps.executor.engines.ray_driver`.

    A stopped job has `grace_s` to end. Ray starts, or is connected to, as soon as the engine is made.
    """

    name = "Ray"
    packages: tuple[str, ...] = ()

    def __init__(self, settings: RaySettings, grace_s: float) -> None:
        self._settings = settings
        self._hold_s = settings.lease_s + grace_s + GO_WITHIN_S
        self._found: queue.SimpleQueue[_RayNode | SweepError | None] = queue.SimpleQueue()
        self._nodes: dict[int, _RayNode] = {}
        self._starting = 0  # how many are to come
        self._is_closed = False
        self._to_tell: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        # Its folder is where Ray's workers look for podium if they have none.
        self._process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", CODE.format(own=str(OWN))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=OWN,
            env={**os.environ, **_variables(settings)},
            start_new_session=True,  # Ctrl-C is for the sweep's process alone
        )
        self._keeping = threading.Thread(target=self._keep, name="podium-ray-stderr", daemon=True)
        self._hearing = threading.Thread(target=self._hear, name="podium-ray", daemon=True)
        self._writing = threading.Thread(target=self._write, name="podium-to-ray", daemon=True)
        for each in (self._keeping, self._hearing, self._writing):
            each.start()
        self.tell(packed(Kind.CONNECT, body={"address": settings.address, "request": settings.request}))

    def nodes(self, command: NodeCommand) -> Iterator["_RayNode"]:
        """Yield a node for each actor that Ray has or gets room for; see `Engine`."""
        cores = int(self._settings.places * self._settings.num_cpus)
        wanted = {
            "command": asdict(command),
            "request": self._settings.request,
            "nodes": self._settings.scale,
            "places": self._settings.places,
            "variables": {"LOKY_MAX_CPU_COUNT": str(max(1, cores))} if self._settings.num_cpus else {},
            "hold_s": self._hold_s,
        }
        self.tell(packed(Kind.BEGIN, body=wanted))
        while (found := self._found.get()) is not None:
            if isinstance(found, SweepError):
                raise found
            yield found
            found.is_taken = True

    @property
    def is_starting(self) -> bool:
        """Whether a node is to come where Ray has room for it; see `Engine`."""
        return self._starting > 0 or any(each.is_coming for each in list(self._nodes.values()))

    def close(self) -> None:
        """End the iteration, all nodes, and the Ray that this engine has started; see `Engine`."""
        self._is_closed = True
        self._found.put(None)
        self._to_tell.put(None)
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:  # it may be frozen: nothing here waits for it without a limit
            self._process.kill()
        for each in (self._writing, self._hearing, self._keeping):
            each.join(GO_WITHIN_S)

    def tell(self, message: bytes) -> bool:
        """Tell something to the process that speaks to Ray, without waiting; return False if it has gone."""
        self._to_tell.put(message)
        return not self._is_closed and self._process.poll() is None

    def _write(self) -> None:
        """Write what that process is told; the end of it ends the process."""
        if self._process.stdin is None:
            return
        with contextlib.suppress(OSError), self._process.stdin as sink:  # OSError: it has gone
            for message in iter(self._to_tell.get, None):
                write_frame(sink.fileno(), message)

    def _hear(self) -> None:
        """Take what that process tells, until it has ended; then all nodes are lost."""
        if self._process.stdout is None:
            return
        with self._process.stdout as source:
            while (message := read_frame(source.fileno())) is not None:
                self._take(unpacked(message))
        self._process.wait()
        for node in self._nodes.values():
            node.inbox.lose("Ray has gone")
            node.was_closed.set()
        self._starting = 0
        self._keeping.join(1.0)
        self._found.put(SweepError(f"{self._settings.named}: Ray cannot be used: {self._last_words()}"))

    def _take(self, told: Told) -> None:
        match told.kind:
            case Kind.NODE:
                node = self._nodes[told.node] = _RayNode(self, told.node, **told.said)
                self._found.put(node)
            case Kind.MESSAGE:
                self._nodes[told.node].inbox.keep(told.body)
            case Kind.LOST:
                self._nodes[told.node].inbox.lose(told.text)
            case Kind.REFUSED:
                self._nodes[told.node].inbox.lose(told.text, NodeRefusedError)
            case Kind.CLOSED:
                self._nodes[told.node].was_closed.set()
            case Kind.STARTING:
                self._starting = int(told.text)
            case Kind.NOTE:
                log.warning("%s", told.text)

    def _keep(self) -> None:
        """Keep the last lines that the process writes, which are Ray's."""
        if self._process.stderr is not None:
            with self._process.stderr as lines:
                while line := lines.readline(LONGEST):
                    self._last.append(line.decode(errors="replace"))

    def _last_words(self) -> str:
        lines = [line for line in self._last if line.strip()]
        last = next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "")
        return (
            one_line(last)
            or f"the process that speaks to it has ended with exit code {self._process.returncode}"
        )


def _variables(settings: RaySettings) -> dict[str, str]:
    """Return what Ray reads as it is imported."""
    if settings.address is not None:
        return {}
    # Without a token of ours Ray would keep one in the user's home, which changes how clusters are started there.
    token = {} if MODE in os.environ else {MODE: "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return {**OWN_VARIABLES, **token}


class _RayNode:
    """A node in an actor; see `Node`."""

    def __init__(self, engine: RayEngine, number: int, name: str, places: int) -> None:
        self.name = name
        self.places: int | None = places
        self.was_closed = threading.Event()
        self.is_taken = False  # whether the sweep has it, and has asked for the next
        self.inbox = Inbox()
        self._engine = engine
        self._number = number

    def send(self, message: bytes) -> None:
        if self.inbox.lost is not None or not self._engine.tell(packed(Kind.SEND, self._number, message)):
            raise NodeLostError(self.inbox.lost or "Ray has gone")

    def receive(self) -> bytes:
        return self.inbox.get()

    def close(self, *, for_good: bool = False) -> None:
        if self._engine.tell(packed(Kind.CLOSE, self._number, FOR_GOOD if for_good else b"")):
            self.was_closed.wait(CLOSE_WITHIN_S)
        self.inbox.lose("it was closed")

    @property
    def is_coming(self) -> bool:
        """Whether the sweep does not have it yet."""
        return not self.is_taken and self.inbox.lost is None
