"""How much memory a job uses and how much is available.

A job uses the memory that its end would free: pages it shares with the forkserver do not count. A reading costs about
a millisecond per process.
"""

import contextlib
from pathlib import Path


def used_bytes(pid: int) -> int:
    """Return the memory of a process and its descendants; 0 when it is gone."""
    import psutil

    total = 0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for member in family:
        try:
            total += member.memory_full_info().uss
        except psutil.Error:
            continue
    return total


def available_bytes() -> int:
    """Return the memory available without swapping: of the machine, or of the control group if that is less."""
    import psutil

    available = int(psutil.virtual_memory().available)
    limit, current = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    return available if limit is None or current is None else min(available, max(0, limit - current))


def oom_kills() -> int:
    """Return how many processes the system has killed since boot because it was out of memory."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def offer_to_the_oom_killer() -> None:
    """Make the system kill this process before the sweep's own when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None
