"""A forkserver that was started early serves a sweep that would start the same, and is never noticed otherwise."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# With joblib, which a sweep imports, and which adds to the environment.
START = """
import os, signal, sys
import joblib
from sweeps.executor.local import server_process
from sweeps.executor.local.server import ForkServer, prepared
from sweeps.executor.local.slots import thread_variables
from sweeps.settings.launcher_settings import LauncherSettings
from tracking.process import is_alive

server_process.start_early(["needed"], thread_variables(1, replaces=False))
early = server_process._early[0].server.process.pid


def serve(*preload):
    settings = LauncherSettings(1, 1, preload, grace_s=1.0)
    server = ForkServer(settings, prepared(settings, b""))
    forked = server.fork()
    forked.connection.close()
    assert len(os.read(forked.ended, 8)) == 8  # the exit code: the forkserver has prepared everything
    return server

"""
NEEDED = """
import os, sys
print("written")
os.write(2, b"warned\\n")
"""
BLOCKED = """
import os
os.write(os.open("begun", os.O_WRONLY), b"x")
os.open("never", os.O_RDONLY)
"""
NO_MORE = 'os.close(os.open("begun", os.O_RDONLY))\n'  # opens when the module is being imported


def command(code: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", START + code]


def run(folder: Path, code: str, module: str = NEEDED) -> subprocess.CompletedProcess[str]:
    """Run code after an early start; return when all processes have closed their streams."""
    (folder / "needed.py").write_text(module)
    options: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True, "timeout": 60}
    return subprocess.run(command(code), check=False, **options)


def test_a_sweep_takes_over_the_process_that_was_started_early(tmp_path: Path) -> None:
    answer = run(tmp_path, "server = serve('needed', 'json')\nassert server.pid == early\n")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "change",
    [
        "os.environ['ANOTHER'] = '1'",
        "os.environ['OMP_NUM_THREADS'] = '3'",
        "del os.environ['PATH']",
        "os.chdir('/')",
        "sys.path.append('/elsewhere')",
        "sys.warnoptions.append('default')",
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
        "os.close(2)",
        "os.kill(early, signal.SIGKILL)",
    ],
)
def test_a_sweep_that_would_start_another_process_does_so(tmp_path: Path, change: str) -> None:
    code = f"{change}\nserver = serve('needed')\nassert server.pid != early and not is_alive(early)\n"
    answer = run(tmp_path, code, "")
    assert answer.returncode == 0, answer.stderr


def test_no_job_finds_a_module_imported_that_its_sweep_does_not_preload(tmp_path: Path) -> None:
    answer = run(tmp_path, "server = serve()\nassert server.pid != early\n")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("change", ["", "os.environ['ANOTHER'] = '1'"], ids=["taken", "not taken"])
def test_what_a_preloaded_module_writes_is_seen_once(tmp_path: Path, change: str) -> None:
    answer = run(tmp_path, f"{change}\nserve('needed')\n")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "written\n", "warned\n")


def test_nothing_is_seen_of_a_process_that_no_sweep_takes(tmp_path: Path) -> None:
    module = BLOCKED.replace("import os", NEEDED, 1)
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "never")
    answer = run(tmp_path, NO_MORE, module)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.parametrize("change", ["", "os.environ['ANOTHER'] = '1'"], ids=["taken", "not taken"])
def test_a_preloaded_module_that_fails_is_told_once(tmp_path: Path, change: str) -> None:
    module = "print('tried')\nraise ValueError('no such luck')\n"
    answer = run(tmp_path, f"{change}\nserve('needed')\n", module)
    told = "podium: could not preload needed: no such luck\n"
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "tried\n", told)


def test_a_preloaded_module_that_ends_the_process_is_an_error_of_the_sweep(tmp_path: Path) -> None:
    answer = run(tmp_path, "serve('needed')\n", "raise SystemExit(3)\n")
    assert answer.stderr.endswith("OSError: the forkserver, which starts jobs, ended at once\n")


@pytest.mark.parametrize("end", ["sys.exit(1)", "raise KeyboardInterrupt", "signal.pause()"])
def test_a_command_without_a_sweep_leaves_no_process_behind(tmp_path: Path, end: str) -> None:
    (tmp_path / "needed.py").write_text(BLOCKED)
    os.mkfifo(tmp_path / "begun")
    os.mkfifo(tmp_path / "never")
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    program = command(f"{NO_MORE}print(early, flush=True)\n{end}\n")
    with subprocess.Popen(program, cwd=tmp_path, start_new_session=True, **streams) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline())
        if end == "signal.pause()":
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        # The process that was started early is in the middle of an import, and has these streams too.
        process.communicate(timeout=60)
    assert process.returncode in {1, -signal.SIGINT}


def test_the_process_ends_after_a_parent_that_was_killed(tmp_path: Path) -> None:
    answer = run(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)\n")
    assert (answer.returncode, answer.stdout, answer.stderr) == (-signal.SIGKILL, "", "")
