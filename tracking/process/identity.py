"""The identity of a process, and whether that process is still alive, which has three answers.

Host, machine, boot, process namespace, pid and start time identify a process, so neither a reboot nor a reused pid
revives a dead run. A process of another container or host cannot be seen. There its lock answers (presence.py), or
nothing does: unknown is not alive, and not gone.
"""

import functools
import getpass
import os
import re
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Any

from tracking.process import presence

RANKS = (  # of torchrun, Slurm, Open MPI, MPICH and Intel, PMIx, MVAPICH, Horovod, Cray, Flux, IBM
    *("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK"),
    *("HOROVOD_RANK", "PALS_RANKID", "ALPS_APP_PE", "FLUX_TASK_RANK", "JSM_NAMESPACE_RANK"),
)


class Life(Enum):
    """What is known of a process."""

    ALIVE = auto()
    GONE = auto()
    UNKNOWN = auto()


def owner() -> dict[str, Any]:
    """Return the identity of this process, as kept in run.json."""
    return _owner(os.getpid())


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether the process named in a run.json is this one."""
    return all(entry.get(key) == value for key, value in owner().items())


def life(entry: Mapping[str, Any], processes: Path | None = None) -> Life:
    """Return whether the process named in a run.json lives; `processes` is the folder of the store's locks of processes."""
    here = owner()
    pid = entry.get("pid")
    if not isinstance(pid, int):
        return Life.UNKNOWN
    is_here = entry.get("host") == here["host"] and entry.get("machine", here["machine"]) == here["machine"]
    is_this_boot = entry.get("boot_id") == here["boot_id"]
    if is_here and not is_this_boot:
        return Life.GONE
    if is_here and entry.get("pid_namespace") == here["pid_namespace"]:
        # every finish asks about this process itself, and /proc may take milliseconds to answer
        since = here["process_started"] if pid == here["pid"] else started(pid)
        return Life.GONE if since != entry.get("process_started") else Life.ALIVE
    held = presence.is_held(processes, entry.get("token")) if processes else None
    if held:
        return Life.ALIVE
    # between two machines a file system may keep the locks of each to itself, so that they look free to the other
    return Life.GONE if held is False and is_this_boot else Life.UNKNOWN


def opener(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the identity of the process that opened a run last, which ends it; by default that is the run's owner."""
    later = entry.get("continued_by")
    return later if isinstance(later, dict) else entry


def is_gone(entry: Mapping[str, Any], processes: Path | None = None) -> bool:
    """Return whether the process named in a run.json is known to have ended."""
    return life(entry, processes) is Life.GONE


def announce(processes: Path) -> None:
    """Let processes that cannot see this one know in a store that it lives."""
    presence.announce(processes, owner()["token"])


def rank() -> str | None:
    """Return the number that a launcher of ranks gave this process; None without one."""
    for name in RANKS:
        if os.environ.get(name):
            return os.environ[name]
    node, local = os.environ.get("NODE_RANK"), os.environ.get("LOCAL_RANK")  # Lightning has no other
    return f"{node}.{local or 0}" if node and node != "0" else local or node or None


def started(pid: int) -> float | None:
    """Return when a process started, in ticks of the system; None when it has ended, also as a zombie."""
    try:
        # the name of the command may hold spaces and brackets: count the fields after its closing bracket
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_by_psutil(pid)
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid: int) -> bool:
    """Return whether a process of this host runs; a zombie does not."""
    return started(pid) is not None


def host_name() -> str:
    """Return the name of this machine in a form that can be the name of a file."""
    return re.sub(r"[^\w.-]", "_", os.uname().nodename).lstrip(".") or "localhost"


def login() -> str:
    """Return the name of the user who runs this process; empty where the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without an entry in the system's list, as in many containers
        return ""


@functools.lru_cache(maxsize=1)
def _owner(pid: int) -> dict[str, Any]:
    return {
        "host": os.uname().nodename,
        "machine": _text("/etc/machine-id"),
        "pid": pid,
        "process_started": started(pid),
        "boot_id": _text("/proc/sys/kernel/random/boot_id") or _boot_time(),
        "pid_namespace": _namespace(),
        "token": os.urandom(8).hex(),
    }


def _started_by_psutil(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _boot_time() -> str:
    import psutil

    return f"{psutil.boot_time():.0f}"


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
