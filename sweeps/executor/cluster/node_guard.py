"""The guard of a node: a small process above it, which ends with all that the node has started, and not before.

A node may be killed while its jobs run. These would get SIGTERM from the system, and could go on for a while; the sweep would
run them elsewhere at the same time. So the guard takes over the processes that lose their parent, and holds the node's
output open until it has killed them all: whoever reads that output and meets its end knows that no job is left. It does the
same as soon as the input of the node is closed, which happens when the other end of the wire has gone.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
from importlib import import_module
from typing import Any

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux: orphans below this process become its children
INPUT = 0  # the file descriptor of the wire, which the node reads and the guard watches
END = signal.SIGUSR1
ON_HOLD = frozenset({signal.SIGINT, signal.SIGHUP})  # the sweep's process alone decides what these end


def main() -> None:
    """Run a node in a child process, and end with its exit code once all processes below have gone.

    SIGTERM is for the node, SIGUSR1 ends it with all that it has started.
    """
    _adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, ON_HOLD)
    woken, waker = os.pipe()
    guard, guarded = os.pipe()  # its end tells the node that the guard was killed
    orders: list[int] = []
    for number in (signal.SIGCHLD, signal.SIGTERM, END):
        signal.signal(number, lambda number, _frame: orders.append(number))
    pid = os.fork()
    if pid == 0:
        for each in (woken, waker, guarded):
            os.close(each)
        for number in (signal.SIGCHLD, signal.SIGTERM, END):
            signal.signal(number, signal.SIG_DFL)
        # Here, because the guard needs none of it.
        import_module("sweeps.executor.cluster.node").main(guard)
    os.close(guard)
    for each in (woken, waker):
        os.set_blocking(each, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    code = _await(pid, woken, orders)
    end_descendants()
    os._exit(code)


def end_descendants() -> None:
    """Kill all processes below this one and wait until they have gone."""
    psutil: Any = import_module("psutil")
    with contextlib.suppress(ChildProcessError, psutil.Error):
        while True:
            for each in psutil.Process().children():
                _signal(each.pid, signal.SIGKILL)
            os.waitpid(-1, 0)  # a process that goes leaves its children to this one


def _await(pid: int, woken: int, orders: list[int]) -> int:
    """Wait until the node has ended, and return its exit code, or until it is to end; reap orphans meanwhile."""
    poll = select.poll()
    poll.register(INPUT, 0)  # whose end alone counts: the node reads what comes
    poll.register(woken, select.POLLIN)
    while True:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[0] == pid:
                    code = os.waitstatus_to_exitcode(ended[1])
                    return code if code >= 0 else 128 - code
        while orders:
            number = orders.pop()
            if number == END:
                return 1
            if number == signal.SIGTERM:  # a batch system means the node
                _signal(pid, signal.SIGTERM)
        found = dict(poll.poll())
        if INPUT in found:
            return 1
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)


def _adopt_orphans() -> None:
    """Become the parent of processes below this one that lose theirs, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
