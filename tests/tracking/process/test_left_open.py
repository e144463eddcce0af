"""A process that ends and leaves a run open: in order, by an error, by a signal, or by os._exit."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracking import ExperimentTracker, InvalidValueError
from tracking.process import presence
from tracking.store import amend
from tracking.store.store import Store

HEAD = """
import os, signal, sys
from tracking import ExperimentTracker, active_run
tracker = ExperimentTracker(sys.argv[1])
run_id = tracker.create_run(sys.argv[2])
tracker.log_metrics(run_id, {"a": 1.0}, step=0)
"""
OPEN = "run = tracker.start_run(sys.argv[2] + '+')\nrun.log({'a': 1.0}, step=0)\n"
BAD = "Traceback (most recent call last):\n"
# what the script does at its end: its exit code, and the status and error of what it left open
ENDS = {
    "pass": (0, "ended", None),
    OPEN: (0, "ended", None),
    "sys.exit(0)": (0, "ended", None),
    "sys.exit(3)": (3, "ended", None),  # nobody can ask for the code of an exit
    "1 / 0": (1, "failed", "ZeroDivisionError: division by zero"),
    OPEN + "raise ValueError('no')": (1, "failed", "ValueError: no"),
    "signal.raise_signal(signal.SIGINT)": (-2, "killed", "KeyboardInterrupt"),
    OPEN + "signal.raise_signal(signal.SIGTERM)": (143, "killed", "tracking.process.signals.Terminated: 143"),
    "os._exit(0)": (0, "killed", None),
    "os.kill(os.getpid(), 9)": (-9, "killed", None),
    "tracker.finish_run(run_id)": (0, "completed", None),
    "tracker.finish_run(run_id, 'failed'); tracker.log_metrics(run_id, {'a': 2.0})": (0, "failed", None),
    "tracker.delete_run(run_id, force=True)": (0, None, None),
}  # fmt: skip


def test_how_a_script_ends_is_how_the_runs_end_that_it_left_open(base: Path) -> None:
    scripts = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", HEAD + end, str(base), str(number)], stderr=subprocess.PIPE
        )
        for number, end in enumerate(ENDS)
    ]
    said = [script.communicate(timeout=120)[1].decode() for script in scripts]
    tracker = ExperimentTracker(base)
    for number, (end, (code, status, error)) in enumerate(ENDS.items()):
        assert scripts[number].returncode == code, (end, said[number])
        assert not said[number] or said[number].startswith("Traceback"), (end, said[number])
        runs = [*tracker.records(str(number)), *tracker.records(f"{number}+")]
        assert {(str(run.status), run.error) for run in runs} == ({(status, error)} if status else set()), end
        for run in runs:
            assert (run.finished_at is None) == ("os." in end), end
            is_whole = not list(run.run_dir.glob("metrics*.jsonl"))
            assert is_whole == ("os." not in end), end
            assert run.summary["a"].count == (2 if "2.0" in end else 1)
            assert not error or error.split(":")[0] in (run.run_dir / "error.txt").read_text()
    # who ends in order leaves no lock behind
    assert len(list((base / ".podium" / "processes").iterdir())) == 2
    published = Store(base).scan.foreign_entries()
    assert {entry["status"] for entry in published.values()} == {
        "ended",
        "failed",
        "killed",
        "running",
        "completed",
    }


def test_a_handler_that_a_library_puts_back_after_the_last_run_lets_sigterm_do_what_it_did_before(
    base: Path,
) -> None:
    late = "ours = signal.getsignal(signal.SIGTERM)\nrun.finish()\nsignal.signal(signal.SIGTERM, ours)\n"
    code = (
        f"{HEAD}tracker.finish_run(run_id)\n{OPEN}{late}os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(base), "e"], capture_output=True, timeout=120)
    assert answer.returncode == -signal.SIGTERM, answer.stderr
    assert {run.status.value for run in ExperimentTracker(base).records()} == {"completed"}


def leave_open(base: Path, end: str) -> None:
    run_id = ExperimentTracker(base).create_run("x", tags={"end": end})
    ExperimentTracker(base).log_metrics(run_id, {"a": 1.0})
    if end == "raises":
        raise ValueError(end)
    if end.startswith("exits"):
        sys.exit(int(end[-1]))
    if end == "dies":
        os._exit(0)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_process_of_multiprocessing_ends_what_it_left_open_too(
    tracker: ExperimentTracker, base: Path, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    context = multiprocessing.get_context(method)
    expected = {
        "returns": ("ended", None), "exits 0": ("ended", None), "raises": ("failed", "ValueError: raises"),
        "exits 3": ("failed", "SystemExit: 3"), "dies": ("killed", None),
    }  # fmt: skip
    children = [context.Process(target=leave_open, args=(base, end)) for end in expected]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert {run.tags["end"]: (str(run.status), run.error) for run in tracker.records()} == expected
    capfd.readouterr()


def test_a_session_at_a_prompt_is_not_ended_by_an_earlier_error(base: Path) -> None:
    typed = f"from tracking import ExperimentTracker\nrun_id = ExperimentTracker({str(base)!r}).create_run('x')\n1 / 0\n"
    subprocess.run([sys.executable, "-i", "-q"], input=typed, text=True, capture_output=True, check=True)
    assert ExperimentTracker(base).record("run_001").status == "ended"


def test_how_an_ended_run_did_can_be_said_later_and_said_twice(
    tracker: ExperimentTracker, base: Path
) -> None:
    place = Store(base)
    run_id = tracker.create_run("x")
    place.amend(run_id, lambda _: {"status": "ended", "finished_at": "2024-11-15T11:00:00+00:00"})
    for _ in range(2):
        assert amend.finish(place, run_id, "completed") == "2024-11-15T11:00:00+00:00"
    assert (tracker.record(run_id).status, tracker.record(run_id).error) == ("completed", None)
    with pytest.raises(InvalidValueError, match="is completed already"):
        amend.finish(place, run_id, "killed")
    with pytest.raises(InvalidValueError, match="status 'ended' is none of completed, failed, killed"):
        tracker.finish_run(run_id, "ended")


def test_a_run_that_ended_is_found_and_counted_by_that_word(tracker: ExperimentTracker, base: Path) -> None:
    run_id = tracker.create_run("x")
    Store(base).amend(run_id, lambda _: {"status": "ended", "finished_at": "2024-11-15T11:00:00+00:00"})
    assert [run.run_id for run in tracker.search_runs("status == 'ended'")] == [run_id]
    assert presence.is_held(base / ".podium" / "processes", "0" * 16) is None


LATE = {
    "go = r.log\nthreading.Thread(target=lambda: [go({'a': 1.0}) for _ in iter(int, 1)], daemon=True).start()",
    "class Late:\n    def __del__(self): r.log({'a': 3.0})\nkept = Late()",
}


def test_what_is_logged_after_the_runs_were_ended_opens_none_again(base: Path) -> None:
    ends = {"open": "ended", "done": "completed"}
    scripts = []
    for late in LATE:
        for name in ends:
            block = "r.log({'a': 2.0})" if name == "open" else "r.finish()"
            text = f"import threading, sys\nfrom tracking import ExperimentTracker\nr = ExperimentTracker(sys.argv[1]).start_run({name!r})\nr.log({{'a': 1.0}})\n{block}\n{late}\n"
            scripts.append(subprocess.Popen([sys.executable, "-c", text, str(base)]))
    assert [script.wait(120) for script in scripts] == [0] * len(scripts)
    tracker = ExperimentTracker(base)
    found = [(run.experiment_name, str(run.status)) for run in tracker.records()]
    assert sorted(found) == sorted([*ends.items()] * len(LATE))
    assert all("a" in run.summary for run in tracker.records())


def test_a_generator_that_is_closed_before_its_end_did_not_fail(tracker: ExperimentTracker) -> None:
    def steps() -> Iterator[int]:
        with tracker.start_run("x") as run:
            for step in range(5):
                run.log({"a": 1.0}, step=step)
                yield step

    for step in (generator := steps()):
        if step == 2:
            break
    generator.close()
    (run,) = tracker.records()
    assert (str(run.status), run.error, run.summary["a"].count) == ("ended", None, 3)
