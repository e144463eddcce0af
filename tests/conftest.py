"""Settings every test shares."""

import compileall
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from receivers import Hooks, Post

# A deadline would test the machine's load, not the code.
settings.register_profile("podium", deadline=None, max_examples=60)
settings.load_profile("podium")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"


def pytest_configure(config: pytest.Config) -> None:
    """Compile the packages once: where Python may not write bytecode, each process that a test starts would compile them."""
    if not hasattr(config, "workerinput"):
        for package in ("conf", "hydra_plugins", "sweeps", "tracking", "trainer"):
            compileall.compile_dir(ROOT / package, quiet=2)


@pytest.fixture(autouse=True, scope="session")
def without_local_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the trainers that tests start a copy of conf/ without the settings of this machine."""
    if (CONF / "local").exists():
        folder = tmp_path_factory.mktemp("shared_settings")
        shutil.copytree(CONF, folder / "conf", ignore=shutil.ignore_patterns("local"))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))


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
