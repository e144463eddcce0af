"""Environments for the peers, one each, from the pinned lists: they never meet each other or the project's own.

The lists are complete, so nothing is resolved and nothing unforeseen is installed.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from benchmarks.contestants import ENVIRONMENTS, PINS, Module


def setup() -> None:
    """Make the environments that are missing; a failed one is named, removed, and the others go on."""
    for module in Module:
        if module.is_ours:
            continue
        if module.interpreter.exists():
            print(f"{module}: there already")
            continue
        print(f"{module} {module.version}: installing")
        try:
            _make(module)
        except subprocess.CalledProcessError as error:
            _remove(ENVIRONMENTS / module)
            print(f"{module}: could not be installed, {' '.join((error.stderr or '').split())[-300:]}")


def _make(module: Module) -> None:
    folder = ENVIRONMENTS / module
    venv.create(folder, with_pip=True)
    pins = str(PINS / f"{module}.txt")
    command = [str(module.interpreter), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", pins]
    subprocess.run(command, check=True, capture_output=True, text=True)
    if module is Module.TENSORBOARD:
        # its usual writer is torch's, which the project has; another copy would be gigabytes
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        borrowed = folder / "lib" / version / "site-packages" / "podium.pth"
        borrowed.write_text(sysconfig.get_path("purelib") + "\n")


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
