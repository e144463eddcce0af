"""What a process is for one of its jobs, put away and put back."""

import asyncio
import gc
import logging
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.executor.local.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """The world of the test, to which the process returns."""
    first = World()
    first.put_away()
    yield first
    first.enter()
    first.close()


def changed(world: World) -> World:
    other = World()
    other.put_away()
    world.enter(other)
    return other


def test_what_a_job_changes_is_its_own(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = Path.cwd(), os.environ.get("MINE"), sys.path[:], logging.getLogger("mine").level
    os.chdir(tmp_path)
    os.environ["MINE"] = "1"
    sys.path.append("/mine")
    logging.getLogger("mine").setLevel(5)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    mine = changed(world)
    assert (Path.cwd(), os.environ.get("MINE"), sys.path, logging.getLogger("mine").level) == before
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    world.put_away()
    mine.enter(world)
    assert (Path.cwd(), os.environ["MINE"], sys.path[-1]) == (tmp_path, "1", "/mine")
    assert (logging.getLogger("mine").level, warnings.filters[0][0]) == (5, "ignore")
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_IGN
    mine.close()


def test_each_job_goes_on_with_its_random_numbers(world: World) -> None:
    numpy = pytest.importorskip("numpy")
    random.seed(1)
    numpy.random.seed(1)
    mine = changed(world)
    random.seed(2)
    numpy.random.seed(2)
    world.put_away()
    mine.enter(world)
    drawn = random.random(), numpy.random.random()
    random.seed(1)
    numpy.random.seed(1)
    assert drawn == (random.random(), numpy.random.random())
    mine.close()


def test_descriptors_that_a_job_redirects_or_closes_are_its_own(world: World, tmp_path: Path) -> None:
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.close(log)
    os.close(2)
    mine = changed(world)
    os.fstat(2)
    world.put_away()
    mine.enter(world)
    os.write(1, b"mine")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(2)
    mine.close()
    world.enter()
    assert (tmp_path / "log").read_text() == "mine"


def test_worlds_leave_no_descriptor_open(world: World) -> None:
    def count() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    before = count()
    for _ in range(10):
        mine = changed(world)
        world.put_away()
        mine.enter(world)
        mine.close()
        world.enter()
    assert count() == before


def test_an_alarm_of_a_job_rings_in_its_own_turn(world: World) -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 30)
    mine = changed(world)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
    world.put_away()
    mine.enter(world)
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 0
    mine.close()


def test_a_logger_that_another_job_has_made_and_set_up_is_as_new(world: World, tmp_path: Path) -> None:
    logger = logging.getLogger(f"made.{time.monotonic_ns()}")
    logger.addHandler(logging.FileHandler(tmp_path / "log"))
    logger.propagate = False
    mine = changed(world)
    assert (logger.handlers, logger.propagate) == ([], True)
    world.put_away()
    mine.enter(world)
    assert len(logger.handlers) == 1
    mine.end(world)
    gc.collect()


def test_a_job_that_waits_inside_of_an_event_loop_keeps_it_to_itself(world: World) -> None:
    async def wait() -> str:
        mine = changed(world)
        found = asyncio.run(answer())
        world.put_away()
        mine.enter(world)
        mine.close()
        return found + await answer()

    async def answer() -> str:
        return "yes"

    assert asyncio.run(wait()) == "yesyes"


def test_a_folder_that_is_gone_keeps_no_job_from_its_turn(world: World, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    mine = changed(world)
    (tmp_path / "gone").rmdir()
    world.put_away()
    mine.enter(world)
    mine.close()
