"""A process killed at any system call of a change to a registry leaves the old state or the new one.

strace kills a process that makes one step of registry_steps.py. What it leaves is read, the step is made again, and the doctor is called.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from registry_steps import STEPS, prepare

from tracking import InvalidValueError, ModelRegistry, UnknownModelError
from tracking.doctor import examine
from tracking.registry import EventKind
from tracking.registry.exchange.unpacking import is_export
from tracking.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).parents[1] / "registry_steps.py"
CHANGING = "fsync ftruncate link linkat mkdir openat pwrite64 rename renameat renameat2 rmdir symlink unlink unlinkat write"
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (.*)$", re.MULTILINE)
BY_CHANCE = re.compile(r"\.[0-9a-f]{12}\.tmp|, \d+$")  # names of temporary files, and lengths
AGAIN = ("rollback",)  # which is another step when it is made again


def what_forbids_strace() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    return f"strace cannot trace here: {probe.stderr.strip()}" if probe.returncode else ""


pytestmark = pytest.mark.skipif(bool(reason := what_forbids_strace()), reason=reason)


class Call(NamedTuple):
    """A system call that changes the store: its place among them, its name, its number among those of that name."""

    place: int
    name: str
    number: int
    arguments: str


class Case(NamedTuple):
    """A step that is killed before one of its system calls."""

    step: str
    call: Call


def make(folder: Path, step: str, *options: str) -> tuple[int, list[Call], Call | None]:
    """Make a step on the store of a folder; return how it ended, the calls that change it, and the one that was hit."""
    trace = folder / "trace"
    strace = [
        "strace",
        "-qq",
        "-y",
        "-s",
        "0",
        "-o",
        trace,
        "-e",
        f"trace={CHANGING.replace(' ', ',')}",
        *options,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "XDG_CACHE_HOME": f"{folder}/cache",
    }
    command = [*strace, sys.executable, "-B", SCRIPT, folder / "store", step]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    calls, hit, counts = [], None, defaultdict[str, int](int)
    for name, arguments, result in LINE.findall(trace.read_text()):
        counts[name] += 1
        is_read = name == "openat" and "O_CREAT" not in arguments
        if str(folder) in arguments and "/cache" not in arguments and not is_read:
            call = Call(len(calls), name, counts[name], BY_CHANCE.sub("", arguments.replace(str(folder), "")))
            calls.append(call)
            hit = call if result == "?" else hit
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, calls, hit


def kill(prepared: Path, folder: Path, case: Case) -> Path:
    """Return a store that a process was changing which was killed before a system call."""
    number = case.call.number
    for again in range(8):
        place = folder / str(again)
        shutil.copytree(prepared, place)
        code, calls, hit = make(
            place, case.step, "-e", f"inject={case.call.name}:signal=SIGKILL:when={number}"
        )
        if code == -signal.SIGKILL and (hit is None or hit[:2] == case.call[:2]):
            assert hit is None or hit.arguments == case.call.arguments
            if hit is not None:
                return place
        # how many files are opened to read may differ by some
        number = next((each.number for each in calls if each[:2] == case.call[:2]), number + 1)
    raise AssertionError(f"{case} was never hit")


def state(base: Path) -> dict[str, Any]:
    """What the registry says, by runs: the number of a version depends on what a killed process has claimed."""
    registry = ModelRegistry(base)
    events = registry.history("ctr")
    if not registry.models():
        return {
            "versions": [],
            "events": sorted({(str(event.kind), event.run_id) for event in events}, key=str),
        }
    verdict = registry.verdict("ctr", 4)
    versions = {each.version: each.run_id for each in registry.versions("ctr", with_archived=True)}
    return {
        "versions": sorted((run, number if number <= 4 else 5) for number, run in versions.items()),
        "aliases": {alias: versions[number] for alias, number in registry.aliases("ctr").items()},
        "verdict": verdict and verdict.sentence,
        "archived": sorted(registry.archived("ctr")),
        "looks": [event.look for event in events if event.kind is EventKind.LOOKED],
        "refused": [event.key for event in events if event.kind is EventKind.REFUSED],
    }


def check(case: Case, place: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    base = place / "store"
    left = state(base)
    assert left in (old, new), left
    for path in (base / "models").rglob("*.json"):
        json.loads(path.read_bytes())
    registry = ModelRegistry(base)
    assert all(each.is_intact for each in registry.verify())
    exported = place / "ours.tgz"
    if case.step == "export" and exported.exists():
        assert ModelRegistry(place / "third").import_version(exported).run_id == "run_004"
        assert registry.history("ctr")[-1].kind is EventKind.EXPORTED
    if left != new or case.step not in AGAIN:
        with suppress(UnknownModelError, InvalidValueError):  # it has been removed, or exported
            STEPS[case.step](registry, base)
    assert state(base) == new
    if new["versions"]:
        registry.promote("ctr", 3, reason="the next call")
        held = json.loads((base / "models" / "ctr" / "aliases.json").read_bytes())
        assert held == registry.aliases("ctr")
    seen = examine(Store(base))
    assert seen.is_well, seen.findings
    assert not examine(Store(base)).findings
    if case.step == "export":
        assert is_export(exported)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # nothing here depends on the disk
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def prepared(folder: Path) -> Path:
    place = folder / "prepared"
    place.mkdir()
    prepare(place / "store")
    return place


def campaign(prepared: Path, folder: Path, every: int) -> list[str]:
    """Kill each step before every nth of its calls; return what went wrong.

    Before the call that writes its event, each step is killed in any case.
    """
    old = state(prepared / "store")
    cases: list[tuple[Case, dict[str, Any]]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def whole(step: str) -> tuple[str, list[Call], dict[str, Any]]:
            place = folder / f"{every}-{step}"
            shutil.copytree(prepared, place)
            code, calls, _ = make(place, step)
            assert code == 0
            assert len(calls) > 3
            return step, calls, state(place / "store")

        for offset, (step, calls, new) in enumerate(pool.map(whole, STEPS)):
            assert (new == old) is (step == "export")
            deciding = [call for call in calls if call.name == "write" and "events.jsonl" in call.arguments]
            others = [call for call in calls if call.name != "fsync" and call not in deciding]
            chosen = calls if every == 1 else [*deciding, *others[offset % every :: every]]
            cases += [(Case(step, call), new) for call in chosen]

        def attempt(numbered: tuple[int, tuple[Case, dict[str, Any]]]) -> str:
            number, (case, new) = numbered
            try:
                check(case, kill(prepared, folder / f"{every}-{number}", case), old, new)
            except Exception as error:  # noqa: BLE001 - what went wrong in all cases is told together
                return f"{case}: {type(error).__name__}: {error}"
            shutil.rmtree(folder / f"{every}-{number}")
            return ""

        wrong = [text for text in pool.map(attempt, enumerate(cases)) if text]
    assert len(cases) >= len(STEPS)
    return wrong


def test_a_process_killed_while_it_changes_a_registry_leaves_the_old_or_the_new(
    prepared: Path, folder: Path
) -> None:
    wrong = campaign(prepared, folder, 8)  # a few of all; the exhaustive test has the rest
    assert not wrong, "\n".join(wrong)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_process_killed_at_every_system_call_of_a_registry_leaves_the_old_or_the_new(
    prepared: Path, folder: Path
) -> None:
    wrong = campaign(prepared, folder, 1)
    assert not wrong, "\n".join(wrong)
