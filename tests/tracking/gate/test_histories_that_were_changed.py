"""A history tells the champion and the looks: one of which lines are missing promotes nothing, and no look is won by that."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from scored_versions import add_version, judge, kinds

from tracking import ModelRegistry
from tracking.doctor import examine
from tracking.store.store import Store

Lines = list[str]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store in which the second and third version of a model were refused, at a look each; the fourth is far better."""
    store = tmp_path_factory.mktemp("judged") / "experiments"
    registry = ModelRegistry(store)
    add_version(registry, store, skill=0.6, own=1)
    registry.promote("ctr", 1, reason="the first")
    for own in (2, 3):
        add_version(registry, store, skill=0.6, own=own)
        judge(registry, own)
    add_version(registry, store, skill=2.0, own=4)
    return store


@pytest.fixture
def store(judged: Path, tmp_path: Path) -> Path:
    return shutil.copytree(judged, tmp_path / "experiments")


@pytest.fixture
def registry(store: Path) -> ModelRegistry:
    return ModelRegistry(store)


@pytest.fixture
def history(store: Path) -> Path:
    return store / "models" / "ctr" / "events.jsonl"


def without(kind: str) -> Callable[[Lines], Lines]:
    return lambda lines: [line for line in lines if json.loads(line)["event"] != kind]


CHANGES: dict[str, Callable[[Lines], Lines]] = {
    "looks were removed": without("looked"),
    "refusals were removed": without("refused"),
    "the first line was removed": lambda lines: lines[1:],
    "a line was changed": lambda lines: [line.replace('"look":1', '"look":9') for line in lines],
    "a line is damaged": lambda lines: [lines[0], "{ torn\n", *lines[2:]],
    "a line without its chain follows": lambda lines: [
        *lines,
        json.dumps({**json.loads(lines[-1]), "previous": None}) + "\n",
    ],
    "the promotion and all after it were cut off": lambda lines: lines[:1],
    "all lines were removed": lambda _lines: [],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("scorer", [True, False])
def test_nothing_is_promoted_by_a_history_that_lacks_lines(
    registry: ModelRegistry, history: Path, change: str, scorer: bool
) -> None:
    history.write_text("".join(CHANGES[change](history.read_text().splitlines(keepends=True))))
    looks = kinds(registry).count("looked") if history.read_text() else 0
    more = {} if scorer else {"scorer": None}
    verdict = judge(registry, 4, rules={"thresholds": {"val_auc": 0.1}}, **more)
    assert not verdict.promote
    assert verdict.reasons[0].startswith("the history of ctr (events.jsonl) is not whole: ")
    assert "restore the file from a copy, promote by hand, or export the versions" in verdict.reasons[0]
    assert kinds(registry).count("looked") == looks
    assert not judge(registry, 4, **more).promote  # the refusal mends nothing
    registry.promote("ctr", 4, reason="seen to")
    assert registry.aliases("ctr")["champion"] == 4


def test_a_history_that_is_gone_promotes_nothing(registry: ModelRegistry, history: Path) -> None:
    whole = history.read_bytes()
    history.unlink()
    assert "is not whole: events.jsonl is missing" in judge(registry, 4).reasons[0]
    history.write_bytes(whole)
    assert judge(registry, 4).promote


def test_histories_that_a_sync_program_brought_together_lack_nothing(
    registry: ModelRegistry, history: Path, store: Path
) -> None:
    copy = history.with_name("events (conflicted copy 2026-01-01).jsonl")
    shared = history.read_bytes()
    registry.set_alias("ctr", "here", 1)
    ours = history.read_bytes()
    history.write_bytes(shared)
    registry.set_alias("ctr", "there", 1)
    copy.write_bytes(history.read_bytes())
    history.write_bytes(ours)
    examine(Store(store))
    assert registry.verify("ctr")[-1].faults
    assert registry.history_faults("ctr") == []
    assert judge(registry, 4).promote


def test_looks_that_only_verdicts_tell_of_are_counted(registry: ModelRegistry, history: Path) -> None:
    lines = history.read_text().splitlines(keepends=True)
    history.write_text("".join(lines[: kinds(registry).index("looked")]))  # a cut end, which no chain shows
    assert registry.history_faults("ctr") == []
    verdict = judge(registry, 4)
    assert verdict.facts["look"]["number"] == 3
    (look,) = (event for event in registry.history("ctr") if event.kind.value == "looked")
    assert look.reason.endswith("; the history lacks 2 earlier looks, which verdicts tell of")


def test_looks_of_the_history_are_counted_once(registry: ModelRegistry, history: Path) -> None:
    assert history.is_file()
    assert judge(registry, 4).facts["look"]["number"] == 3
    assert "lacks" not in registry.history("ctr")[-2].reason


@pytest.mark.parametrize("spoil", [
    {"look": {"number": 2, "alpha": "much", "planned": [], "of": 3, "overlap": "all", "splits": 0.5}},
    {"look": {"number": 0}}, {"look": 7}, {"split": []}, {"at": "yesterday"}, {"key": 5}, {"by": None},
])  # fmt: skip
def test_a_spoiled_verdict_stops_no_judgement(
    registry: ModelRegistry, history: Path, spoil: dict[str, object]
) -> None:
    history.write_text(
        "".join(history.read_text().splitlines(keepends=True)[: kinds(registry).index("looked")])
    )
    path = registry.verdicts("ctr", 2)[0].path
    path.write_text(json.dumps({**json.loads(path.read_text()), **spoil}))
    assert registry.spend_look("ctr", 4, split="others", key="k") == 1
    assert registry.spend_look("ctr", 4, split="world7rows4000", key="k") in (3, 2)
