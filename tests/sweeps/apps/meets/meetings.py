"""What jobs of the app compute together, and which ones do."""

import os
import signal
import sys
from pathlib import Path


def fuse_key(config):
    if config.key == "raises":
        raise RuntimeError("no key today")
    if config.key == "number":
        return 7
    return config.key


def squares(items):
    """Return the square of each item; note who asked for them in which process, and in which job's name."""
    with Path("meetings.txt").open("a") as file:
        file.write(f"{os.getpid()} {[*items]} {os.environ.get('PODIUM_JOB')}\n")
    if any(item == "bad" for item in items):
        raise ValueError("one of them is bad")
    return [item if isinstance(item, Exception) else item * item for item in items]


def many(configs):
    """Do the task for several configs."""
    does = {config.does for config in configs}
    if "raise" in does:
        raise ValueError("no such luck")
    if "too few" in does:
        return [1.0]
    values = [config.x * 10.0 for config in configs]
    sys.stdout.write(f"many {sorted(values)}\n")
    failed = {"fail": ValueError("not this one"), "exit": SystemExit(3)}
    return [failed.get(config.does, value) for config, value in zip(configs, values, strict=True)]


def die(how):
    """End this process, or keep it from ending."""
    if how == "os._exit":
        os._exit(4)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "hang":
        signal.pause()
    if how == "fill":
        kept = bytearray(800 << 20)
        kept[:: 1 << 12] = b"x" * len(kept[:: 1 << 12])
        signal.pause()
    if how == "fork" and os.fork() == 0:
        sys.exit(0)
