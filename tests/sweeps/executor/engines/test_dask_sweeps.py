"""A sweep on a Dask cluster ends with the leaderboard that it has on one machine, whatever happens to the cluster."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import engine_sweeps
import psutil
import pytest
from dask_started import StartedDask, start, started_dask
from engine_processes import PACKAGES, PATIENCE_S, ROOT, wait_for
from engine_sweeps import APP, LONG, SEARCH, board, end, end_stopped, events, kill

from tracking import ExperimentTracker

pytestmark = pytest.mark.slow

GRID = (*engine_sweeps.GRID, "epochs=9")
ONE = ("-m", "x=0.3", engine_sweeps.NAME)
LAUNCHER = "hydra/launcher=podium_dask"

begin = partial(engine_sweeps.begin, start=start)
sweep = partial(engine_sweeps.sweep, start=start)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StartedDask]:
    with started_dask(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The leaderboard of the grid on this machine."""
    folder = tmp_path_factory.mktemp("home")
    end(sweep(folder, *GRID))
    return board(folder)


def on(cluster: StartedDask) -> tuple[str, ...]:
    return (LAUNCHER, f"hydra.launcher.address='{cluster.address}'")


def test_a_search_with_a_schedule_decides_on_a_cluster_as_on_one_machine(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    end(sweep(home, *SEARCH))
    end(sweep(away, *SEARCH, LAUNCHER))
    assert board(home) == board(away)
    assert events(away, "rung")


def test_a_cluster_of_any_class_is_started_scaled_and_ended(
    tmp_path: Path, at_home: list[dict[str, str]]
) -> None:
    end(
        sweep(
            tmp_path,
            *GRID,
            LAUNCHER,
            "+hydra.launcher.cluster._target_=distributed.LocalCluster",
            "+hydra.launcher.cluster.n_workers=1",
            "+hydra.launcher.cluster.threads_per_worker=1",
            "+hydra.launcher.cluster.dashboard_address='127.0.0.1:0'",
            "hydra.launcher.scale=2",
        )
    )
    assert board(tmp_path) == at_home
    assert len({entry["node"] for entry in events(tmp_path, "started")}) == 2


def test_workers_that_are_killed_and_workers_that_come_later_change_nothing(
    tmp_path: Path, cluster: StartedDask, at_home: list[dict[str, str]]
) -> None:
    process = sweep(tmp_path / "away", *GRID, "fault=slow", "epochs=40", *on(cluster))
    assert process.stdout is not None
    first = cluster.worker()
    wait_for(lambda: events(tmp_path / "away", "run"))
    second = cluster.worker()
    wait_for(lambda: len({each["node"] for each in events(tmp_path / "away", "started")}) == 2)
    os.killpg(first.pid, signal.SIGKILL)
    wait_for(lambda: events(tmp_path / "away", "retry"))
    (worker,) = (
        each for each in psutil.Process(second.pid).children() if "spawn_main" in " ".join(each.cmdline())
    )
    worker.kill()
    end(process)
    assert all(entry["lost_node"] for entry in events(tmp_path / "away", "retry"))
    home = tmp_path / "home"
    end(sweep(home, *GRID, "epochs=40"))
    assert board(tmp_path / "away") == board(home)


@pytest.mark.parametrize("there", [(), ("hydra/launcher=podium", "~hydra.launcher.address")])
def test_a_sweep_whose_process_was_killed_goes_on_when_it_is_resumed_there_or_at_home(
    tmp_path: Path, cluster: StartedDask, there: tuple[str, ...]
) -> None:
    cluster.worker("--no-nanny")
    cluster.worker("--no-nanny")
    away, home = tmp_path / "away", tmp_path / "home"
    process = sweep(away, *GRID, "fault=slow", "epochs=40", *on(cluster))
    wait_for(lambda: events(away, "finished"))
    kill(process)
    out = end(begin(away, "-m", "sweeps", "resume", "mine", *there))
    assert "resumed" in out
    assert all("node" in each for each in events(away, "started")) == (not there)
    end(sweep(home, *GRID, "epochs=40"))
    assert board(away) == board(home)


def test_jobs_of_a_worker_that_is_cut_off_stop_by_themselves_and_go_on_when_it_is_back_or_elsewhere(
    tmp_path: Path, cluster: StartedDask
) -> None:
    away, home = tmp_path / "away", tmp_path / "home"
    cut_off = psutil.Process(cluster.worker("--no-nanny").pid)
    process = sweep(away, *ONE, "fault=slow", "epochs=400", *on(cluster), "hydra.launcher.lease_s=15")
    wait_for(lambda: events(away, "run"))
    pids = [each["pid"] for each in events(away, "started")]
    cut_off.suspend()  # its node runs on, and hears nothing
    wait_for(lambda: not any(map(psutil.pid_exists, pids)))
    assert not events(away, "retry")
    cut_off.resume()
    end(process)
    assert events(away, "retry")
    end(sweep(home, *ONE, "epochs=400"))
    assert board(away) == board(home)


def test_a_worker_that_is_cut_off_for_less_than_the_lease_loses_nothing(
    tmp_path: Path, cluster: StartedDask
) -> None:
    away, home = tmp_path / "away", tmp_path / "home"
    worker = psutil.Process(cluster.worker("--no-nanny").pid)
    process = sweep(away, *ONE, "fault=slow", "epochs=60", *on(cluster))
    wait_for(lambda: events(away, "run"))
    worker.suspend()
    tracker = ExperimentTracker(away / "experiments")
    wait_for(lambda: (record := tracker.record("run_001")) and record.status == "completed")
    worker.resume()
    end(process)
    assert not events(away, "retry")
    end(sweep(home, *ONE, "epochs=60"))
    assert board(away) == board(home)


def test_a_library_that_takes_ctrl_c_as_it_is_imported_has_the_class_of_the_cluster(tmp_path: Path) -> None:
    library = "import signal\nfrom distributed import LocalCluster as Cluster\nsignal.signal(signal.SIGINT, lambda *_: exit(9))\n"
    (tmp_path / "taking.py").write_text(
        library
    )  # as dask_jobqueue does, which works in the main thread alone
    process = begin(
        tmp_path,
        str(APP),
        *(*GRID, *LONG, LAUNCHER),
        "+hydra.launcher.cluster._target_=taking.Cluster",
        "+hydra.launcher.cluster.n_workers=1",
        "+hydra.launcher.cluster.dashboard_address='127.0.0.1:0'",
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGES}"},
    )
    wait_for(lambda: events(tmp_path, "run"))
    process.send_signal(signal.SIGINT)
    end_stopped(process)


@pytest.mark.parametrize("where", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "htp://127.0.0.1:9"])
def test_an_address_that_dask_cannot_use_is_named_and_ends_the_command(tmp_path: Path, where: str) -> None:
    address = (LAUNCHER, f"hydra.launcher.address='{where}'")
    done = subprocess.run(  # not forked: Dask reads its variables as it is imported
        [sys.executable, str(APP), *GRID, *address],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1
    assert f"address={where}: Dask cannot use it" in done.stdout + done.stderr
    assert "; resume with: python -m sweeps resume " in done.stdout + done.stderr
