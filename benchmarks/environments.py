"""Environments for the peers, one each, apart from each other and from the project's own.

The pinned lists are complete: nothing is resolved, and nothing else is installed.
"""

import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.contestants import ENVIRONMENTS, PINS, Module


def setup(modules: Iterable[Module]) -> None:
    """Make the environments that are missing. One that fails is named and removed."""
    for module in modules:
        if module.interpreter.exists():
            if not module.is_ours:
                print(f"{module}: already installed")
            continue
        print(f"{module} {module.version}: installing")
        try:
            _make(module)
        except subprocess.CalledProcessError as error:
            shutil.rmtree(ENVIRONMENTS / module, ignore_errors=True)
            print(f"{module}: could not be installed, {' '.join((error.stderr or '').split())[-300:]}")


def _make(module: Module) -> None:
    venv.create(ENVIRONMENTS / module, with_pip=True)
    pip = [str(module.interpreter), "-m", "pip", "install", "--quiet", "--no-deps"]
    pins = str(PINS / f"{module}.txt")
    subprocess.run([*pip, "--requirement", pins], check=True, capture_output=True, text=True)
    if module is Module.TENSORBOARD:
        # its usual writer is torch's, which the project has; another copy would be gigabytes
        packages = sysconfig.get_path("purelib", vars={"base": str(ENVIRONMENTS / module)})
        Path(packages, "podium.pth").write_text(sysconfig.get_path("purelib") + "\n")
