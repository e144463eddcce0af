"""The workers of a Dask cluster as places for nodes; the nodes here send back what they get."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dask_started import engine_on, local_cluster, worker_of
from distributed import Client, LocalCluster
from engine_contract import EngineContract, command, leaving, pid_of, why_lost
from engine_processes import PATIENCE_S, are_gone, wait_until_gone

from sweeps.errors import SweepError
from sweeps.executor.cluster.engine import NodeRefusedError
from sweeps.executor.engines import dask, dask_endings
from sweeps.executor.engines.dask import Connection, DaskEngine

pytestmark = pytest.mark.slow

CODE = """
from distributed import Client
from sweeps.executor.engines.dask import Connection, DaskEngine
client = Client("{address}")
engine = DaskEngine(lambda: Connection(client, client.close))
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


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(2) as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: LocalCluster) -> Iterator[DaskEngine]:
    engine = engine_on(cluster)
    yield engine
    engine.close()


class TestDask(EngineContract):
    @pytest.fixture
    def code(self, cluster: LocalCluster) -> str:
        return CODE.format(address=cluster.scheduler_address)


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


def test_a_worker_whose_node_was_closed_as_it_was_silent_gets_another_one_once_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask, "CLOSE_WITHIN_S", 0.5)
    with local_cluster(0) as cluster, worker_of(cluster, "--no-nanny") as worker:
        engine = engine_on(cluster)
        nodes = engine.nodes(command())
        first = next(nodes)
        pid = pid_of(first)
        os.kill(worker.pid, signal.SIGSTOP)
        first.close()
        assert why_lost(first) == "it was closed"
        os.kill(worker.pid, signal.SIGCONT)
        second = next(nodes)
        assert (second.name, pid_of(second) > 0, psutil.pid_exists(pid)) == (first.name, True, False)
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
        local_cluster(0) as cluster,
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
        assert psutil.pid_exists(pid_of(third))
    finally:
        cluster.scale(2)
    assert why_lost(third)


def test_a_worker_that_retires_lets_its_node_end_in_order_and_say_so() -> None:
    with local_cluster(1) as cluster:
        engine = engine_on(cluster)
        node = next(engine.nodes(leaving(ends_s=1.5)))
        pid = pid_of(node)
        with Client(cluster, set_as_default=False) as client:
            client.retire_workers([f"tcp://{node.name}"])
        assert node.receive() == b"leaving"
        assert "exit code 0" in why_lost(node)
        assert are_gone(pid)
        engine.close()


def test_a_nanny_that_closes_waits_for_the_node_on_its_worker() -> None:
    with local_cluster(1) as cluster:
        engine = engine_on(cluster)
        node = next(engine.nodes(leaving(ends_s=6)))  # a nanny alone would wait for four seconds
        pid = pid_of(node)
        (nanny,) = cluster.workers.values()
        cluster.sync(nanny.close)
        assert node.receive() == b"leaving"
        assert "exit code 0" in why_lost(node)
        assert are_gone(pid)
        engine.close()


@pytest.mark.parametrize("nanny", ["--no-nanny", "--nanny"])
def test_a_worker_whose_processes_all_get_sigterm_ends_after_its_node(nanny: str) -> None:
    with local_cluster(0) as cluster, worker_of(cluster, nanny) as worker:
        engine = engine_on(cluster)
        node = next(engine.nodes(leaving(ends_s=10)))  # a nanny alone would wait for eight seconds
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

    with local_cluster(0) as cluster, worker_of(cluster, "--no-nanny") as worker:
        engine = engine_on(cluster)
        node = next(engine.nodes(command()))
        pid_of(node)
        with Client(cluster, set_as_default=False) as client:
            client.run(hang)
        worker.terminate()
        assert worker.wait(PATIENCE_S) == 1
        engine.close()


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
    with local_cluster(1) as cluster:
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
