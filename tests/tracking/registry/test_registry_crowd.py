"""Sixteen processes that change one model at once leave one history, which says what each of them was told."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from registry_steps import prepare

from tracking import ModelRegistry
from tracking.doctor import examine
from tracking.registry import EventKind
from tracking.registry.events import champions
from tracking.store.store import Store

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).parents[1] / "registry_steps.py"
PROCESSES, STEPS, KILLS = 16, 5, 2
KINDS = {
    "promote": EventKind.PROMOTED,
    "alias": EventKind.ALIASED,
    "unalias": EventKind.UNALIASED,
    "look": EventKind.LOOKED,
    "refuse": EventKind.REFUSED,
    "rollback": EventKind.ROLLED_BACK,
}


def test_sixteen_processes_leave_one_history(base: Path) -> None:
    prepare(base)
    command = [sys.executable, str(SCRIPT), str(base), "crowd", *map(str, (PROCESSES, STEPS, KILLS))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    told = [line.split() for line in done.stdout.splitlines()]
    assert len({words[2].partition(".")[0] for words in told}) == PROCESSES  # each has made some
    check(base, told)


def check(base: Path, told: list[list[str]]) -> None:
    registry = ModelRegistry(base)
    lines = (base / "models" / "ctr" / "events.jsonl").read_text().splitlines()
    events = registry.history("ctr")
    assert len(events) == len(lines)
    for place, event in enumerate(events):
        before = champions(events[:place])
        assert event.before == (before[-1] if before else None), event
        if event.kind is EventKind.ROLLED_BACK:
            assert event.version in before[:-1], event
        if event.kind is EventKind.PROMOTED:
            assert before[-1:] != [event.version]
    made = Counter((event.kind, event.key or event.reason) for event in events)
    for what, _, reason, *answer in told:
        if what in KINDS:
            # what was the case already needs no event
            assert made[KINDS[what], reason] <= 1
            assert made[KINDS[what], reason] == 1 or what in ("promote", "alias")
        if what == "archive":
            assert made[EventKind.UNARCHIVED, reason] <= 1
        if what == "look":
            (look,) = (
                event.look for event in events if event.key == reason and event.kind is EventKind.LOOKED
            )
            assert str(look) == answer[0]
    looks = [event.look for event in events if event.kind is EventKind.LOOKED]
    assert looks == list(range(1, len(looks) + 1))
    assert looks
    registry.spend_look("ctr", 1, split="other", key="the next call")  # which completes what a kill left out
    assert json.loads((base / "models" / "ctr" / "aliases.json").read_bytes()) == registry.aliases("ctr")
    assert examine(Store(base)).is_well
