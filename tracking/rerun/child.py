"""The process of a re-made run: its variables, its folder, and its end, also when it has to be ended."""

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracking.errors import RerunError
from tracking.process.announcements import announced
from tracking.process.sweep_context import JOB
from tracking.provenance.environment import VARIABLES
from tracking.rerun import startup
from tracking.values.names import RERUN_OF
from tracking.values.secrets import MASK

LOOK_S = 1.0  # between two looks at which runs are open
GRACE_S = 10.0  # between SIGTERM and SIGKILL
TAIL_LINES = 12
TAIL_BYTES = 16 << 10

# What belongs to a place, a launcher or this software, and not to what is computed.
_OF_PLACE = re.compile(
    r"PYTHONPATH|VIRTUAL_ENV|CONDA_\w+|LD_\w+|SLURM_\w+|PBS_\w+|LSB_\w+|PODIUM_\w+|HYDRA_\w+|MASTER_\w+"
    r"|(LOCAL_|GROUP_)?RANK|(LOCAL_)?WORLD_SIZE"
)


@dataclass
class Setting:
    """Where and with what a run is made again.

    `pairs` are repositories and their checkouts. `folder` is the scratch folder; `cwd` the working folder, and `named_cwd`
    that of the first run, below which its relative store lies.
    """

    run_id: str
    folder: Path
    cwd: Path
    named_cwd: str
    interpreter: str
    env: Mapping[str, Any]
    config: Path | None
    pairs: list[tuple[Path, Path]] = field(default_factory=list)
    timeout_s: float | None = None

    @property
    def report(self) -> Path:
        """What the processes report: a JSON object per line."""
        return self.folder / "report.jsonl"

    @property
    def output(self) -> Path:
        """What the processes print."""
        return self.folder / "output.log"

    def mapped(self, path: str) -> str:
        """Return the place of a file in a checkout, the path itself for one in none."""
        pairs = [(os.path.realpath(root), str(tree)) for root, tree in self.pairs]
        absolute = path if os.path.isabs(path) else os.path.join(self.named_cwd, path)  # noqa: PTH117, PTH118 - it is text
        there = startup.redirected(absolute, pairs)
        return path if there == absolute else there


def is_of_place(name: str) -> bool:
    """Return whether a variable says where a run ran, and not how it computed."""
    return _OF_PLACE.fullmatch(name) is not None


def start(
    setting: Setting,
    command: Sequence[str],
    *,
    attempt: int,
    on_open: Callable[[Path], object],
    values: Mapping[str, Any] | None = None,
) -> tuple[int, list[Path]]:
    """Run a command to its end; return its exit code and the folders of the runs that it opened.

    `on_open` hears of each of these. `values` are put into what Hydra composes. Raise RerunError after `timeout_s`. Whatever interrupts the wait ends the
    process, and all that it started, first.
    """
    spec = setting.folder / f"spec-{attempt}.json"
    spec.write_text(json.dumps(_spec(setting, values or {}), default=str))
    output = setting.output.open("ab")
    with output:
        process = subprocess.Popen(  # noqa: S603 - the command that the user started before
            list(command),
            cwd=setting.cwd,
            env=_environment(setting, spec, attempt),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = _wait(process, setting, attempt, on_open)
    finally:
        _end(process)
    return code, opened_so_far(setting, attempt)


def _wait(
    process: "subprocess.Popen[bytes]", setting: Setting, attempt: int, on_open: Callable[[Path], object]
) -> int:
    deadline = math.inf if setting.timeout_s is None else time.monotonic() + setting.timeout_s
    told = 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(max(0.0, min(LOOK_S, deadline - time.monotonic())))
        if time.monotonic() >= deadline:
            raise RerunError(f"the run was not made again within {setting.timeout_s:g} s")
        for folder in opened_so_far(setting, attempt)[told:]:
            on_open(folder)
            told += 1


def opened_so_far(setting: Setting, attempt: int) -> list[Path]:
    """Return the runs that an attempt has opened, also one that was interrupted."""
    return [Path(each.folder) for each in announced(_job_folder(setting), attempt)]


def printed(setting: Setting) -> str:
    """Return the last lines that the processes printed."""
    try:
        with setting.output.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])


def reported(setting: Setting) -> dict[str, list[Any]]:
    """Return what the processes reported, by kind, each thing once."""
    found: dict[str, list[Any]] = {"config": [], "imported": [], "began": [], "numbers": []}
    with contextlib.suppress(FileNotFoundError):
        for line in setting.report.read_text().splitlines():
            with contextlib.suppress(ValueError):
                for kind, values in json.loads(line).items():
                    found[kind] += [value for value in values if value not in found[kind]]
    return found


def _spec(setting: Setting, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pairs": [[os.path.realpath(root), str(tree)] for root, tree in setting.pairs],
        "report": str(setting.report),
        "config": setting.config and str(setting.config),
        "set": dict(values),
        "output": str(setting.folder / "hydra"),
    }


def _environment(setting: Setting, spec: Path, attempt: int) -> dict[str, str]:
    hook = setting.folder / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_bytes(Path(startup.__file__).read_bytes())
    job = _job_folder(setting)
    job.mkdir(exist_ok=True)
    before = setting.env.get("env")
    recorded = {
        name: str(value)
        for name, value in (before if isinstance(before, dict) else {}).items()
        if VARIABLES.fullmatch(name) and not is_of_place(name) and MASK not in str(value)
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not VARIABLES.fullmatch(name) or is_of_place(name)
    }
    then = str(before.get("PYTHONPATH", "")) if isinstance(before, dict) else ""
    path = [setting.mapped(each) for each in then.split(os.pathsep) if each]
    own = {name: value for name, value in kept.items() if not name.startswith("PODIUM_RUN_DIR")}
    identity = {"job": 0, "key": "", "config_hash": "", "attempt": attempt, RERUN_OF: setting.run_id}
    return {
        **own,
        **recorded,
        "PYTHONPATH": os.pathsep.join([str(hook), *path]),
        startup.VARIABLE: str(spec),
        startup.FIRST: str(os.getpid()),
        JOB: json.dumps({"sweep": "rerun", **identity, "folder": str(job), "cwd": setting.named_cwd}),
    }


def _job_folder(setting: Setting) -> Path:
    return setting.folder / "job"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of a process and of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def interpreter_of(env: Mapping[str, Any]) -> str:
    """Return the interpreter of a run, if this machine has it, else that of this process."""
    recorded = env.get("executable")
    is_here = isinstance(recorded, str) and os.access(recorded, os.X_OK) and Path(recorded).is_file()
    return str(recorded) if is_here else sys.executable
