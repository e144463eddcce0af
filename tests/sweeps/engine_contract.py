"""What an engine keeps, as tests of one that has room for two nodes; the nodes here send back what they get."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest
from engine_processes import PATIENCE_S, are_gone, wait_until_gone

from sweeps.executor.cluster.engine import Engine, Node, NodeCommand, NodeLostError

ECHO = """
import os
from sweeps.executor.cluster.frames import read_frame, write_frame
write_frame(1, b"%d" % os.getpid())
while (message := read_frame(0)) is not None:
    write_frame(1, message)
"""
LEAVING = """
import os, signal, time
from sweeps.executor.cluster.frames import write_frame
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
write_frame(1, b"%d" % os.getpid())
signal.sigwait({{signal.SIGTERM}})
time.sleep({ends_s})  # its jobs end
write_frame(1, b"leaving")
"""
EARLIER = """
import time
from sweeps.executor.cluster.engine import NodeCommand
{code}
nodes = engine.nodes(NodeCommand("echoes", ("-c", {echo!r})))
for _ in range(2):
    print(int(next(nodes).receive()), flush=True)
time.sleep(600)
"""


def command(code: str = ECHO) -> NodeCommand:
    return NodeCommand("echoes", ("-c", code))


def leaving(ends_s: float = 0.0) -> NodeCommand:
    """Return the command of a node that leaves in order when it gets SIGTERM, which takes so long."""
    return command(LEAVING.format(ends_s=ends_s))


def pid_of(node: Node) -> int:
    """Return the process id that a node sends first."""
    return int(node.receive())


def why_lost(node: Node) -> str:
    while True:
        try:
            node.receive()
        except NodeLostError as lost:
            return str(lost)


@contextlib.contextmanager
def earlier_session(code: str) -> Iterator[tuple[list[psutil.Process], list[int]]]:
    """Start two nodes from another process, in which `code` makes the engine.

    Yield the processes of that session on this side of the engine, the first of which is that of the sweep, and the ids of
    those of its nodes.
    """
    words = [sys.executable, "-c", EARLIER.format(code=code, echo=ECHO)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()), int(process.stdout.readline())]
        assert all(map(psutil.pid_exists, pids))
        own = psutil.Process(process.pid)
        session = [own, *own.children()]
        yield session, pids
        for each in session:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


class EngineContract:
    """Its fixtures are those of the module of a subclass: `engine`, and `code`, which makes the engine in another process."""

    def test_messages_of_any_length_go_both_ways_in_their_order(self, engine: Engine) -> None:
        node = next(engine.nodes(command()))
        pid_of(node)
        messages = [b"", b"short", os.urandom(20_000_000), *(b"%d" % number for number in range(200))]
        for message in messages:
            node.send(message)
        assert [node.receive() for _ in messages] == messages

    def test_a_place_whose_node_has_died_gets_another_one_and_one_whose_node_was_closed_for_good_gets_none(
        self, engine: Engine
    ) -> None:
        nodes = engine.nodes(command())
        first, second = next(nodes), next(nodes)
        pid = pid_of(second)
        second.close(for_good=True)
        assert are_gone(pid)
        assert why_lost(second) == "it was closed"
        with pytest.raises(NodeLostError, match=r"^it was closed$"):
            second.send(b"too late")
        os.kill(pid_of(first), signal.SIGKILL)
        assert "exit code" in why_lost(first)
        third = next(nodes)
        assert third.name == first.name
        third.send(b"again")
        assert (psutil.pid_exists(pid_of(third)), third.receive()) == (True, b"again")

    def test_a_node_that_cannot_start_is_lost_from_the_beginning_with_what_it_said(
        self, engine: Engine
    ) -> None:
        node = next(engine.nodes(command("raise SystemExit('no room here')")))
        assert "no room here" in why_lost(node)

    def test_a_node_that_an_earlier_session_of_the_sweep_has_left_is_ended_first(
        self, engine: Engine, code: str
    ) -> None:
        with earlier_session(code) as (session, pids):
            for each in session:
                each.suspend()
            node = next(engine.nodes(command()))
            assert are_gone(*pids)
            assert psutil.pid_exists(pid_of(node))

    def test_all_ends_by_itself_when_the_process_of_its_sweep_is_killed(self, code: str) -> None:
        with earlier_session(code) as ((own, *others), pids):
            own.kill()
            own.wait()
            wait_until_gone(*pids, *(each.pid for each in others))

    def test_closing_leaves_no_node_and_ends_the_iteration(self, engine: Engine) -> None:
        nodes = engine.nodes(command())
        pids = [pid_of(next(nodes)), pid_of(next(nodes))]
        ended = threading.Event()

        def iterate() -> None:
            assert list(nodes) == []
            ended.set()

        threading.Thread(target=iterate).start()
        engine.close()
        engine.close()
        assert ended.wait(PATIENCE_S)
        assert are_gone(*pids)
