"""Processes of engines and of sweeps on them: started by an interpreter of their own, waited for, and gone."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
# The PYTHONPATH of processes: podium, and what lies beside the environment of the tests, such as Ray.
PACKAGES = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
PATIENCE_S = 240.0
POLL_S = 0.1


def interpreter(*words: str, **options: Any) -> "subprocess.Popen[str]":
    """Start Python in a session of its own."""
    return subprocess.Popen([sys.executable, *words], start_new_session=True, text=True, **options)


def wait_for(condition: Callable[[], object]) -> None:
    waited = threading.Event()
    for _ in range(int(PATIENCE_S / POLL_S)):
        if condition():
            return
        waited.wait(POLL_S)
    raise AssertionError("it does not happen")


def are_gone(*pids: int) -> bool:
    return not any(map(psutil.pid_exists, pids))


def wait_until_gone(*pids: int) -> None:
    """Wait for processes that end by themselves, as they have lost their parents."""
    wait_for(lambda: are_gone(*pids))
