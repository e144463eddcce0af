"""Which Dask cluster a sweep uses: that of an address, one that a class starts, or one on this machine."""

import signal
import subprocess
import sys
import threading

import dask
import pytest
from distributed import LocalCluster

from sweeps.executor.engines import dask_cluster
from sweeps.executor.engines.dask_cluster import connect, started
from sweeps.settings.dask_settings import DaskSettings

CODE = """
import sys
from sweeps.sweeper import run
import sweeps.cli.app, hydra_plugins.podium.sweeper, hydra_plugins.podium.launcher
print(*(name for name in ("distributed", "dask", "tornado", "torch") if name in sys.modules))
"""


def test_the_class_of_a_cluster_gets_plain_lists_and_mappings() -> None:
    given = {"hosts": ["one", "two"], "worker_options": {"nthreads": 4}}
    cluster = started(DaskSettings(None, {"_target_": "builtins.dict", **given}, None, 30.0, None))
    assert cluster == given
    assert (type(cluster["hosts"]), type(cluster["worker_options"])) == (list, dict)


def test_a_sweep_on_one_machine_imports_no_dask() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


@pytest.mark.slow
def test_a_cluster_that_is_started_gets_the_workers_that_were_asked_for_and_ends_when_it_is_closed() -> None:
    cluster = {"_target_": "distributed.LocalCluster", "n_workers": 0, "dashboard_address": "127.0.0.1:0"}
    found = []

    def use() -> None:
        connection = connect(DaskSettings(None, cluster, 1, 30.0, None))
        try:
            connection.client.wait_for_workers(1, timeout=60)
            found.append((type(connection.client.cluster), signal.pthread_sigmask(signal.SIG_BLOCK, ())))
        finally:
            connection.close()
        found.append((connection.client.status, None))

    thread = threading.Thread(target=use)  # whose signals are changed
    thread.start()
    thread.join()
    assert found == [(LocalCluster, {signal.SIGINT}), ("closed", None)]


@pytest.mark.slow
def test_a_worker_that_leaves_a_cluster_of_the_sweep_s_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "SCALE_EVERY_S", 0.2)
    cluster = {"_target_": "distributed.LocalCluster", "n_workers": 0, "dashboard_address": "127.0.0.1:0"}
    found = []

    def use() -> None:
        connection = connect(DaskSettings(None, cluster, 1, 30.0, None))
        try:
            for _ in range(2):
                connection.client.wait_for_workers(1, timeout=60)
                found.extend(connection.client.nthreads())
                connection.client.retire_workers([found[-1]])
        finally:
            connection.close()

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert len(set(found)) == 2
