"""A verdict as plain data: whatever its file holds, every value is of the kind that its name says."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdicts_made import HASH, KINDS, hostile, old, scored, superiority

from tracking import Verdict
from tracking.verdicts import brief_of, whole_of
from tracking.verdicts.words import note_lines, rule_name

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def whole(raw: dict[str, Any]) -> dict[str, Any]:
    return whole_of(Verdict.from_json(raw), 2)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers_in(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers_in(each)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_verdict_is_told_in_finite_numbers(kind: str) -> None:
    found = whole(KINDS[kind])
    assert all(map(math.isfinite, numbers_in(found)))
    assert json.loads(json.dumps(found)) == found
    assert found["sentence"]
    assert [rule_name(rule) for rule in found["rules"]] or kind == "old"


def test_a_reason_has_the_outcome_of_its_rule_and_is_told_once() -> None:
    found = whole(KINDS["promoted"])
    assert [(each["words"], each["passes"]) for each in found["why"]] == [
        ("log_loss is well", True),
        ("latency_p95 is well", True),
        ("val_auc is well", True),
    ]
    remark = "somebody looked at it"
    (last,) = whole(scored(promote=False, reasons=[superiority()["reason"], remark]))["why"]
    assert last == {"words": remark, "passes": None}
    assert whole(old())["why"] == []  # its sentence holds them


def test_a_remark_that_a_note_tells_is_left_out_by_its_kind() -> None:
    words = {
        "look": "the second look",
        "power": "these rows tell no gain in auc at this look, however large",
        "elsewhere": "it was look 2 at another model",
    }
    remarks = [{"kind": kind, "words": each} for kind, each in words.items()]
    found = whole(
        scored(reasons=[*words.values()], remarks=remarks, power={"detectable": None, "power": 0.8})
    )
    assert [note["name"] for note in found["notes"]] == ["Rows", "Look", "Choice"]
    assert [each["words"] for each in found["why"]] == [words["power"], words["elsewhere"]]
    unknown = whole(scored(reasons=["a remark of a newer podium"], remarks=[{"kind": "new", "words": 3}, 4]))
    assert [each["words"] for each in unknown["why"]] == ["a remark of a newer podium"]


def test_an_older_verdict_without_kinds_is_told_as_before() -> None:
    found = whole(KINDS["promoted"])
    before = {name: each for name, each in KINDS["promoted"].items() if name != "remarks"}
    assert whole(before) == found
    assert len(found["why"]) == len(KINDS["promoted"]["reasons"]) - 2


def test_the_notes_say_the_rows_the_look_what_could_be_seen_and_the_choice() -> None:
    assert note_lines(whole(KINDS["refused"])) == [
        "Rows: the promotion rows, which the trainer keeps from every job: 3,000 rows, 2,486 are not clicked and 514 are "
        f"clicked ({HASH[:12]})",
        "Look: look 2 at these rows, judged at 0.76 % so that all looks together stay at 5 %",
        "Power: a true gain of 0.0113 is seen 8 times in 10 with these rows at this look; about 4,200 further rows would "
        "tell a gain of the size that was seen",
        "Choice: chosen as the best of 16 jobs by val_auc, 0.7803: 0.0061 better than on these rows (0.7742); about 0.004 "
        "of that comes from choosing the best",
    ]
    assert note_lines(whole(KINDS["no_split"])) == []


@pytest.mark.parametrize(("change", "words"), [
    ({"by_choosing": 0.001}, "; how much of that comes from choosing the best cannot be told"),
    ({"overestimated_by": -0.002}, ": 0.002 worse than on these rows (0.7742)"),
    ({"by_choosing": None}, ": 0.0061 better than on these rows (0.7742)"),
    ({"here": None}, "by val_auc, 0.7803"),
])  # fmt: skip
def test_the_choice_says_no_more_than_is_known(change: dict[str, Any], words: str) -> None:
    found = whole(scored(selection={**scored()["selection"], **change}))
    assert found["notes"][-1]["words"].endswith(words)
    assert not [
        note
        for note in whole(scored(selection={**scored()["selection"], "jobs": 1}))["notes"]
        if note["name"] == "Choice"
    ]


def test_pictures_whose_columns_do_not_fit_are_left_out() -> None:
    curves = [{"version": 2, "fpr": [0, 1], "tpr": [0]}, {"version": 1, "fpr": [0, 1], "tpr": [0, 1]}]
    found = whole(
        scored(pictures={"curves": curves, "gains": {"edges": [0, 1], "counts": [1, 2]}, "else": 1})
    )
    assert found["pictures"] == {"curves": [curves[1]]}


def test_what_a_list_shows_is_short_however_large_the_verdict_is() -> None:
    raw = scored(pictures={"curves": [{"version": 1, "fpr": [0.5] * 10_000, "tpr": [0.5] * 10_000}]})
    assert len(json.dumps(brief_of(Verdict.from_json(raw), 2))) < 2000
    assert len(json.dumps(whole(raw))) < 50_000


def test_a_text_turns_nothing_that_stands_around_it() -> None:
    found = whole(hostile("\u202eright to left"))
    assert found["rules"][1]["measure"] == "\u2068\u202eright to left\u2069"
    assert "\u2069: 3,000 rows" in found["notes"][0]["words"]


@pytest.mark.parametrize("side", ["champion", "challenger"])
@pytest.mark.parametrize("other", [False, 0, "", [], True, 1, "v1", [["name", "m"]]])
def test_a_file_in_which_a_version_is_no_mapping_is_refused(side: str, other: object) -> None:
    with pytest.raises(TypeError, match=side):
        Verdict.from_json({**scored(), side: other})
    with pytest.raises(TypeError, match=side):
        Verdict.from_json({**scored(), "format": 1, side: other})


@given(st.dictionaries(st.sampled_from([*scored(), "other"]), ANYTHING))
def test_whatever_a_file_holds_is_read_or_refused_by_the_registry(changes: dict[str, Any]) -> None:
    try:
        verdict = Verdict.from_json({**scored(), **changes})
    except (KeyError, TypeError):
        return
    found = whole_of(verdict, 2)
    assert all(map(math.isfinite, numbers_in(found)))
    json.dumps(found).encode()
    note_lines(found)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_a_rule_holds_is_read(rule: Any, measure: Any, gain: Any) -> None:
    raw = scored(rules=[superiority()])
    raw["rules"] = [
        rule,
        {**superiority(), "measure": measure, "gain": gain, "low": gain, "slice": [rule, gain]},
        {},
    ]
    raw["pictures"] = {"curves": [rule, {"fpr": gain, "tpr": measure}], "gains": rule}
    for each in whole(raw)["rules"]:
        assert rule_name(each)
        assert type(each["passes"]) is bool
