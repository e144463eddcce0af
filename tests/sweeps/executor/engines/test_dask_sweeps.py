"""A sweep on a Dask cluster ends with the leaderboard that it has on one machine, whatever happens to the cluster."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import forked_nodes
import psutil
import pytest

from tracking import ExperimentTracker

pytestmark = pytest.mark.slow

APP = Path(__file__).parents[2] / "apps" / "learner" / "app.py"
ROOT = Path(__file__).parents[4]
PATIENCE_S = 120.0
GRID = ("-m", "x=0.1,0.3,0.45,0.6,0.8,0.9", "epochs=9", "hydra.sweeper.name=mine")
ONE = ("-m", "x=0.3", "hydra.sweeper.name=mine")
SEARCH = (
    *("-m", "x=interval(0,1)", "hydra.sweeper.mode=tpe", "hydra.sweeper.n_trials=8", "hydra.sweeper.schedule=asha"),
    "hydra.sweeper.name=mine",
)  # fmt: skip


def begin(folder: Path, *words: str, path: Path = ROOT) -> "subprocess.Popen[str]":
    folder.mkdir(exist_ok=True)
    return forked.start(
        *words,
        kind=forked_nodes.DASK,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}"},
    )


def end(process: "subprocess.Popen[str]") -> str:
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out
    return out


def sweep(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return begin(folder, str(APP), *words)


def board(folder: Path) -> list[dict[str, str]]:
    """Return the leaderboard without what depends on the clock: times, and which run got which name."""
    with (folder / "experiments" / "sweeps" / "mine" / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if name not in {"run", "duration_s"}} for row in rows]


def ledger(folder: Path) -> list[dict[str, object]]:
    text = (folder / "experiments" / "sweeps" / "mine" / "jobs.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def wait_for(condition: Callable[[], object]) -> None:
    waited = threading.Event()
    for _ in range(int(PATIENCE_S / 0.1)):
        if condition():
            return
        waited.wait(0.1)
    raise AssertionError("it does not happen")


class Cluster:
    """A scheduler of Dask and its workers, as processes that somebody else has started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[str]] = []
        self.start("scheduler", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
        wait_for(lambda: self.file.exists() and self.file.read_text().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = ("-m", "dask", *words, "--scheduler-file", str(self.file))
        with (self.folder / f"{words[0]}-{len(self.processes)}.log").open("w") as log:
            process = forked.start(*command, kind=forked_nodes.DASK, cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def worker(self, *words: str) -> "subprocess.Popen[str]":
        return self.start("worker", "--nthreads", "1", "--no-dashboard", *words)

    def close(self) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The leaderboard of the grid on this machine."""
    folder = tmp_path_factory.mktemp("home")
    end(sweep(folder, *GRID))
    return board(folder)


def on(cluster: Cluster) -> tuple[str, ...]:
    return ("hydra/launcher=podium_dask", f"hydra.launcher.address='{cluster.address}'")


def test_a_search_with_a_schedule_decides_on_a_cluster_as_on_one_machine(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    end(sweep(home, *SEARCH))
    end(sweep(away, *SEARCH, "hydra/launcher=podium_dask"))
    assert board(home) == board(away)
    assert any(entry["event"] == "rung" for entry in ledger(away))


def test_a_cluster_of_any_class_is_started_scaled_and_ended(
    tmp_path: Path, at_home: list[dict[str, str]]
) -> None:
    end(
        sweep(
            tmp_path,
            *GRID,
            "hydra/launcher=podium_dask",
            "+hydra.launcher.cluster._target_=distributed.LocalCluster",
            "+hydra.launcher.cluster.n_workers=1",
            "+hydra.launcher.cluster.threads_per_worker=1",
            "+hydra.launcher.cluster.dashboard_address='127.0.0.1:0'",
            "hydra.launcher.scale=2",
        )
    )
    assert board(tmp_path) == at_home
    assert len({entry["node"] for entry in ledger(tmp_path) if entry["event"] == "started"}) == 2


def test_workers_that_are_killed_and_workers_that_come_later_change_nothing(
    tmp_path: Path, cluster: Cluster, at_home: list[dict[str, str]]
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


def test_a_sweep_whose_process_was_killed_goes_on_when_it_is_resumed(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.worker("--no-nanny")
    cluster.worker("--no-nanny")
    away, home = tmp_path / "away", tmp_path / "home"
    process = sweep(away, *GRID, "fault=slow", "epochs=40", *on(cluster))
    wait_for(lambda: events(away, "finished"))
    process.kill()
    process.communicate()
    out = end(begin(away, "-m", "sweeps", "resume", "mine"))
    assert "resumed" in out
    end(sweep(home, *GRID, "epochs=40"))
    assert board(away) == board(home)


def test_jobs_of_a_worker_that_is_cut_off_stop_by_themselves_and_go_on_when_it_is_back_or_elsewhere(
    tmp_path: Path, cluster: Cluster
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
    tmp_path: Path, cluster: Cluster
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


def test_ctrl_c_is_for_the_sweep_alone_which_stops_its_jobs_gently(tmp_path: Path) -> None:
    process = sweep(tmp_path, *GRID, "fault=slow", "epochs=4000", "hydra/launcher=podium_dask")
    wait_for(lambda: events(tmp_path, "run"))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, out
    assert "stopped by SIGINT" in out
    assert "Worker process" not in out  # has ended, or had to be killed
    assert {(each["status"], each.get("reason")) for each in events(tmp_path, "finished")} == {
        ("killed", "stopped"),
        ("cancelled", "stopped"),
    }


def test_a_library_that_takes_ctrl_c_as_it_is_imported_has_the_class_of_the_cluster(tmp_path: Path) -> None:
    library = "import signal\nfrom distributed import LocalCluster as Cluster\nsignal.signal(signal.SIGINT, lambda *_: exit(9))\n"
    (tmp_path / "taking.py").write_text(
        library
    )  # as dask_jobqueue does, which works in the main thread alone
    process = begin(
        tmp_path,
        str(APP),
        *(*GRID, "fault=slow", "epochs=4000", "hydra/launcher=podium_dask"),
        "+hydra.launcher.cluster._target_=taking.Cluster",
        "+hydra.launcher.cluster.n_workers=1",
        "+hydra.launcher.cluster.dashboard_address='127.0.0.1:0'",
        path=tmp_path,
    )
    wait_for(lambda: events(tmp_path, "run"))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, out
    assert "stopped by SIGINT" in out


def test_nothing_is_left_of_a_sweep_on_this_machine_whose_process_was_killed(tmp_path: Path) -> None:
    process = sweep(tmp_path, *GRID, "fault=slow", "epochs=4000", "hydra/launcher=podium_dask")
    wait_for(lambda: events(tmp_path, "run"))
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) > 3
    process.kill()
    process.communicate()
    _, left = psutil.wait_procs(below, PATIENCE_S)
    assert [each.cmdline() for each in left] == []


def test_an_address_without_a_scheduler_is_named(tmp_path: Path) -> None:
    address = ("hydra/launcher=podium_dask", "hydra.launcher.address='tcp://127.0.0.1:9'")
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
    assert "address=tcp://127.0.0.1:9: Dask cannot use it" in done.stdout + done.stderr
    assert "; resume with: python -m sweeps resume " in done.stdout + done.stderr


def events(folder: Path, kind: str) -> list[dict[str, object]]:
    try:
        return [entry for entry in ledger(folder) if entry["event"] == kind]
    except (OSError, ValueError):  # it has not begun, or writes a line
        return []
