"""The forkserver outlives the signals that stop a sweep, which its parent alone acts upon, and leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

START = """
import os, signal, sys
from multiprocessing.connection import wait
from sweeps.executor.local.server import ForkServer, prepared
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.process import is_alive

mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
before = dict(os.environ)
settings = LauncherSettings(1, 1, {preload}, grace_s=1.0)
server = ForkServer(settings, prepared(settings, b""))
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
assert dict(os.environ) == before


def ended(forked):
    forked.connection.close()
    wait([forked.ended])
    code = int.from_bytes(os.read(forked.ended, 8), sys.byteorder, signed=True)
    os.close(forked.ended)
    os.close(forked.alive)
    return code

"""


def run(code: str, preload: tuple[str, ...] = (), **options: Any) -> None:
    start = START.replace("{preload}", repr(preload))
    command = [sys.executable, "-W", "error", "-c", start + code]
    subprocess.run(command, check=True, timeout=60, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_forkserver_survives_the_signals_that_stop_a_sweep(number: signal.Signals) -> None:
    run(f"""
for _ in range(3):
    assert ended(server.fork()) == 0
    os.kill(server.pid, {int(number)})
assert ended(server.fork()) == 0
assert is_alive(server.pid)
""")


def test_a_forkserver_that_was_killed_is_started_anew() -> None:
    run("""
first = server.pid
assert ended(server.fork()) == 0
os.kill(first, signal.SIGKILL)
assert ended(server.fork()) == 0
assert server.pid != first
""")


def test_a_process_that_cannot_be_made_is_an_error_that_says_why(tmp_path: Path) -> None:
    full = "import errno, os\ndef fork(): raise OSError(errno.EAGAIN, 'full')\nos.fork = fork\n"
    (tmp_path / "full.py").write_text(full)
    code = """
for _ in range(2):
    try:
        server.fork()
    except BlockingIOError as error:
        assert "temporarily unavailable" in str(error)
    else:
        raise AssertionError("forked")
"""
    run(code, ("full",), cwd=tmp_path)


def test_the_forkserver_ends_with_the_process_that_started_it() -> None:
    code = (
        START.replace("{preload}", "()")
        + "print(server.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    answer = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=60)
    # Its standard streams are those of its parent, so this returns when both have ended.
    assert answer.returncode == -signal.SIGKILL
    assert int(answer.stdout)
