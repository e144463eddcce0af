"""`podium` and `python -m tracking` find the same modules of the user's: those of the folder that they are called in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from scored_versions import add_version

from tracking import ModelRegistry

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests" / "tracking"
PODIUM = "import sys\nfrom tracking.cli.app import podium\nsys.exit(podium())\n"
OWN = "from scored_versions import score\nprint('the folder of the user')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a user's with a scorer, and two versions to judge."""
    folder = tmp_path / "project"
    registry = ModelRegistry(folder / "experiments")
    add_version(registry, folder / "experiments", value=0.7, skill=0.6, own=1)
    registry.promote("ctr", 1, reason="the first")
    add_version(registry, folder / "experiments", value=0.8, skill=1.5, own=2)
    (folder / "scoring.py").write_text(OWN)
    (folder / "ours").mkdir()
    (folder / "ours" / "__init__.py").touch()
    (folder / "ours" / "scoring.py").write_text(OWN)
    return folder


def call(
    how: str, folder: Path, *words: str, installed: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Call a command in a folder, as a script outside of it or with `python -m`."""
    script = folder.parent / "bin" / "podium"
    script.parent.mkdir(exist_ok=True)
    script.write_text(PODIUM)
    path = [*([str(installed)] if installed else []), str(ROOT), str(TESTS)]
    return subprocess.run(
        [sys.executable, *([str(script)] if how == "podium" else ["-m", "tracking"]), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("how", ["podium", "python -m"])
@pytest.mark.parametrize("scorer", ["scoring.score", "ours.scoring.score"])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_scorer_in_the_working_folder_is_found(
    folder: Path, how: str, scorer: str, as_json: list[str]
) -> None:
    told = call(how, folder, "judge", "ctr@2", "--scorer", scorer, "--set", "draws=200", *as_json)
    assert (told.returncode, told.stderr) == (0, "")
    assert ModelRegistry(folder / "experiments").aliases("ctr") == {"champion": 2}


@pytest.mark.parametrize("how", ["podium", "python -m"])
def test_a_module_of_the_folder_wins_over_an_installed_one(folder: Path, tmp_path: Path, how: str) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "scoring.py").write_text("raise RuntimeError('not the one of the user')")
    words = ["judge", "ctr@2", "--scorer", "scoring.score", "--set", "draws=200"]
    assert call(how, folder, *words, installed=tmp_path / "installed").stderr == ""


@pytest.mark.parametrize("how", ["podium", "python -m"])
def test_a_folder_that_python_leaves_out_stays_out(folder: Path, how: str) -> None:
    told = call(how, folder, "judge", "ctr@2", "--scorer", "scoring.score", PYTHONSAFEPATH="1")
    assert told.returncode == 2
    assert told.stderr.endswith(
        "the scorer scoring.score could not be imported: ModuleNotFoundError: No module named 'scoring'\n"
    )
    assert [each.kind for each in ModelRegistry(folder / "experiments").history("ctr")][-1] == "registered"


def test_podium_imports_nothing_of_the_folder_for_itself(folder: Path) -> None:
    for name in ("json", "numpy", "sweeps", "rich", "trainer"):
        (folder / f"{name}.py").write_text("raise RuntimeError('of the user')")
    told = call("podium", folder, "models", "--json")
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout)


def test_a_folder_that_is_gone_stops_no_command(tmp_path: Path) -> None:
    code = "import os, sys\nos.mkdir('gone')\nos.chdir('gone')\nos.rmdir('../gone')\nsys.argv[1:] = ['--version']\n"
    (tmp_path / "podium").write_text(code + PODIUM)
    told = subprocess.run(
        [sys.executable, "podium"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (told.returncode, told.stderr) == (0, "")
