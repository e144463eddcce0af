"""What processes print is in the stdout.log of their runs, however they end."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


Program = Callable[..., list[str]]


@pytest.fixture
def program(base: Path) -> Program:
    def command(body: str) -> list[str]:
        head = (
            "import os, sys, time\nfrom tracking import ExperimentTracker\n"
            f"tracker = ExperimentTracker({str(base)!r})\n"
        )
        return [sys.executable, "-c", head + body]

    return command


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_terminal_stays_a_terminal(program: Program, base: Path) -> None:
    leader, follower = pty.openpty()
    body = "with tracker.start_run('x'): print(sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno())"
    done = subprocess.run(program(body), stdout=follower, env=ENVIRONMENT, check=True)
    os.close(follower)
    assert done.returncode == 0
    assert os.read(leader, 1000).decode() == "True utf-8 1\r\n"
    os.close(leader)
    assert (base / "runs/run_001/stdout.log").read_text() == "True utf-8 1\n"


def test_a_killed_process_leaves_all_finished_lines(program: Program, base: Path) -> None:
    body = "tracker.start_run('x')\nprint('one')\nprint('two')\nos.write(2, b'!')\ntime.sleep(300)"
    with subprocess.Popen(
        program(body), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stderr is not None
        assert process.stderr.read(1) == b"!"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert (base / "runs/run_001/stdout.log").read_text() == "one\ntwo\n"


def test_a_run_that_is_never_finished_keeps_its_last_line(program: Program, base: Path) -> None:
    body = "run = tracker.start_run('x')\nprint('no end', end='')"
    subprocess.run(program(body), env=ENVIRONMENT, check=True)
    assert (base / "runs/run_001/stdout.log").read_text() == "no end\n"


def test_a_forked_child_writes_to_its_parents_file_until_it_has_a_run_of_its_own(
    program: Program, base: Path
) -> None:
    body = """
with tracker.start_run('x'):
    print('pending of the parent', end='')
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        print('child')
        with tracker.start_run('y'):
            print('its own run')
        print('child again')
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    print(', then more')
"""
    subprocess.run(program(body), env=ENVIRONMENT, check=True, capture_output=True)
    assert (base / "runs/run_001/stdout.log").read_text() == (
        "child\nchild again\npending of the parent, then more\n"
    )
    assert (base / "runs/run_002/stdout.log").read_text() == "its own run\n"


def test_a_fork_while_another_thread_prints_does_not_stop_the_child(program: Program, base: Path) -> None:
    body = """
import threading, warnings
warnings.simplefilter('ignore', DeprecationWarning)  # Python 3.12 warns of such a fork
with tracker.start_run('x'):
    stop = threading.Event()
    def chatter():
        while not stop.is_set():
            print('chatter')
    threads = [threading.Thread(target=chatter) for _ in range(2)]
    for thread in threads: thread.start()
    for number in range(30):
        pid = os.fork()
        if not pid:
            from tracking.provenance.output import _outputs
            _outputs[0].add(sys.stdout, f'child {number}\\n')
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    for thread in threads: thread.join()
"""
    subprocess.run(program(body), env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL, timeout=120)
    lines = (base / "runs/run_001/stdout.log").read_text().splitlines()
    assert [line for line in lines if line != "chatter"] == [f"child {number}" for number in range(30)]


def test_what_is_printed_after_sigterm_is_kept(program: Program, base: Path) -> None:
    body = """
with tracker.start_run('x'):
    try:
        os.write(2, b'!')
        time.sleep(300)
    finally:
        print('unwinding')
"""
    with subprocess.Popen(
        program(body), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        assert process.stderr is not None
        assert process.stderr.read(1) == b"!"
        process.terminate()
        process.stderr.read()
    assert (base / "runs/run_001/stdout.log").read_text() == "unwinding\n"
