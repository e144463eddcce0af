"""Every system call that changes a store is made the last one, or made to fail: what was acknowledged is there.

strace does both, in a process that lives the life of crash_scenario.py. A life without faults tells which calls
there are; then each of them gets lives of its own.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from crash_claims import claims, holdings

from tracking import ExperimentTracker, ModelRegistry
from tracking.doctor import examine
from tracking.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = Path(__file__).with_name("crash_scenario.py")
# What the system may answer to the calls that change a store; those that Python makes again are interrupted too.
FAULTS = {
    "fdatasync": ("EIO",),
    "fsync": ("EIO",),
    "ftruncate": ("EIO",),
    "link": ("EPERM",),
    "mkdir": ("ENOSPC",),
    "openat": ("ENOSPC", "EMFILE"),
    "pwrite64": ("ENOSPC", "EIO"),
    "rename": ("ENOSPC",),
    "rmdir": ("EIO",),
    "unlink": ("EIO",),
    "utimensat": ("EPERM",),
    "write": ("ENOSPC", "EIO"),
}
INTERRUPTED = {"fsync", "ftruncate", "openat", "write"}
TRACED = f"trace={','.join(FAULTS)},linkat,renameat,renameat2,symlink,truncate,unlinkat"
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (.*)$", re.MULTILINE)
NAMES_BY_CHANCE = re.compile(
    r"\.[0-9a-f]{12}\.tmp|\.\d+\.[0-9a-f]{8}(?=\.jsonl)|(?<=processes/)[0-9a-f]{16}|, \d+$"  # and lengths
)


def what_forbids_strace() -> str:
    """Why strace cannot be used here; empty when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace cannot trace here: {probe.stderr.strip()}" if probe.returncode else ""


pytestmark = pytest.mark.skipif(bool(reason := what_forbids_strace()), reason=reason)


class Call(NamedTuple):
    """A system call on the store: the `place`th that may change it, and the `number`th of its name in all."""

    place: int
    name: str
    number: int
    arguments: str
    result: str

    @property
    def was_hit(self) -> bool:
        return self.result == "?" or self.result.endswith("(INJECTED)")

    @property
    def changes(self) -> bool:
        """Whether a process that is killed before the call leaves something else than one killed after it."""
        return not (self.name in {"fsync", "fdatasync"} or self.result.startswith("-1"))

    @property
    def is_read(self) -> bool:
        """Whether it opens what is there."""
        return self.name == "openat" and "O_CREAT" not in self.arguments

    @property
    def is_of_index(self) -> bool:
        return ".sqlite" in self.arguments


class Life(NamedTuple):
    """How the scenario went: what it told, how it ended, and its calls."""

    base: Path
    told: list[list[Any]]
    code: int
    said: str
    calls: list[Call]
    reads: list[Call]


def live(folder: Path, *options: str) -> Life:
    folder.mkdir(parents=True)
    (folder / "origin").write_bytes(b"weights")
    base, trace = folder / "experiments", folder / "trace"
    strace = ["strace", "-f", "-qq", "-y", "-s", "0", "-o", trace, "-e", TRACED, *options]
    done = subprocess.run(
        [*strace, sys.executable, "-B", str(SCENARIO), str(base)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "0",
            "XDG_CACHE_HOME": f"{folder}/cache",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    made = calls(trace.read_text(), base)
    writes, reads = ([call for call in made if call.is_read is wanted] for wanted in (False, True))
    return Life(base, told, done.returncode, done.stderr, writes, reads)


def calls(trace: str, base: Path) -> list[Call]:
    """The calls of the first process that concern the store."""
    found: list[Call] = []
    counts = defaultdict[str, int](int)
    places = defaultdict[bool, int](int)
    lines = LINE.findall(trace)
    for pid, name, arguments, result in lines:
        if pid != lines[0][0]:
            continue
        counts[name] += 1
        # the scenario itself opens a journal to tear it
        if str(base) in arguments and "O_RDWR|O_APPEND|O_CLOEXEC" not in arguments:
            text = NAMES_BY_CHANCE.sub("", arguments.replace(str(base.parent), ""))
            call = Call(0, name, counts[name], text, result)
            found.append(call._replace(place=places[call.is_read]))
            places[call.is_read] += 1
    return found


def live_with(call: Call, injection: str, folder: Path, *options: str) -> Life:
    """A life in which `call`, and no other, is killed or fails."""
    number = call.number
    # how many files are opened only to read depends on the clock: where a neighbour is hit, the number moves
    for again in range(10):
        inject = f"inject={call.name}:{injection}:when={number}"
        life = live(folder / str(again), "-e", inject, *options)
        hit = next((made for made in life.calls if made.was_hit), None)
        # of any other call than openat the number is sure, and the place is not where a child has met its end
        if hit and (hit.place == call.place or call.name != "openat"):
            assert (hit.name, hit.arguments) == (call.name, call.arguments)
            return life
        passed = [made for made in life.calls if made.place == call.place and made.name == call.name]
        number = passed[0].number if passed else number + 1
    raise AssertionError("the call was never hit")


def check_files(base: Path) -> None:
    """No file is half written, and the views say what the runs say."""
    for path in base.rglob("*.json"):
        json.loads(path.read_bytes())
    for path in base.glob("runs/*/metrics.json"):
        if not list(path.parent.glob("metrics*.jsonl")):
            assert (
                json.loads(path.read_bytes()) == ExperimentTracker(base).get_run(path.parent.name)["metrics"]
            )


def check_claims(life: Life) -> None:
    """All that was acknowledged is there, and nothing that nobody asked for."""
    tracker = ExperimentTracker(life.base)
    listed = {run["run_id"]: run for run in tracker.list_runs()}
    assert list(tracker.compare_runs(listed)["run_id"]) == list(listed)
    for run_id, run in claims(life.told).items():
        assert ("runs" if run_id in listed else "trash") in run.places, f"{run_id} is in the wrong place"
        if run_id not in listed:
            assert (life.base / "trash" / run_id / "run.json").exists()
            continue
        assert listed[run_id]["status"] in run.statuses
        for what, found in holdings(tracker, run_id).items():
            assert run.must[what] <= found, f"{run_id} lost {what} {run.must[what] - found}"
            assert found <= run.may[what], f"{run_id} has {what} {found - run.may[what]} that nobody logged"
        if run.is_champion:
            assert ModelRegistry(life.base).champion("m").run_id == run_id


def check_next(life: Life) -> None:
    """The store serves on: its runs can be continued, a new one gets a new name, the published list is complete."""
    tracker = ExperimentTracker(life.base)
    known = {run["run_id"] for run in tracker.list_runs()}
    for run_id in known:
        before = holdings(tracker, run_id)["point"]
        tracker.log_metrics(run_id, {"n": 1000}, step=1000)
        tracker.finish_run(run_id)
        assert holdings(ExperimentTracker(life.base), run_id)["point"] == before | {1000}
    new = tracker.create_run("z")
    assert new not in known | claims(life.told).keys()
    tracker.log_metrics(new, {"n": 1}, step=1)
    tracker.finish_run(new)
    assert holdings(tracker, new)["point"] == {1}
    published = json.loads((life.base / "metadata.json").read_bytes())
    shown = {run["run_id"]: run["status"] for run in tracker.list_runs()}
    assert {entry["run_id"]: entry["status"] for entry in published} == shown


def check_doctor(life: Life) -> None:
    """What a killed process leaves is known to the doctor, and repaired by one visit, which loses nothing."""
    first = examine(Store(life.base))
    assert first.is_well, first.findings
    second = examine(Store(life.base))
    assert not second.findings, second.findings
    check_files(life.base)
    check_claims(life)


def check(life: Life) -> None:
    check_files(life.base)
    check_claims(life)
    copy = life._replace(base=life.base.parent / "copy" / life.base.name)
    if life.base.exists():
        shutil.copytree(life.base, copy.base)
    check_next(life)
    check_doctor(copy)
    check_next(copy)


def failures(cases: Iterable[Any], attempt: Callable[[Any, Path], None], folder: Path) -> str:
    """What went wrong in which case; a case gets a folder, and as many go on at once as there are processors."""

    def outcome(numbered: tuple[int, Any]) -> str:
        number, case = numbered
        place = folder / f"case{number}"
        try:
            attempt(case, place)
        except Exception as error:  # noqa: BLE001 - the failures of all cases are told together
            return f"{case} in {place}: {type(error).__name__}: {error}"
        shutil.rmtree(place)
        return ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return "\n".join(filter(None, pool.map(outcome, enumerate(cases))))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory where there is one, because nothing here depends on the disk, and all of it waits for it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def whole(folder: Path) -> Life:
    """A life without faults, which is what it tells it is."""
    life = live(folder / "clean" / "0")  # as deep as the cases: the folders of the index are counted too
    assert (life.code, life.told[-1]) == (0, ["end"]), life.said
    assert not [words for words in life.told if words[0] == "refused"]
    check(life)
    assert {call.name for call in life.calls} <= FAULTS.keys()
    assert len(life.calls) > 100
    assert len(life.reads) > 100
    return life


@pytest.fixture
def clean(whole: Life) -> list[Call]:
    """The calls that changed the store in a life without faults."""
    return whole.calls


def kill(call: Call, folder: Path, *options: str) -> None:
    life = live_with(call, "signal=SIGKILL", folder, *options)
    assert life.code == -signal.SIGKILL, life.said
    check(life)


def fail(case: tuple[Call, str], folder: Path) -> None:
    call, error = case
    life = live_with(call, f"error={error}", folder)
    assert life.code == 0, life.said.strip().splitlines()[-1]
    refused = [words for words in life.told if words[0] == "refused"]
    # a child counts its calls anew, so that one of its may fail too
    assert len(refused) <= (0 if error == "EINTR" else 2), refused
    check(life)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_process_killed_before_any_system_call_loses_nothing_acknowledged(
    clean: list[Call], folder: Path, every: int
) -> None:
    cases = [call for call in clean if call.changes and not call.is_of_index]
    wrong = failures(cases[::every], kill, folder)
    assert not wrong, wrong


def test_a_process_killed_while_it_refreshes_the_index_changes_no_answer(
    clean: list[Call], folder: Path
) -> None:
    # a few of all; the exhaustive test has the rest
    wrong = failures([call for call in clean if call.is_of_index][::8], kill, folder)
    assert not wrong, wrong


def test_a_failed_system_call_is_reported_once_or_has_no_effect(clean: list[Call], folder: Path) -> None:
    # a few of all; the exhaustive test has the rest
    cases = [(call, error) for call in clean for error in FAULTS[call.name]]
    rare = [case for case in cases if case[0].name in {"ftruncate", "link"}]
    wrong = failures([*rare, *cases[::26]], fail, folder)
    assert not wrong, wrong


def misread(call: Call, folder: Path) -> None:
    # which files are read depends on the clock in places, so that it may be a neighbour that cannot be
    life = live(folder / "life", "-e", f"inject=openat:error=EMFILE:when={call.number}")
    assert any(made.was_hit for made in [*life.reads, *life.calls])
    assert life.code == 0, life.said.strip().splitlines()[-1]
    assert len([words for words in life.told if words[0] == "refused"]) <= 1
    check(life)


def test_a_process_out_of_file_handles_gets_an_error_and_loses_nothing(whole: Life, folder: Path) -> None:
    # a few of all; the exhaustive test has the rest
    wrong = failures(whole.reads[::16], misread, folder)
    assert not wrong, wrong


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_process_out_of_file_handles_at_any_moment_loses_nothing(whole: Life, folder: Path) -> None:
    wrong = failures(whole.reads, misread, folder)
    assert not wrong, wrong


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_every_system_call_failing_in_every_way_is_reported_once_or_has_no_effect(
    clean: list[Call], folder: Path
) -> None:
    cases = [(call, error) for call in clean for error in FAULTS[call.name]]
    cases += [(call, "EINTR") for call in clean if call.name in INTERRUPTED]
    wrong = failures(cases, fail, folder)
    assert not wrong, wrong


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_process_killed_without_file_locks_blocks_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    no_locks = ("-e", "inject=flock:error=ENOLCK")
    clean = live(folder / "clean without locks", *no_locks)
    assert clean.told[-1] == ["end"], clean.said
    cases = [call for call in clean.calls if call.changes]
    wrong = failures(cases, lambda call, place: kill(call, place, *no_locks), folder)
    assert not wrong, wrong
