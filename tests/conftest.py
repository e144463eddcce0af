"""Settings every test shares."""

import compileall
import contextlib
import gc
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest
from _pytest.assertion import rewrite
from _pytest.assertion.rewrite import assertstate_key
from forked import WRITTEN_FOR_1_3
from hypothesis import settings
from receivers import Hooks, Post

from hydra_plugins.podium.versions import current_defaults
from tracking import TrackingError

# A deadline would test the machine's load, not the code.
settings.register_profile("podium", deadline=None, max_examples=60)
settings.load_profile("podium")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
MEMORY = Path("/dev/shm")
NEEDED = 4 << 30  # bytes: about twice what a whole run takes, with the slow tests
# All else that Hydra 1.4 warns of is podium's.
NEXT_HYDRA = (
    *(f"ignore:{message}" for message in WRITTEN_FOR_1_3),
    "error:Hydra configured Python logging",
    "error:ConfigStore config 'hydra/sweeper/podium",
)


def pytest_configure(config: pytest.Config) -> None:
    """Compile the packages and the tests once: where Python may not write bytecode, each process would compile them.

    Stores of tests stand in memory where there is enough of it: podium waits for the disk after each line that it writes,
    which takes longer than the rest of most tests, and no test depends on it. TMPDIR names another folder.
    """
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, also for the processes of tests
    if hasattr(config, "workerinput"):
        return
    for package in ("conf", "hydra_plugins", "sweeps", "tracking", "trainer"):
        compileall.compile_dir(ROOT / package, quiet=2)
    if config.getoption("numprocesses", None) and config.args_source is config.ArgsSource.TESTPATHS:
        _compile_tests(config)
    if (
        os.access(MEMORY, os.W_OK)
        and min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) > NEEDED
    ):
        for name in ("TMPDIR", "PYTEST_DEBUG_TEMPROOT"):
            os.environ.setdefault(name, os.environ.get("TMPDIR", str(MEMORY)))
        tempfile.tempdir = None  # to be found anew


def _compile_tests(config: pytest.Config) -> None:
    """Rewrite the assertions of all tests as pytest does; else each worker would, for half of the time of its collection."""
    files = [path for name in ("test_*.py", "conftest.py") for path in (ROOT / "tests").rglob(name)]
    cores = len(os.sched_getaffinity(0))
    processes = [
        multiprocessing.get_context("fork").Process(target=_rewrite, args=(config, files[part::cores]))
        for part in range(cores)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()  # what a process failed at is for the workers to do, and to tell


def _rewrite(config: pytest.Config, files: list[Path]) -> None:
    for file in files:
        rewritten = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(file, rewritten) is None and rewrite.try_makedirs(rewritten.parent):
            code = rewrite._rewrite_test(file, config)
            rewrite._write_pyc(config.stash[assertstate_key], *reversed(code), rewritten)


def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once with `-n logical`: one more than there are cores, as many wait for processes."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and none of it later: there are some million objects, and all are in use.

    A test that collects garbage would otherwise look through all tests for up to a second.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back that the stores of a whole run without a failure take."""
    if exitstatus == 0 and not hasattr(session.config, "workerinput"):
        base = session.config._tmp_path_factory.getbasetemp()
        if base.is_relative_to(MEMORY):
            shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def without_local_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the trainers that tests start a copy of conf/ without the settings of this machine."""
    if (CONF / "local").exists():
        folder = tmp_path_factory.mktemp("shared_settings")
        shutil.copytree(CONF, folder / "conf", ignore=shutil.ignore_patterns("local"))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


@pytest.fixture(autouse=True, scope="session")
def warnings_of_the_next_hydra() -> None:
    """Let the processes that tests start fail of what Hydra 1.4 says about podium, as the tests themselves do."""
    if not current_defaults():
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), *NEXT_HYDRA)))


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep indexes and keys of tests out of the user's folders, and the fonts of matplotlib in the cache."""
    os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True, scope="session")
def no_reports() -> None:
    """Let sweeps write no report: tests run some thousand of them. The tests of reports unset the variable."""
    os.environ["PODIUM_REPORT"] = "0"


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """An HTTP server on loopback that keeps what is posted to it."""
    server = Hooks()
    yield server
    server.close()


@pytest.fixture
def post() -> Iterator[Post]:
    """An SMTP server on loopback that keeps the mails that it takes."""
    server = Post()
    yield server
    server.close()


@pytest.fixture
def data_folder() -> Path:
    """The folder of real data sets beside the checkout; whoever asks for it carries the marker needs_data."""
    return DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the real data where they are not at hand: the product itself never needs them."""
    if not DATA.is_dir():
        for item in items:
            if item.get_closest_marker("needs_data"):
                item.add_marker(pytest.mark.skip(reason=f"needs the data sets in {DATA}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Fail a test that leaves a run open or a handler of SIGTERM behind, after its fixtures: both change the tests after it."""
    result = yield
    if left := _left_behind():
        pytest.fail(f"left behind for the tests after it: {', '.join(left)}", pytrace=False)
    return result


def _left_behind() -> list[str]:
    """Return what tests leave behind of tracking, in words, and put it in order; few tests import all of it."""
    left = []
    runs = sys.modules.get("tracking.run")
    for run in [*runs._active] if runs is not None else ():
        left.append(f"an open run, {run.run_dir}")
        with contextlib.suppress(TrackingError):  # its folder is gone
            run.finish()
        run._deactivate()
    handler = signal.getsignal(signal.SIGTERM)
    if handler != signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        left += [] if left else [f"a handler of SIGTERM, {handler}"]
    return left
