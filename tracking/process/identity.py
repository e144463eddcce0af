"""The identity of a process, and whether that process is still alive.

Host, machine, boot, process namespace, pid and start time identify a process, so neither a reboot nor a reused pid
revives a dead run. Where the question cannot be answered (another host), the process counts as alive.
"""

import functools
import getpass
import os
import re
from pathlib import Path
from typing import Any


def owner() -> dict[str, Any]:
    """Return the identity of this process, as kept in run.json."""
    return _owner(os.getpid())


def is_own(entry: dict[str, Any]) -> bool:
    """Return whether the process named in a run.json is this one."""
    return all(entry.get(key) == value for key, value in owner().items())


def is_gone(entry: dict[str, Any]) -> bool:
    """Return whether the process named in a run.json is known to have ended."""
    here = owner()
    pid = entry.get("pid")
    if not isinstance(pid, int) or entry.get("host") != here["host"]:
        return False
    if entry.get("machine", here["machine"]) != here["machine"]:
        return False  # another machine of the same name
    if entry.get("boot_id") != here["boot_id"]:
        return True
    if entry.get("pid_namespace") != here["pid_namespace"]:
        return False  # a container of this host: its pids mean nothing here
    # every finish asks about this process itself, and /proc may take milliseconds to answer
    since = here["process_started"] if pid == here["pid"] else started(pid)
    return bool(since != entry.get("process_started"))


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
