"""Looks at a split are counted in the history before anything is compared, once for a judgement."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking import InvalidValueError, ModelRegistry, UnknownModelError
from tracking.registry import EventKind

ROOT = Path(__file__).resolve().parents[3]
OBJECTIVE = {"metric": "val_auc", "mode": "max", "value": 0.8}


@pytest.fixture
def registry(registry: ModelRegistry, make_run: Any) -> ModelRegistry:
    for _ in range(3):
        registry.register("ctr", make_run(), objective=OBJECTIVE)
    return registry


def test_each_judgement_spends_one_look_at_its_split(registry: ModelRegistry) -> None:
    registry.promote("ctr", 1, reason="the first")
    assert registry.spend_look("ctr", 2, split="s1", key="a", by="sweep x") == 1
    assert registry.spend_look("ctr", 3, split="s1", key="b") == 2
    assert registry.spend_look("ctr", 2, split="s1", key="a") == 1  # it was cut off, and is made again
    assert registry.spend_look("ctr", 2, split="s2", key="a") == 1  # other rows
    assert registry.spend_look("ctr", 2, split="s1", key="c") == 3
    looks = [event for event in registry.history("ctr") if event.kind is EventKind.LOOKED]
    assert [(each.version, each.split, each.look, each.key) for each in looks] == [
        (2, "s1", 1, "a"),
        (3, "s1", 2, "b"),
        (2, "s2", 1, "a"),
        (2, "s1", 3, "c"),
    ]
    assert (looks[0].by, looks[0].before) == ("sweep x", 1)


def test_the_looks_of_a_removed_version_and_of_conflict_copies_stay_spent(
    registry: ModelRegistry, base: Path
) -> None:
    events = base / "models" / "ctr" / "events.jsonl"
    before = events.read_bytes()
    registry.spend_look("ctr", 2, split="s", key="here")
    here = events.read_bytes()
    events.write_bytes(before)
    registry.spend_look("ctr", 3, split="s", key="there")  # on another machine, which had not heard of it
    events.with_name("events (1).jsonl").write_bytes(here)
    assert registry.spend_look("ctr", 2, split="s", key="next") == 3
    registry.remove("ctr", 2)
    assert registry.spend_look("ctr", 3, split="s", key="last") == 4
    with pytest.raises(UnknownModelError, match="has no version 2"):
        registry.spend_look("ctr", 2, split="s", key="gone")


@pytest.mark.parametrize(("split", "key"), [("", "k"), ("s", ""), (None, "k"), ("s", 3), ("s" * 300, "k")])
def test_a_look_needs_a_split_and_a_key(registry: ModelRegistry, split: Any, key: Any) -> None:
    with pytest.raises(InvalidValueError, match="must be a text of 1 to 256 characters"):
        registry.spend_look("ctr", 1, split=split, key=key)
    assert [event.kind for event in registry.history("ctr")] == ["registered"] * 3


def test_a_refusal_is_noted_once_for_a_key(registry: ModelRegistry) -> None:
    registry.promote("ctr", 1, reason="the first")
    for _ in range(2):
        registry.refuse("ctr", 2, reason="too close", by="sweep x", key="a")
    registry.refuse("ctr", 2, reason="too slow", key="b")
    registry.refuse("ctr", 3, reason="too close", key="a")
    refused = [event for event in registry.history("ctr") if event.kind is EventKind.REFUSED]
    assert [(each.version, each.reason, each.key) for each in refused] == [
        (2, "too close", "a"),
        (2, "too slow", "b"),
        (3, "too close", "a"),
    ]
    assert registry.champion("ctr").version == 1
    with pytest.raises(InvalidValueError, match="reason is empty"):
        registry.refuse("ctr", 2, reason=" ")


def test_a_look_is_on_disk_before_its_number_is_known(registry: ModelRegistry, base: Path) -> None:
    code = (
        "import os, sys; from tracking import ModelRegistry\n"
        "look = ModelRegistry(sys.argv[1]).spend_look('ctr', 2, split='s', key='killed')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(base)], cwd=ROOT, check=False)
    assert registry.spend_look("ctr", 3, split="s", key="next") == 2
    assert registry.spend_look("ctr", 2, split="s", key="killed") == 1
    lines = (base / "models" / "ctr" / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[3])["look"] == 1
