"""The chain of a history: changed, removed, added and moved lines are seen, and none of them stops the reading."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ModelRegistry
from tracking.doctor import examine
from tracking.files import append
from tracking.store.store import Store

OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(registry: ModelRegistry, make_run: Any) -> ModelRegistry:
    registry.register("ctr", make_run(), objective=OBJECTIVE)
    registry.promote("ctr", 1, reason="the first")
    for number in (1, 2, 3):
        registry.spend_look("ctr", 1, split="rows", key=str(number))
    return registry


@pytest.fixture
def history(base: Path) -> Path:
    return base / "models" / "ctr" / "events.jsonl"


def faults(registry: ModelRegistry) -> tuple[str, ...]:
    (found,) = (each for each in registry.verify("ctr") if each.version is None)
    return found.faults


def lines(history: Path) -> list[str]:
    return history.read_text().splitlines(keepends=True)


def test_each_line_holds_the_hash_of_the_line_before(registry: ModelRegistry, history: Path) -> None:
    events = [json.loads(line) for line in lines(history)]
    before = [None, *(append.line_hash(line.encode()) for line in lines(history)[:-1])]
    assert [event.get("previous") for event in events] == before
    assert faults(registry) == ()


CHANGES: list[tuple[Callable[[list[str]], list[str]], str]] = [
    (lambda lines: lines[1:], "the line that line 1 follows was changed or removed"),
    (lambda lines: [*lines[:2], *lines[3:]], "the line that line 3 follows was changed or removed"),
    (
        lambda lines: [lines[0], lines[1].replace("the first", "well done"), *lines[2:]],
        "the line that line 3 follows was changed or removed",
    ),
    (
        lambda lines: [*lines[:3], lines[2].replace('"look":1', '"look":9'), *lines[3:]],
        "line 4 follows line 2, not the line before it",
    ),
    (lambda lines: [*lines[:2], lines[3], lines[2], lines[4]], "line 3 follows line 4, not the line before"),
    (lambda lines: [*lines[:2], "{ torn\n", *lines[3:]], "line 3 is damaged"),
    (
        lambda lines: [*lines, json.dumps({**json.loads(lines[-1]), "previous": None}) + "\n"],
        "line 6 does not say which line it follows",
    ),
]


@pytest.mark.parametrize(("change", "fault"), CHANGES, ids=[fault for _, fault in CHANGES])
def test_a_change_of_the_past_is_named_with_its_place(
    registry: ModelRegistry, history: Path, change: Callable[[list[str]], list[str]], fault: str
) -> None:
    history.write_text("".join(change(lines(history))))
    assert fault in faults(registry)[0]
    registry.promote("ctr", 1, reason="goes on")
    registry.spend_look("ctr", 1, split="rows", key="later")
    assert registry.history("ctr")[-1].key == "later"
    assert len(faults(registry)) >= 1


def test_lines_of_an_older_podium_are_no_fault(registry: ModelRegistry, history: Path) -> None:
    old = [{**json.loads(line), "previous": None} for line in lines(history)[:3]]
    history.write_text("".join(json.dumps(line) + "\n" for line in old))
    registry.spend_look("ctr", 1, split="rows", key="new")
    assert faults(registry) == ()
    assert json.loads(lines(history)[3])["previous"] == append.line_hash(lines(history)[2].encode())


@pytest.mark.parametrize("tail", ['{"event": "lo', '{"event": "looked"}'])
def test_a_last_line_that_was_cut_off_breaks_no_chain(
    registry: ModelRegistry, history: Path, tail: str
) -> None:
    with history.open("a") as file:
        file.write(tail)
    registry.spend_look("ctr", 1, split="rows", key="next")
    assert [fault for fault in faults(registry) if "changed or removed" in fault] == []
    assert registry.history("ctr")[-1].key == "next"


def test_a_line_longer_than_a_block_is_followed(registry: ModelRegistry) -> None:
    registry.refuse("ctr", 1, reason="x" * 200_000)
    registry.refuse("ctr", 1, reason="y")
    assert faults(registry) == ()


def test_histories_that_a_sync_program_kept_apart_are_read_and_named_once_merged(
    registry: ModelRegistry, history: Path, base: Path
) -> None:
    copy = history.with_name("events (conflicted copy 2026-01-01).jsonl")
    shared = history.read_bytes()
    registry.spend_look("ctr", 1, split="rows", key="here")
    ours = history.read_bytes()
    history.write_bytes(shared)
    registry.spend_look("ctr", 1, split="rows", key="there")
    copy.write_bytes(history.read_bytes())
    history.write_bytes(ours)
    assert faults(registry) == ()
    examine(Store(base))
    assert {event.key for event in registry.history("ctr")} >= {"here", "there"}
    (fault,) = faults(registry)
    assert "a sync program brought two histories together" in fault
    registry.spend_look("ctr", 1, split="rows", key="after")
    assert len(faults(registry)) == 1


def test_many_breaks_are_told_in_short(registry: ModelRegistry, history: Path) -> None:
    for number in range(20):
        registry.spend_look("ctr", 1, split="more", key=str(number))
    history.write_text("".join(lines(history)[::2]))
    assert len(faults(registry)) == 6
    assert faults(registry)[-1].endswith("more such places")
