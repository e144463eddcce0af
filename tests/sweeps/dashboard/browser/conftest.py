"""One browser for all tests, dashboards of stores of several sizes, and pages in which nothing may go wrong."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import chromium
import pytest
from filled_stores import FilledStore, fill_store
from served import Served

MANY = 1000  # runs: four files of each take a disk long
MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30


@pytest.fixture(scope="session")
def started() -> Iterator[Any]:
    """The browser of this machine and its loop; where there is none, its tests are skipped, but not in CI."""
    if chromium.IS_ABSENT:
        pytest.skip(chromium.WHY_NOT)
    with chromium.browser() as found:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield found, loop
        asyncio._set_running_loop(loop)


@pytest.fixture
def browser(started: Any) -> Iterator[Any]:
    """The browser, for one test: between tests no loop of Playwright runs, so that others can have their own."""
    browser, loop = started
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page of a dashboard, or of none; at the end of the test nothing may have gone wrong in it."""
    from visits import visiting

    with ExitStack() as stack:
        yield lambda served=None, **options: stack.enter_context(visiting(browser, served, **options))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], tuple[Served, FilledStore]]]:
    """The dashboard of a store of so many runs; each is made when it is first asked for."""
    known: dict[int, tuple[Served, FilledStore]] = {}
    with ExitStack() as stack:

        def filled(runs: int) -> tuple[Served, FilledStore]:
            if runs not in known:
                folder = tmp_path_factory.mktemp("filled")
                if runs > MANY and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
                    folder = Path(stack.enter_context(TemporaryDirectory(prefix="podium-", dir=MEMORY)))
                store = fill_store(folder / f"of_{runs}", runs)
                served = stack.enter_context(Served("--port", 0, "--store", store.path))
                known[runs] = served, store
            return known[runs]

        yield filled


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a dashboard of the store that a test fills."""
    with ExitStack() as stack:

        def serve(store: Path | None = None, port: int = 0) -> Served:
            return stack.enter_context(Served("--port", port, "--store", store or tmp_path / "experiments"))

        yield serve
