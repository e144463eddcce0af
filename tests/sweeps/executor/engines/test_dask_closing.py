"""The cluster that a sweep has started ends with it, and keeps its size until then, whatever Dask raises meanwhile."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from sweeps.executor.cluster.engine import NodeCommand
from sweeps.executor.engines import dask_cluster
from sweeps.executor.engines.dask import Connection, DaskEngine
from sweeps.executor.engines.dask_cluster import connect
from sweeps.settings.dask_settings import DaskSettings

PATIENCE_S = 20.0
SETTINGS = DaskSettings(None, {"_target_": "some.Cluster"}, 1, 30.0, None)


class FakeCluster:
    """A cluster that fails the second and the third time that it is scaled."""

    def __init__(self) -> None:
        self.is_closed = False
        self.scaled = list[int]()
        self.is_kept = threading.Event()

    def scale(self, workers: int) -> None:
        self.scaled.append(workers)
        if len(self.scaled) in {2, 3}:
            raise RuntimeError("Slurm is temporarily unable to accept jobs")
        if len(self.scaled) == 4:
            self.is_kept.set()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Have the sweep start this cluster; its client cannot be closed."""
    cluster = FakeCluster()

    def close() -> None:
        raise TimeoutError("the scheduler does not answer")

    monkeypatch.setattr(dask_cluster, "started", lambda *_: cluster)
    monkeypatch.setattr(dask_cluster, "_ClosedClient", lambda _cluster: SimpleNamespace(close=close))
    monkeypatch.setattr(dask_cluster, "_leave_interrupts_to_the_sweep", lambda: None)
    return cluster


def test_a_cluster_is_closed_also_when_its_client_cannot_be(cluster: FakeCluster) -> None:
    connection = connect(SETTINGS)
    with pytest.raises(TimeoutError, match="does not answer"):
        connection.close()
    assert cluster.is_closed


def test_a_connection_is_closed_also_when_its_nodes_cannot_be_ended() -> None:
    async def test() -> None:
        begun, closed = asyncio.Event(), threading.Event()

        async def nthreads() -> dict[str, int]:
            begun.set()
            return {}

        async def run(*_: object, **__: object) -> None:
            raise RuntimeError("the client is broken")

        loop = SimpleNamespace(asyncio_loop=asyncio.get_running_loop())
        client = SimpleNamespace(
            status="running", loop=loop, subscribe_topic=lambda *_: None, nthreads=nthreads, run=run
        )
        engine = DaskEngine(lambda: Connection(client, closed.set))
        iterating = asyncio.ensure_future(asyncio.to_thread(list, engine.nodes(NodeCommand("sweep", ()))))
        await begun.wait()
        with pytest.raises(RuntimeError, match="the client is broken"):
            await asyncio.to_thread(engine.close)
        assert closed.is_set()
        assert await iterating == []

    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


def test_a_cluster_is_kept_at_its_size_though_it_cannot_be_scaled_for_a_while(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dask_cluster, "SCALE_EVERY_S", 0.01)
    connection = connect(SETTINGS)
    assert cluster.is_kept.wait(PATIENCE_S)
    with pytest.raises(TimeoutError):
        connection.close()
    assert caplog.messages == [
        "the cluster cannot be kept at 1 worker now: RuntimeError: Slurm is temporarily unable to accept jobs"
    ]
