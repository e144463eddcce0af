"""Where a run came from: interpreter, machine, packages, commit. Cheap, and asked once per process."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "hydra": "hydra-core",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


def environment() -> dict[str, Any]:
    """The interpreter, the machine and the versions of the packages this process has imported so far."""
    system = os.uname() if hasattr(os, "uname") else None
    return {
        "format": 1,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "platform": f"{system.sysname} {system.release} {system.machine}" if system else sys.platform,
        "host": system.nodename if system else "",
        "cpus": os.cpu_count(),
        "argv": sys.argv,
        "cwd": str(Path.cwd()),
        "packages": _packages(),
    }


def git() -> dict[str, Any] | None:
    """The commit, branch and state of the working folder's repository; None outside one or without git."""
    return _git(str(Path.cwd()))


@functools.cache
def _git(folder: str) -> dict[str, Any] | None:
    import subprocess  # its import alone costs several milliseconds

    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    return {
        "format": 1,
        "commit": head.get("branch.oid"),
        "branch": head.get("branch.head"),
        "dirty": any(not line.startswith("#") for line in lines),
    }


def _packages() -> dict[str, str]:
    names = {name.partition(".")[0] for name in list(sys.modules)} - set(sys.stdlib_module_names)
    versions = (
        (DISTRIBUTIONS.get(name, name), _version(DISTRIBUTIONS.get(name, name))) for name in sorted(names)
    )
    return {name: version for name, version in versions if version}


@functools.cache
def _version(distribution: str) -> str | None:
    from importlib import metadata

    if distribution.startswith("_"):
        return None
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
