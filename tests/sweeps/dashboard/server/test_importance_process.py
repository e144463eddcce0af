"""The process that computes the importance of keys: asked once for each state of a sweep, bounded, and ended with the server."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps.dashboard.server import importance_process
from sweeps.dashboard.server.importance_process import ImportanceProcess
from sweeps.dashboard.server.stores import UnknownPlaceError


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in the place of the real one; what is written to it runs."""
    path = tmp_path / "program.py"
    monkeypatch.setattr(importance_process, "COMMAND", (sys.executable, str(path)))
    return path


def test_each_state_of_a_sweep_is_computed_once_and_one_at_a_time(program: Path, tmp_path: Path) -> None:
    program.write_text(
        "import sys; from pathlib import Path\n"
        f"count = Path({str(tmp_path / 'count')!r}); busy = Path({str(tmp_path / 'busy')!r})\n"
        "busy.mkdir(); count.write_text(count.read_text() + '.' if count.exists() else '.'); busy.rmdir()\n"
        "print('{\"jobs\": %d}' % len(count.read_text()))\n"
    )
    folder = tmp_path / "sweep"

    async def ask() -> list[object]:
        process = ImportanceProcess()
        answers = await asyncio.gather(*(process.ask(folder, stamp) for stamp in "aabba"))
        return [answer["jobs"] for answer in answers]

    assert asyncio.run(ask()) == [1, 1, 2, 2, 1]


@pytest.mark.parametrize("text", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_process_that_fails_is_an_error_and_asked_again(program: Path, tmp_path: Path, text: str) -> None:
    async def ask() -> object:
        process = ImportanceProcess()
        program.write_text(text)
        with pytest.raises(UnknownPlaceError, match="could not be computed"):
            await process.ask(tmp_path, "a")
        program.write_text("print('null')")
        return await process.ask(tmp_path, "a")

    assert asyncio.run(ask()) is None


def test_a_process_that_takes_too_long_is_ended(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(importance_process, "TIMEOUT_S", 0.1)
    with pytest.raises(UnknownPlaceError, match="too long"):
        asyncio.run(ImportanceProcess().ask(tmp_path, "a"))


def test_what_decides_is_told_of_runs_by_their_parameters() -> None:
    """Runs without a finite result are left out, and so is a name that each run has for itself."""
    rates = [10.0 ** -(number % 7) for number in range(80)]
    settings = {"rate": rates, "kind": ["a", None] * 40, "name": [f"run {number}" for number in range(80)]}
    results = [*(rate + number / 1e6 for number, rate in enumerate(rates[2:])), None, "NaN"]

    async def ask() -> list[dict[str, Any]]:
        process = ImportanceProcess()
        settings["rate"] = [*rates[2:], 1.0, 1.0]
        return [await process.ask_of_runs(settings, results) for _ in range(2)]

    found, again = asyncio.run(ask())
    assert found == again
    assert found["jobs"] == 78
    assert list(found["share"]) == ["rate", "kind"]
    assert found["share"]["rate"] > 0.9
    assert found["r2"] > 0.9


def test_the_same_runs_are_computed_once_and_others_anew(program: Path, tmp_path: Path) -> None:
    program.write_text(
        "import sys; from pathlib import Path\n"
        f"count = Path({str(tmp_path / 'count')!r}); count.write_text(count.read_text() + '.' if count.exists() else '.')\n"
        "assert sys.argv[1] == '-' and b'settings' in sys.stdin.buffer.read()\n"
        "print(len(count.read_text()))\n"
    )

    async def ask() -> list[object]:
        process = ImportanceProcess()
        return [await process.ask_of_runs({"x": [1, 2]}, [result, 2]) for result in (1, 1, 3, 1)]

    assert asyncio.run(ask()) == [1, 1, 2, 1]


def test_it_ends_with_the_server(program: Path, tmp_path: Path) -> None:
    program.write_text(f"import time; open({str(tmp_path / 'runs')!r}, 'w').close(); time.sleep(600)")

    async def ask() -> None:
        process = ImportanceProcess()
        asked = asyncio.create_task(process.ask(tmp_path, "a"))
        while not (tmp_path / "runs").exists():
            await asyncio.sleep(0.01)
        process.stop()
        with pytest.raises(UnknownPlaceError):
            await asked

    asyncio.run(ask())
