"""The forkserver outlives the signals that stop a sweep, which its parent alone acts upon."""

import signal
import subprocess
import sys

import pytest

START = """
import os, signal, time
from sweeps.executor.local.server import server_pid, warm_forkserver
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.process import is_alive

mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
warm_forkserver(LauncherSettings(1, 1, (), grace_s=1.0))
assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
assert "PODIUM_WARMUP" not in os.environ
for _ in range(10):
    os.kill(server_pid(), {number})
    time.sleep(0.1)
assert is_alive(server_pid())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_forkserver_survives_the_signals_that_stop_a_sweep(number: signal.Signals) -> None:
    subprocess.run([sys.executable, "-c", START.format(number=int(number))], check=True)
