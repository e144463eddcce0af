"""The workers of a Dask cluster as places for nodes; the nodes here send back what they get."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import forked
import forked_nodes
import pytest
from distributed import Client, LocalCluster

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import Node, NodeCommand, NodeLostError, NodeRefusedError
from sweeps.executor.engines import dask, dask_endings
from sweeps.executor.engines.dask import Connection, DaskEngine

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
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
def leave(*_):
    time.sleep({ends_s})  # its jobs end
    write_frame(1, b"leaving")
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
write_frame(1, b"%d" % os.getpid())
time.sleep(600)
"""
LACKING = """
import sys
for name in [*sys.modules, "sweeps"]:
    if name.partition(".")[0] == "sweeps":
        sys.modules[name] = None  # importing it raises ModuleNotFoundError
"""
OTHER_DASK = """
from dask.task_spec import Task
def refuse(task, state):
    raise TypeError("state is not a dictionary")
Task.__setstate__ = refuse
"""
EARLIER = """
import time
from distributed import Client
from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines.dask import Connection, DaskEngine
client = Client("{address}")
nodes = DaskEngine(lambda: Connection(client, client.close)).nodes(NodeCommand("echoes", ("-c", {code!r})))
for _ in range(2):
    print(int(next(nodes).receive()), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: LocalCluster) -> Iterator[DaskEngine]:
    engine = engine_on(cluster)
    yield engine
    engine.close()


def engine_on(cluster: LocalCluster) -> DaskEngine:
    def connect() -> Connection:
        client = Client(cluster, set_as_default=False)
        return Connection(client, client.close)

    return DaskEngine(connect)


def command(code: str = ECHO) -> NodeCommand:
    return NodeCommand("echoes", ("-c", code))


@contextlib.contextmanager
def earlier_session(cluster: LocalCluster) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """Start two nodes from another process; yield it and their process ids."""
    code = EARLIER.format(address=cluster.scheduler_address, code=ECHO)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()), int(process.stdout.readline())]
        assert all(map(is_running, pids))
        yield process, pids


def pid_of(node: Node) -> int:
    """Return the process id that a node sends first."""
    return int(node.receive())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def why_lost(node: Node) -> str:
    while True:
        try:
            node.receive()
        except NodeLostError as lost:
            return str(lost)


def test_each_worker_is_a_place_with_room_for_as_many_jobs_as_it_has_threads(
    engine: DaskEngine, cluster: LocalCluster
) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    addresses = {each.address.partition("://")[2] for each in cluster.workers.values() if each.address}
    workers = {each.partition("://")[2] for each in cluster.scheduler_info["workers"]}
    assert {first.name, second.name} == workers, addresses
    assert (first.places, second.places) == (1, 1)
    assert pid_of(first) != pid_of(second)


def test_messages_of_any_length_go_both_ways_in_their_order(engine: DaskEngine) -> None:
    node = next(engine.nodes(command()))
    pid_of(node)
    messages = [b"", b"short", os.urandom(20_000_000), *(b"%d" % number for number in range(200))]
    for message in messages:
        node.send(message)
    assert [node.receive() for _ in messages] == messages


def test_a_place_whose_node_has_died_gets_another_one_and_one_whose_node_was_closed_for_good_gets_none(
    engine: DaskEngine,
) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    pid = pid_of(second)
    second.close(for_good=True)
    assert not is_running(pid)
    assert "it was closed" in why_lost(second)
    with pytest.raises(NodeLostError, match=r"^it was closed$"):
        second.send(b"too late")
    os.kill(pid_of(first), signal.SIGKILL)
    assert "exit code" in why_lost(first)
    third = next(nodes)
    assert third.name == first.name
    third.send(b"again")
    assert (is_running(pid_of(third)), third.receive()) == (True, b"again")


def test_a_worker_whose_node_was_closed_as_it_was_silent_gets_another_one_once_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask, "CLOSE_WITHIN_S", 0.5)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        worker_of(cluster, "--no-nanny") as worker,
    ):
        engine = engine_on(cluster)
        nodes = engine.nodes(command())
        first = next(nodes)
        pid = pid_of(first)
        os.kill(worker.pid, signal.SIGSTOP)
        first.close()
        assert why_lost(first) == "it was closed"
        os.kill(worker.pid, signal.SIGCONT)
        second = next(nodes)
        assert (second.name, pid_of(second) > 0, is_running(pid)) == (first.name, True, False)
        second.send(b"again")
        assert second.receive() == b"again"
        engine.close()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (LACKING, "its Dask worker cannot import podium: ModuleNotFoundError: "),
        (OTHER_DASK, r"its Dask worker cannot read tasks of Dask \d.*state is not a dictionary"),
    ],
)
def test_a_worker_that_could_not_read_its_task_is_refused_and_left_alone(
    tmp_path: Path, code: str, error: str
) -> None:
    lacking = tmp_path / "lacking.py"
    lacking.write_text(code)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        worker_of(cluster, "--no-nanny", "--preload", str(lacking)) as worker,
        Client(cluster, set_as_default=False) as client,
    ):
        engine = engine_on(cluster)
        nodes = engine.nodes(command())
        refused = next(nodes)
        with pytest.raises(NodeRefusedError, match=error):
            refused.receive()
        refused.close(for_good=True)
        assert not engine.is_starting
        with worker_of(cluster, "--no-nanny"):
            node = next(nodes)
            assert node.name != refused.name
            pid_of(node)
            engine.close()
        there = f"tcp://{refused.name}"
        assert client.run(os.getpid, workers=[there]) == {there: worker.pid}


def test_a_node_that_cannot_start_is_lost_from_the_beginning_with_what_it_said(engine: DaskEngine) -> None:
    node = next(engine.nodes(command("raise SystemExit('no room here')")))
    assert "no room here" in why_lost(node)


def test_a_node_is_lost_with_its_worker_and_the_new_worker_is_a_new_place(
    engine: DaskEngine, cluster: LocalCluster
) -> None:
    nodes = engine.nodes(command())
    first, second = next(nodes), next(nodes)
    pid = pid_of(first)
    with Client(cluster, set_as_default=False) as client:
        (worker,) = client.run(os.getpid, workers=[f"tcp://{first.name}"]).values()
    os.kill(worker, signal.SIGKILL)
    assert why_lost(first) == "its Dask worker has gone"
    third = next(nodes)
    assert third.name != second.name
    assert pid_of(third) != pid
    second.send(b"still here")
    assert (pid_of(second) > 0, second.receive()) == (True, b"still here")
    wait_until_gone(pid)


def test_a_worker_that_comes_later_is_a_place_too(engine: DaskEngine, cluster: LocalCluster) -> None:
    nodes = engine.nodes(command())
    names = {next(nodes).name, next(nodes).name}
    cluster.scale(3)
    try:
        third = next(nodes)
        assert third.name not in names
        assert is_running(pid_of(third))
    finally:
        cluster.scale(2)
    assert why_lost(third)


def test_a_worker_that_retires_lets_its_node_end_in_order_and_say_so() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        engine = engine_on(cluster)
        node = next(engine.nodes(command(LEAVING.format(ends_s=1.5))))
        pid = pid_of(node)
        with Client(cluster, set_as_default=False) as client:
            client.retire_workers([f"tcp://{node.name}"])
        assert node.receive() == b"leaving"
        assert "exit code 0" in why_lost(node)
        assert not is_running(pid)
        engine.close()


def test_a_nanny_that_closes_waits_for_the_node_on_its_worker() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        engine = engine_on(cluster)
        node = next(
            engine.nodes(command(LEAVING.format(ends_s=6)))
        )  # a nanny alone would wait for four seconds
        pid = pid_of(node)
        (nanny,) = cluster.workers.values()
        cluster.sync(nanny.close)
        assert node.receive() == b"leaving"
        assert "exit code 0" in why_lost(node)
        assert not is_running(pid)
        engine.close()


@contextlib.contextmanager
def worker_of(cluster: LocalCluster, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a worker with the command of Dask; its processes are a group."""
    command = ("-m", "dask", "worker", cluster.scheduler_address, "--nthreads", "1", "--no-dashboard", *words)
    out = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = forked.start(*command, kind=forked_nodes.DASK, **out)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.parametrize("nanny", ["--no-nanny", "--nanny"])
def test_a_worker_whose_processes_all_get_sigterm_ends_after_its_node(nanny: str) -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        worker_of(cluster, nanny) as worker,
    ):
        engine = engine_on(cluster)
        node = next(
            engine.nodes(command(LEAVING.format(ends_s=10)))
        )  # a nanny alone would wait for eight seconds
        pid_of(node)
        os.killpg(worker.pid, signal.SIGTERM)
        assert node.receive() == b"leaving"
        assert "exit code 0" in why_lost(node)
        assert worker.wait(PATIENCE_S) == 0
        engine.close()


def test_a_worker_that_hangs_as_it_ends_is_ended() -> None:
    async def hang() -> None:
        dask_endings.ENDS_WITHIN_S = 1.0
        asyncio.get_running_loop().run_in_executor(
            None, time.sleep, 600
        )  # which the loop waits for as it ends

    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        worker_of(cluster, "--no-nanny") as worker,
    ):
        engine = engine_on(cluster)
        node = next(engine.nodes(command()))
        pid_of(node)
        with Client(cluster, set_as_default=False) as client:
            client.run(hang)
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 1
        engine.close()


def test_a_node_that_an_earlier_session_of_the_sweep_has_left_is_ended_first(
    engine: DaskEngine, cluster: LocalCluster
) -> None:
    with earlier_session(cluster) as (process, pids):
        process.send_signal(signal.SIGSTOP)
        node = next(engine.nodes(command()))
        assert not any(map(is_running, pids))
        assert is_running(pid_of(node))
        process.kill()


def test_a_node_ends_by_itself_when_the_process_of_its_sweep_is_killed(cluster: LocalCluster) -> None:
    with earlier_session(cluster) as (process, pids):
        process.kill()
    for pid in pids:
        wait_until_gone(pid)


def test_closing_leaves_no_node_and_ends_the_iteration(cluster: LocalCluster) -> None:
    engine = engine_on(cluster)
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
    assert [pid for pid in pids if is_running(pid)] == []


def test_a_cluster_that_cannot_be_reached_is_named() -> None:
    def connect() -> Connection:
        raise OSError("nobody answers")

    engine = DaskEngine(connect, "address=tcp://here:8786")
    with pytest.raises(
        SweepError, match="address=tcp://here:8786: Dask cannot use it: OSError: nobody answers"
    ):
        next(engine.nodes(command()))
    engine.close()


def test_when_the_scheduler_has_gone_the_nodes_are_lost_and_the_engine_says_so() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        client = Client(cluster.scheduler_address, set_as_default=False, timeout=5)
        engine = DaskEngine(lambda: Connection(client, client.close))
        nodes = engine.nodes(command())
        node = next(nodes)
        pid = pid_of(node)
        cluster.close()
        with pytest.raises(SweepError, match="the scheduler of Dask has gone"):
            next(nodes)
        assert why_lost(node)
        engine.close()
    wait_until_gone(pid)


def wait_until_gone(pid: int) -> None:
    """Wait for a process that ends by itself, as it has lost its parent."""
    waited = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        if not is_running(pid):
            return
        waited.wait(0.05)
    raise AssertionError(f"process {pid} still runs")
