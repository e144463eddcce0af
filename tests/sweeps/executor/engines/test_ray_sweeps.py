"""A sweep on Ray ends with the leaderboard that it has on one machine, whatever happens to Ray."""

import random
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import engine_sweeps
import psutil
import pytest
from engine_processes import PATIENCE_S, ROOT, wait_for
from engine_sweeps import LONG, begin, board, end, end_stopped, events, kill, sweep
from ray_started import NEEDS_RAY, StartedRay, started_ray

pytestmark = NEEDS_RAY

GRID = (*engine_sweeps.GRID, "epochs=40")
SEARCH = (*engine_sweeps.SEARCH, "hydra.launcher.n_jobs=1")
LAUNCHER = "hydra/launcher=podium_ray"


@pytest.fixture(scope="module")
def ray() -> Iterator[StartedRay]:
    with started_ray("--num-cpus=2") as ray:
        yield ray


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The leaderboard of the grid on this machine."""
    folder = tmp_path_factory.mktemp("home")
    end(sweep(folder, *GRID))
    return board(folder)


def on(ray: StartedRay) -> tuple[str, ...]:
    return (LAUNCHER, f"hydra.launcher.address='{ray.address}'")


def actors(ray: StartedRay) -> list[psutil.Process]:
    """Return the actors that have a node."""
    return [each for each in ray.left() if each.name().startswith("ray::NodeActor") and each.children()]


def test_a_search_with_a_schedule_decides_on_ray_as_on_one_machine_and_ray_stays_silent(
    tmp_path: Path,
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    end(sweep(home, *SEARCH))
    out = end(sweep(away, *SEARCH, LAUNCHER, "hydra.launcher.nodes=1"))
    assert board(home) == board(away)
    assert events(away, "rung")
    assert not any(word in out for word in ("raylet", "pid=", "INFO worker.py", "Traceback"))


def test_actors_that_are_killed_at_any_moment_and_machines_that_come_later_change_nothing(
    tmp_path: Path, ray: StartedRay, at_home: list[dict[str, str]]
) -> None:
    process = sweep(tmp_path, *GRID, "fault=slow", *on(ray))
    wait_for(lambda: events(tmp_path, "run"))
    machine = ray.add("--num-cpus=1")
    for killed in (1, 2):
        wait_for(lambda count=2 * killed: len(events(tmp_path, "run")) >= count)
        random.choice(actors(ray)).kill()
    out = end(process)
    ray.remove(machine)
    assert all(entry["lost_node"] for entry in events(tmp_path, "retry"))
    assert board(tmp_path) == at_home
    assert re.search(r"node \S+ was lost: its actor has gone: ", out)
    assert re.search(r" [23] at once", out)


def test_jobs_of_a_machine_that_is_taken_back_in_order_go_on_elsewhere_which_is_no_loss(
    tmp_path: Path, ray: StartedRay, at_home: list[dict[str, str]]
) -> None:
    machine = ray.add("--num-cpus=1")
    process = sweep(tmp_path, *GRID, "fault=slow", *on(ray))
    wait_for(lambda: len(events(tmp_path, "run")) >= 3)
    ray.take_back(machine)
    out = end(process)
    assert len(re.findall(r"node \S+ leaves: it got SIGTERM", out)) == 1
    assert " was lost: " not in out
    assert events(tmp_path, "retry")
    assert board(tmp_path) == at_home


def test_a_sweep_goes_on_beside_machines_without_podium_and_ends_with_the_reason_when_there_are_no_others(
    tmp_path: Path, at_home: list[dict[str, str]]
) -> None:
    with started_ray("--num-cpus=1", has_podium=False) as ray:
        process = sweep(tmp_path / "none", *GRID, *on(ray))
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert re.search(
            r"no node of Ray can run the jobs; \S+/1: its Python cannot import podium: ModuleNotFound", out
        )
        ray.add("--num-cpus=1")
        out = end(sweep(tmp_path / "one", *GRID, *on(ray)))
        assert re.search(r"node \S+ cannot run the jobs: its Python cannot import podium: ", out)
        assert board(tmp_path / "one") == at_home


def test_a_sweep_whose_process_was_killed_goes_on_when_it_is_resumed(
    tmp_path: Path, ray: StartedRay, at_home: list[dict[str, str]]
) -> None:
    process = sweep(tmp_path, *GRID, "fault=slow", *on(ray))
    wait_for(lambda: events(tmp_path, "finished"))
    kill(process)
    assert "resumed" in end(begin(tmp_path, "-m", "sweeps", "resume", "mine"))
    assert board(tmp_path) == at_home
    wait_for(lambda: not actors(ray))


def test_a_job_has_nothing_of_rays_own_in_its_environment(tmp_path: Path, ray: StartedRay) -> None:
    process = sweep(tmp_path, *GRID, *LONG, *on(ray))
    wait_for(lambda: events(tmp_path, "run"))
    pid = int(str(events(tmp_path, "started")[0]["pid"]))
    variables = psutil.Process(pid).environ()
    assert [name for name in variables if name.startswith("RAY_")] == []
    process.send_signal(signal.SIGINT)
    end_stopped(process)


def test_the_documented_sweeps_run(tmp_path: Path) -> None:
    section = (ROOT / "docs" / "engines.md").read_text().partition("\n## Ray\n")[2].partition("\n## ")[0]
    commands = [shlex.split(line) for line in section.splitlines() if line.startswith("python app.py")]
    assert len(commands) == 3
    with started_ray("--num-cpus=8", "--num-gpus=1") as ray:
        for number, (_, _, *words) in enumerate(commands):
            there = [word.replace("address=auto", f"address='{ray.address}'") for word in words]
            out = end(sweep(tmp_path, *there, f"hydra.sweeper.name=mine{number}"))
            assert "3 jobs in" in out


def test_an_address_without_a_ray_is_named(tmp_path: Path) -> None:
    process = sweep(tmp_path, *GRID, LAUNCHER, "hydra.launcher.address='127.0.0.1:9'")
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "address=127.0.0.1:9: Ray cannot be used: ConnectionRefusedError" in out
