"""The process of a run: interpreter, command, packages, variables, machine. What cannot change is read once."""

import functools
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracking.provenance.hardware import cuda, machine
from tracking.values.secrets import MASK, is_secret_text, masked_command, masked_text

FORMAT = 1

# The variables that change what a program computes or where; no others are recorded.
VARIABLES = re.compile(
    r"CUDA_\w+|CUBLAS_\w+|NVIDIA_VISIBLE_DEVICES|HIP_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES"
    r"|(OMP|MKL|OPENBLAS|NUMEXPR|KMP|GOMP|BLIS|VECLIB)_\w+"
    r"|PYTHON(HASHSEED|PATH|OPTIMIZE|WARNINGS|UTF8|IOENCODING|DONTWRITEBYTECODE)"
    r"|(TORCH|PYTORCH|NCCL|GLOO|XLA|JAX|TF_CUDNN|TF_DETERMINISTIC|TF_ENABLE|TF_NUM|TF_XLA)_\w+"
    r"|SLURM_\w+|PBS_\w+|LSB_\w+|HYDRA_\w+|PODIUM_(?!JOB$|RUN_DIRS?|RERUN|\w+_COMMAND$)\w+"
    r"|RANK|WORLD_SIZE|LOCAL_RANK|LOCAL_WORLD_SIZE|GROUP_RANK|MASTER_ADDR|MASTER_PORT"
    r"|CONDA_DEFAULT_ENV|CONDA_PREFIX|VIRTUAL_ENV|LANG|LC_\w+|TZ|LD_LIBRARY_PATH|LD_PRELOAD"
)

_INSTALLED = re.compile(r"(?P<name>.+?)-(?P<version>\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info")


def environment(seeds: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of env.json, with masked secrets in the command and the variables."""
    return {
        "format": FORMAT,
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        **machine(),
        "cuda": cuda(),
        "argv": masked_command(sys.argv),
        "module": _module(),
        "command": masked_command(sys.orig_argv),
        "cwd": _cwd(),
        "seeds": dict(seeds or {}),
        "env": variables(os.environ),
        "packages": packages(),
    }


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that may change a computation, by name, without secrets."""
    return {
        name: MASK if is_secret_text(name, value) else masked_text(value)
        for name, value in sorted(environ.items())
        if VARIABLES.fullmatch(name)
    }


def packages() -> dict[str, str]:
    """Return all installed distributions with their versions: of each name the first on the path, as imports do."""
    return _packages(tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _packages(path: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in path:
        for name, version in _installed(folder):
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def _installed(folder: str) -> list[tuple[str, str]]:
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - only the names of many files
    except OSError:
        return []  # a zip file, or a missing folder
    matches = (_INSTALLED.fullmatch(name) for name in names if name.endswith("-info"))
    return [(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]) for match in matches if match]


def _module() -> str | None:
    """Return the module that runs as the program, of `python -m`; a job of a sweep has that of the sweep."""
    return getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", None)


def _cwd() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None  # the folder was deleted under the process
