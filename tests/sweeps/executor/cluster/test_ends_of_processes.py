"""Who waits for a node is told of its end, also if its processes cannot be ended, and sees what it writes to stderr at once."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from sweeps.executor.cluster import node_process
from sweeps.executor.cluster.engine import NodeCommand, NodeLostError
from sweeps.executor.cluster.node_process import NodeProcess
from sweeps.executor.conformance_app import PATIENCE_S

pytestmark = pytest.mark.usefixtures("nodes_of_interpreters")

# A process and one below it, whose number it sends; both are frozen then.
FROZEN = """
import os, signal, struct
below = os.fork()
if below:
    frame = str(below).encode()
    os.write(1, struct.pack(">I", len(frame)) + frame)
os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_node_whose_processes_are_frozen_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_process, "ENDS_WITHIN_S", 0.2)
    node = NodeProcess(NodeCommand("sweep", ("-c", FROZEN)), "frozen")
    below, raised = int(node.receive()), list[type[BaseException]]()

    def until_lost(call: Callable[[], object]) -> None:
        try:
            call()
        except NodeLostError as error:
            raised.append(type(error))

    calls = [
        lambda: until_lost(node.receive),
        lambda: until_lost(lambda: node.send(b"x" * (1 << 24))),
        node.close,
    ]
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join(PATIENCE_S)
        assert not any(each.is_alive() for each in threads)
        assert len(raised) == 2
        os.kill(below, 0)  # it is there still
    finally:
        os.kill(below, signal.SIGKILL)


LONG_LINE = """
import sys
from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.cluster.node_process import NodeProcess

code = "import sys; sys.stderr.write('y' * 300_000); sys.stderr.flush(); sys.stdin.read()"
node = NodeProcess(NodeCommand("sweep", ("-c", code)), "node")
sys.stdin.read()
node.close()
"""


def test_what_a_node_writes_is_passed_on_before_a_long_line_has_ended() -> None:
    command = [sys.executable, "-W", "error", "-c", LONG_LINE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        late = threading.Timer(PATIENCE_S, process.kill)
        late.start()
        assert process.stderr.read(200_000) == b"y" * 200_000
        late.cancel()
        process.communicate()
        assert process.returncode == 0
