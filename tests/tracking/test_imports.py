"""Looking and logging stay light: what is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from tracking import ExperimentTracker

HEAVY = {"pandas", "torch", "numpy", "matplotlib", "sklearn", "rich", "yaml"}


def loaded(*arguments: str) -> set[str]:
    code = "import sys, atexit; atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr))\n"
    done = subprocess.run(
        [sys.executable, "-c", code + arguments[0], *arguments[1:]],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "command", [["list"], ["compare", "x"], ["best", "x"], ["show", "run_001"], ["models"]]
)
def test_commands_that_look_load_nothing_heavy_when_piped(
    tracker: ExperimentTracker, base: Path, command: list[str]
) -> None:
    with tracker.start_run("x") as run:
        run.log({"auc": 1})
    names = loaded(
        "from tracking.cli.app import main; import sys; main(sys.argv[1:])", *command, "--store", str(base)
    )
    assert "typer" in names
    assert not names & HEAVY


def test_logging_a_run_loads_the_standard_library_and_orjson(base: Path) -> None:
    names = loaded(
        "import sys; from tracking import ExperimentTracker\nwith ExperimentTracker(sys.argv[1]).start_run('x') as run: run.log({'a': 1})",
        str(base),
    )
    outside = {name for name in names - set(sys.stdlib_module_names) if not name.startswith("_")}
    assert outside <= {"tracking", "orjson", "sitecustomize", "distutils-precedence", "editables"}


def test_importing_loads_only_what_records_a_run() -> None:
    # how long that takes is measured by `python -m benchmarks start`; what it takes the time for is decided here
    done = subprocess.run(
        [sys.executable, "-c", "import sys, tracking; print(*sys.modules)"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    names = set(done.stdout.split())
    ours = {name for name in names if name.startswith("tracking.")}
    later = (
        "index",
        "query",
        "search",
        "plots",
        "provenance",
        "doctor",
        "transfer",
        "cli",
        "catalog",
        "comparison",
    )
    assert not {name for name in ours if name.split(".")[1] in later}
    assert not names & {"sqlite3", "subprocess", "asyncio", "multiprocessing", "hashlib", "shutil", "csv"}
    assert len(ours) <= 45
