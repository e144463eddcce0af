"""Looks at a split are counted in the history before anything is compared, once for a judgement."""

import json
import random
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import InvalidValueError, ModelRegistry, UnknownModelError
from tracking.registry import EventKind
from tracking.registry.overlap import read, shared, sketch_of, written

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


@pytest.mark.parametrize(
    ("other", "asked"),
    [
        ({"alpha": 0.9}, "alpha 0.9 and no plan"),
        ({"planned": 10}, "alpha 0.05 and 10 planned looks"),
        ({"alpha": 0.1, "planned": 1}, "alpha 0.1 and 1 planned look"),
    ],
)
def test_the_first_look_fixes_alpha_and_the_plan_of_its_rows(
    registry: ModelRegistry, base: Path, other: dict[str, Any], asked: str
) -> None:
    registry.spend_look("ctr", 2, split="s", key="a")
    with pytest.raises(
        InvalidValueError,
        match=rf"counted with alpha 0\.05 and no plan since 20\d\d-\d\d-\d\d, not with {asked} as asked; judge by new rows",
    ):
        registry.spend_look("ctr", 3, split="s", key="b", **other)
    assert registry.spend_look("ctr", 3, split="s", key="b") == 2, "the refusal has spent nothing"
    assert registry.spend_look("ctr", 3, split="other", key="b", **other) == 1
    with pytest.raises(InvalidValueError, match=rf"counted with {asked} since"):
        registry.spend_look("ctr", 2, split="other", key="c")
    looks = [event for event in registry.history("ctr") if event.kind is EventKind.LOOKED]
    assert [(each.alpha, each.planned) for each in looks[:2]] == [(0.05, None)] * 2
    assert (looks[2].alpha, looks[2].planned) == (other.get("alpha", 0.05), other.get("planned"))


def test_looks_of_older_versions_were_counted_at_5_percent_without_a_plan(
    registry: ModelRegistry, base: Path
) -> None:
    registry.spend_look("ctr", 2, split="s", key="a", alpha=0.2, planned=3)
    events = base / "models" / "ctr" / "events.jsonl"
    *lines, last = events.read_text().splitlines()
    old = {name: each for name, each in json.loads(last).items() if name not in ("alpha", "planned")}
    events.write_text("\n".join([*lines, json.dumps(old)]) + "\n")
    with pytest.raises(InvalidValueError, match=r"alpha 0\.05 and no plan since"):
        registry.spend_look("ctr", 3, split="s", key="b", alpha=0.2, planned=3)
    assert registry.spend_look("ctr", 3, split="s", key="b") == 2


def test_of_processes_that_ask_for_other_plans_one_fixes_it(registry: ModelRegistry, base: Path) -> None:
    code = (
        "import sys; from tracking import InvalidValueError, ModelRegistry\n"
        "sys.stdin.read(1)\n"
        "try: print(ModelRegistry(sys.argv[1]).spend_look('ctr', 2, split='s', key=sys.argv[2], planned=int(sys.argv[2])))\n"
        "except InvalidValueError: print('refused')"
    )
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(base), str(planned)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for planned in range(1, 5)
    ]  # fmt: skip
    for each in crowd:
        assert each.stdin is not None
        each.stdin.write("x")
        each.stdin.flush()
    told = sorted(each.communicate()[0].strip() for each in crowd)
    assert told == ["1", "refused", "refused", "refused"]
    assert sum(event.kind is EventKind.LOOKED for event in registry.history("ctr")) == 1


def rows_of(first: int, last: int) -> list[int]:
    """Return the hashes of rows by their numbers, evenly spread."""
    return [row(number) for number in range(first, last)]


@cache
def row(number: int) -> int:
    return random.Random(number).getrandbits(64)


def test_rows_that_were_looked_at_as_another_split_go_on_being_counted(registry: ModelRegistry) -> None:
    def look(split: str, first: int, last: int, **more: Any) -> int:
        return registry.spend_look(
            "ctr", 2, split=split, key=split, rows=sketch_of(rows_of(first, last)), **more
        )

    assert look("all", 0, 2000, alpha=0.1) == 1
    with pytest.raises(InvalidValueError, match=r"counted with alpha 0\.1 and no plan"):
        look("all but one", 1, 2000)
    assert look("all but one", 1, 2000, alpha=0.1) == 2
    assert look("half", 1000, 3000, alpha=0.1) == 3
    assert look("the other half", 2000, 3000, alpha=0.1) == 4, "which the third look saw"
    assert look("new", 3000, 5000) == 1
    assert look("a few", 4950, 7000) == 1, "less than a tenth was looked at"
    assert look("alike", 6000, 8000, explained=0.5) == 1, "duplicates explain it"
    assert registry.spend_look("ctr", 3, split="all", key="again", alpha=0.1) == 5
    looks = {each.split: each for each in registry.history("ctr") if each.kind is EventKind.LOOKED}
    assert {split: each.of for split, each in looks.items() if each.of} == dict.fromkeys(
        ("all but one", "half", "the other half"), "all"
    )
    assert looks["half"].overlap == pytest.approx(0.5, abs=0.07)
    assert (
        looks["all but one"].reason
        == "look 2 at the rows all but one, of which 100% were looked at before as all"
    )


def test_a_little_of_each_of_many_earlier_splits_is_not_new(registry: ModelRegistry) -> None:
    def look(split: str, rows: list[int], **more: Any) -> int:
        return registry.spend_look("ctr", 2, split=split, key=split, rows=sketch_of(rows), **more)

    for number in range(6):
        first = 1000 * number
        assert look(f"old {number}", rows_of(first, first + 1000)) == 1
        if number == 3:  # four more looks at most of these rows
            again = [look(f"old 3, {n}", rows_of(first + n, first + 1000)) for n in range(1, 5)]
            assert again == [2, 3, 4, 5]
    few = [each for number in range(6) for each in rows_of(1000 * number, 1000 * number + 60)]  # 6 % of each
    some = [each for number in range(6) for each in rows_of(1000 * number + 60, 1000 * number + 120)]
    assert look("by chance", some + rows_of(30_000, 30_640), explained=0.1) == 1, "duplicates explain it"
    assert look("two of them", few[:120] + rows_of(10_000, 10_880), explained=0.1) == 1, "12 % of its rows"
    assert look("most", few[60:] + rows_of(20_000, 20_700)) == 6, "30 % of its rows, after 5 looks at a split"
    found = registry.history("ctr")[-1]
    assert (found.of, found.splits) == ("old 3", 6), "five old ones, and the two"
    assert found.overlap == pytest.approx(0.3, abs=0.07)
    assert found.reason.endswith("were looked at before as old 3 and 5 other splits")
    # a split with which hardly a row is shared does not lend its many looks
    apart = rows_of(40_000, 40_200)
    assert look("apart", apart + rows_of(41_000, 41_800)) == 1
    assert look("mostly apart", apart + few[180:181] + rows_of(42_000, 42_800)) == 2


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 2000)), min_size=1, max_size=6),
    st.integers(1, 2000),
)
def test_sketches_tell_which_share_of_rows_any_of_several_sets_has(
    spans: list[tuple[int, int]], many: int
) -> None:
    new = set(rows_of(500, 500 + many))
    sets = [set(rows_of(first, first + rows)) for first, rows in spans]
    share = len(new & set.union(*sets)) / len(new)
    sketches = [read(written(sketch_of(each))) for each in sets]
    found = shared(sketch_of(new), *sketches)
    assert found == pytest.approx(shared(sketch_of(new), *reversed(sketches)), abs=1e-12)
    if max(map(len, [new, *sets])) <= 512:
        assert found == pytest.approx(share, abs=1e-12)
    else:  # each set adds the rows that it alone has, known from a quarter of them or more
        assert abs(found - share) <= 5 * (len(sets) / (4 * min(512, many))) ** 0.5
    assert shared(sketch_of(new), *sketches, sketch_of(new)) == pytest.approx(1.0)


@given(st.integers(0, 3000), st.integers(1, 3000), st.integers(1, 3000))
def test_a_sketch_tells_which_share_of_rows_another_set_has(both: int, new: int, old: int) -> None:
    one, other = rows_of(0, both + new), rows_of(0, both) + rows_of(10_000, 10_000 + old)
    sketch, before = sketch_of(one), read(written(sketch_of(other)))
    within = sum(each <= min(sketch[-1], before[-1]) for each in one)
    share = both / (both + new)
    exact = max(len(one), len(other)) <= 512
    spread = 5 * (share * (1 - share) / max(1, within)) ** 0.5
    assert abs(shared(sketch, before) - share) <= (1e-12 if exact else spread + 1e-12)


@pytest.mark.parametrize("text", [None, "", "no base64!", "AAAA", "\u00e9"])
def test_what_is_no_sketch_shares_nothing(text: str | None) -> None:
    assert read(text) == ()
    assert shared(sketch_of(rows_of(0, 9)), read(text)) == 0.0
