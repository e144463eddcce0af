"""``python -m trainer`` from a checkout, from an editable install and from a wheel in an empty folder."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

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
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    ours = Path(next(entry for entry in sys.path if entry.endswith("site-packages")))
    # addsitedir would run this environment's own editable install; a plain path does not.
    (site / "dependencies.pth").write_text(f"{ours}\n")
    return folder / "bin" / "python"


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    answer = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=280
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer


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
    assert trained(checkout, run(python, "-m", "trainer", *QUICK, cwd=checkout).stdout)


@pytest.mark.slow
def test_the_trainer_runs_from_an_editable_install(tmp_path: Path) -> None:
    checkout = copy_of_the_checkout(tmp_path / "checkout")
    python = empty_environment(tmp_path / "environment")
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        checkout,
        cwd=tmp_path,
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    assert trained(folder, run(python, "-m", "trainer", *QUICK, cwd=folder).stdout)


@pytest.mark.slow
def test_the_trainer_runs_from_a_wheel_in_an_empty_environment_and_folder(
    wheel: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    python = tmp_path / "environment" / "bin" / "python"
    # The constraints only choose versions: what is installed is what the wheel asks for.
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--constraint",
        ROOT / "constraints.txt",
        wheel,
        cwd=tmp_path,
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    assert trained(folder, run(python, "-m", "trainer", *QUICK, cwd=folder).stdout)
    listed = run(python, "-m", "tracking", "list", "--json", cwd=folder).stdout
    assert "ctr_model" in listed


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_every_config_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    every = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    local = {name for name in every if name.startswith("conf/local/")}  # the settings of this machine
    assert every - local <= names
    assert not any(name.startswith("conf/local/") for name in names)
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"conf", "hydra_plugins", "sweeps", "tracking", "trainer"}
