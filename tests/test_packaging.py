"""The commands from a checkout, from an editable install and from a wheel in an empty folder."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("-m", "training.learning_rate=1e-3,1e-2", "data.rows=2000", "training.epochs=2")


def copy_of_the_checkout(target: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def empty_environment(folder: Path) -> Path:
    """An environment that sees the dependencies of this one, but not podium."""
    venv.create(folder)
    (site,) = folder.glob("lib/python*/site-packages")
    ours = Path(next(entry for entry in sys.path if entry.endswith("site-packages")))
    # addsitedir would run this environment's own editable install; a plain path does not.
    (site / "dependencies.pth").write_text(f"{ours}\n")
    return folder / "bin" / "python"


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Bytecode may be written: what is installed here has none yet, and several processes load it.
    without = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in without}
    answer = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=280
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


def install(python: Path, *words: object) -> None:
    """Install into an environment with the pip of this one; only what a test imports is compiled, by its import."""
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    run(*pip, *words, cwd=python.parent)


def needed(wheel: Path, extra: str) -> set[str]:
    """Return the libraries that a wheel asks for with an extra, and all that these ask for."""
    (info,) = (each for each in zipfile.Path(wheel).iterdir() if each.name.endswith(".dist-info"))
    found, waiting = set[tuple[str, str]](), [("podium", ""), ("podium", extra)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        asks = PathDistribution(info) if name == "podium" else distribution(name)
        for each in map(Requirement, asks.requires or []):
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                waiting += [(each.name, more) for more in ("", *each.extras)]
    return {name for name, _ in found} - {"podium"}


def lend(python: Path, libraries: set[str]) -> None:
    """Show an environment these libraries of ours, and no others: pip would unpack and compile them for half a minute."""
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    for name in libraries:
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(files[0].locate())).parents[len(files[0].parts) - 1] / top)


def trained(folder: Path, output: str) -> bool:
    return "Champion of ctr_model: v1" in output and (folder / "experiments" / "runs" / "run_002").is_dir()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = copy_of_the_checkout(tmp_path_factory.mktemp("source"))
    target = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source, cwd=source)
    (built,) = target.glob("podium-*.whl")
    return built


def test_the_trainer_runs_from_a_checkout_that_is_not_installed(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    python = empty_environment(tmp_path / "environment")
    assert trained(
        checkout, run(python, "-m", "trainer", *QUICK, "hydra.sweeper.winner=null", cwd=checkout).stdout
    )


@pytest.mark.slow
def test_the_trainer_runs_from_an_editable_install(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    python = empty_environment(tmp_path / "environment")
    install(python, "--no-deps", "--no-build-isolation", "--editable", checkout)
    folder = tmp_path / "empty"
    folder.mkdir()
    assert trained(folder, run(python, "-m", "trainer", *QUICK, cwd=folder).stdout)


@pytest.mark.slow
def test_the_trainer_runs_from_a_wheel_in_an_empty_environment_and_folder(
    wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    lend(python, needed(wheel, "trainer"))  # without what the wheel asks for, nothing below runs
    pip = (sys.executable, "-m", "pip", "--python", python)
    asked = run(*pip, "install", "--dry-run", f"{wheel}[trainer]", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[2:] for line in asked if line.startswith("Would install")] == [
        [wheel.name.rpartition("-py3")[0]]
    ]
    install(python, "--no-deps", wheel)
    folder = tmp_path / "empty"
    folder.mkdir()
    podium = python.with_name("podium")
    assert trained(folder, run(podium, "train", *QUICK, cwd=folder).stdout)
    assert "ctr_model" in run(podium, "list", "--json", cwd=folder).stdout
    assert "ctr_model" in run(python, "-m", "tracking", "list", "--json", cwd=folder).stdout
    assert "run_002" in run(podium, "sweeps", "leaderboard", cwd=folder).stdout
    assert run(podium, "--complete", "train", "model=l", cwd=folder).stdout == "model=logistic\n"
    assert run(podium, "train", "--help", cwd=folder).stdout.startswith("podium train trains a model")


@pytest.mark.slow
def test_the_tracker_alone_runs_beside_a_hydra_of_the_users(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    install(python, "--constraint", ROOT / "constraints.txt", wheel, "hydra-core")
    podium = python.with_name("podium")
    (tmp_path / "track.py").write_text(
        "from tracking import ExperimentTracker\n"
        "with ExperimentTracker().start_run('x', params={'a': 1}) as run: run.log({'auc': 0.5})\n"
    )
    run(python, "track.py", cwd=tmp_path)
    for words in (["list"], ["compare", "x"], ["x"], ["show", "run_001"], ["search", "auc > 0"], ["doctor"]):
        run(podium, *words, cwd=tmp_path)
    (tmp_path / "app.py").write_text(
        "import hydra\n@hydra.main(version_base='1.3', config_path=None)\ndef main(cfg): print('the task ran')\nmain()\n"
    )
    assert (
        "the task ran" in run(python, "-W", "error", "app.py", cwd=tmp_path).stdout
    )  # Hydra imports our plug-ins
    run(python, "app.py", "hydra/callbacks=podium", cwd=tmp_path)  # which needs nothing but Hydra
    assert "run_002" in run(podium, "list", cwd=tmp_path).stdout
    for command in (
        [python, "app.py", "-m", "hydra/sweeper=podium", "+x=1,2"],
        [python, "app.py", "-m", "hydra/launcher=podium", "+x=1,2"],
        [podium, "sweeps", "list"],
        [podium, "train"],
    ):
        answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert answer.returncode == 1
        assert "not installed; pip install" in answer.stderr.splitlines()[0], answer.stderr
        assert "Traceback" not in answer.stderr


@pytest.mark.slow
def test_the_wheel_holds_the_packages_the_pages_and_every_config_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    every = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    local = {name for name in every if name.startswith("conf/local/")}  # the settings of this machine
    assert every - local <= names
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "sweeps/dashboard/assets").rglob("*.*")}
    assert pages <= names
    assert not any(name.startswith("conf/local/") for name in names)
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"conf", "hydra_plugins", "sweeps", "tracking", "trainer"}
