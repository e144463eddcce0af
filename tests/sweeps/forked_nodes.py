"""Nodes of a cluster forked from a process that has imported their packages; `forked` tells how, and why.

A node starts two interpreters, its own and its forkserver's, which takes longer than most tests. A forked one is as real: a
guard, a node below it, a forkserver and jobs below that. What forks the forkserver is a child of the node, so that whoever
is killed leaves the orphans that it would leave elsewhere.
"""

import os
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import fork_server
import forked
import forked_programs

# The kind of a command that has loaded Dask; what Dask itself starts below it is started as everywhere.
DASK = "dask"
forked.KINDS[DASK] = (
    [],
    f"{forked.SWEEPS} dask.__main__ distributed.cli.dask_scheduler distributed.cli.dask_worker",
)
POLL_S = 0.005
LOCK = threading.Lock()
CODE = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); sys.path.append({str(Path(forked.__file__).parent)!r}); import forked_nodes; forked_nodes.main()"


def node_code(_own: str) -> tuple[str, ...]:
    """Stand for `sweeps.executor.cluster.node_process.node_code`."""
    return ("-c", CODE)


def address() -> str:
    """Return that of the process which forks nodes here; it starts with the first call."""
    return str(forked.Server.of("lenient").command.address)


def fork_from(address: str) -> None:
    """Have this process fork its nodes, whose command is `node_code`, from that one."""
    from sweeps.executor.cluster import node_process

    node_process.subprocess = forking(address)  # type: ignore[attr-defined]


def main() -> None:
    """Be the guard of a node, and its node, in a process that was forked."""
    from sweeps.executor.cluster import node, node_guard, sharing

    sharing.PATIENCE_S = 0.0  # what is not on the disk of this machine never comes
    begin = node.main
    path = [*sys.path]

    def begin_beside_a_server(guard: int) -> None:
        if _serves_here(path):
            sys.exit(0)
        begin(guard)

    node.main = begin_beside_a_server
    node_guard.main()


def _serves_here(path: list[str]) -> bool:
    """Fork a process from which this one forks its forkserver; return True in what was forked from that, once it has ended."""
    from sweeps.executor.local import server_process

    address = f"\0podium-{os.getpid()}"  # no file, which somebody would have to remove
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        ends, held = os.pipe()  # which this process holds open while it lives
        if not os.fork():
            os.close(held)
            os.dup2(ends, 0)  # as it ends with its input
            os.dup2(2, 1)  # which is the wire
            return _became(fork_server.serve(listener), path)
    os.close(ends)
    server_process.subprocess = forking(address)  # type: ignore[attr-defined]
    return False


def _became(request: tuple[Any, list[int]], path: list[str]) -> bool:
    forked_programs.become(*request, path)
    return True


def forking(address: str) -> Any:
    command = type("Command", (_Command,), {"address": address})
    return types.SimpleNamespace(**{**vars(subprocess), "Popen": command})


class _Command(forked.Command):
    """A command whose end several threads may wait for, as they do for that of a node."""

    def _await_end(self, timeout: float | None) -> int | None:
        began = time.monotonic()
        while self.returncode is None:
            with LOCK:
                found = super()._await_end(0)
            if found is None and timeout is not None and time.monotonic() - began >= timeout:
                return None
            time.sleep(0.0 if found is not None or timeout == 0 else POLL_S)
        return self.returncode
