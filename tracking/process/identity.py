"""Who writes a run, and whether that process still lives.

A process is known by host, machine, boot, process namespace, pid and start time, so that neither a reboot nor a
reused pid brings a dead run back. Where a question cannot be answered (another host), the process counts as alive.
"""

import functools
import getpass
import os
from pathlib import Path
from typing import Any


def owner() -> dict[str, Any]:
    """The identity of this process, as kept in run.json."""
    return _owner(os.getpid())


def is_own(entry: dict[str, Any]) -> bool:
    """Whether the process named in a run.json is this one."""
    return all(entry.get(key) == value for key, value in owner().items())


def is_gone(entry: dict[str, Any]) -> bool:
    """Whether the process named in a run.json is known to have ended."""
    here = owner()
    pid = entry.get("pid")
    if not isinstance(pid, int) or entry.get("host") != here["host"]:
        return False
    if entry.get("machine", here["machine"]) != here["machine"]:
        return False  # another machine that bears the same name
    if entry.get("boot_id") != here["boot_id"]:
        return True
    if entry.get("pid_namespace") != here["pid_namespace"]:
        return False  # a container of this host: its pids mean nothing here
    # of itself a process knows it: every finish asks, and the system may take milliseconds to answer
    started = here["process_started"] if pid == here["pid"] else _started(pid)
    return bool(started != entry.get("process_started"))


@functools.lru_cache(maxsize=1)
def _owner(pid: int) -> dict[str, Any]:
    return {
        "host": os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", ""),
        "machine": _machine(),
        "pid": pid,
        "process_started": _started(pid),
        "boot_id": _boot_id(),
        "pid_namespace": _namespace(),
    }


def _started(pid: int) -> float | None:
    """When the process started, in a unit of the system's own; None when it is gone, a zombie included."""
    try:
        # the command may hold spaces and brackets, so fields are counted from its closing one
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except ProcessLookupError:
        return None
    except OSError:
        return None if Path("/proc/self/stat").exists() else _started_by_psutil(pid)
    return None if fields[0] in "ZX" else int(fields[19])


def _started_by_psutil(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return f"{psutil.boot_time():.0f}"


def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def host_name() -> str:
    """The name of this machine; fit to be a file's name."""
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return (
        "".join(char if char.isalnum() or char in "._-" else "_" for char in name).lstrip(".") or "localhost"
    )


def login() -> str:
    """The name of the user who runs this process; empty where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in the system's list, as in many containers
        return ""
