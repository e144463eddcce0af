"""What a verdict says of its rows beside the look: looks that are not counted here, and rows that a version trained on."""

from pathlib import Path

import pytest
from scored_versions import add_version, judge

from tracking import ModelRegistry, Verdict
from tracking.registry import EventKind, RemarkKind


def remarks(verdict: Verdict, kind: RemarkKind) -> list[str]:
    """Return the remarks of a kind, each of which is a reason too."""
    found = [each["words"] for each in verdict.facts["remarks"] if each["kind"] == kind.value]
    assert set(found) <= set(verdict.reasons)
    return found


def exported(registry: ModelRegistry, folder: Path, *numbers: int) -> list[Path]:
    return [registry.export(f"ctr@{number}", folder / f"v{number}") for number in numbers]


def test_looks_under_another_name_of_the_store_are_said_and_not_counted(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    for own in (2, 3):
        add_version(registry, store, skill=0.6, own=own)
        judge(registry, own)
    one, other = exported(registry, tmp_path, 1, 3)
    registry.import_version(one, name="fresh")
    registry.promote("fresh", 1, reason="the first")
    registry.import_version(other, name="fresh")
    verdict = judge(registry, 2, name="fresh")
    assert remarks(verdict, RemarkKind.ELSEWHERE) == [
        "the same rows decided 2 times about another model (ctr): those looks are not counted here"
    ]
    assert verdict.facts["look"]["number"] == 1
    assert verdict.facts["look"]["elsewhere"] == {"models": {"ctr": 2}, "imported": [], "unread": []}
    assert judge(registry, 2, name="fresh") == verdict
    add_version(registry, store, skill=0.6, own=4)
    back = judge(registry, 4)
    assert back.facts["look"]["number"] == 3
    assert remarks(back, RemarkKind.ELSEWHERE) == [
        "the same rows decided once about another model (fresh): those looks are not counted here"
    ]


def test_a_look_that_an_imported_version_tells_of_is_said_in_another_store(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    for own in (2, 3):
        add_version(registry, store, skill=0.6, own=own)
        judge(registry, own)
    there = ModelRegistry(tmp_path / "there")
    for place in exported(registry, tmp_path, 1, 3):
        there.import_version(place, name="fresh")
    there.promote("fresh", 1, reason="the first")
    verdict = judge(there, 2, name="fresh")
    assert verdict.facts["look"]["number"] == 1
    assert remarks(verdict, RemarkKind.ELSEWHERE) == [
        "v2 was imported with a verdict of look 2 at the same rows, as ctr: those looks are not counted here"
    ]
    assert verdict.facts["look"]["elsewhere"]["imported"] == [
        {"version": 2, "name": "ctr", "look": 2, "same_rows": True}
    ]
    rows = tmp_path / "rows.txt"
    rows.write_text("\n".join(map(str, range(1000))))
    assert remarks(judge(there, 2, name="fresh", split=str(rows)), RemarkKind.ELSEWHERE) == [
        "v2 was imported with a verdict of look 2 at other rows, as ctr: whether some of them are the same is not known"
    ]


def test_a_version_that_comes_back_under_its_name_has_its_looks_in_the_history(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    add_version(registry, store, skill=0.6, own=2)
    judge(registry, 2)
    (place,) = exported(registry, tmp_path, 2)
    registry.remove("ctr", 2)
    number = registry.import_version(place).version
    verdict = judge(registry, number, rules={"min_gain": 0.001})
    assert verdict.facts["look"]["number"] == 2
    assert remarks(verdict, RemarkKind.ELSEWHERE) == []


def test_a_history_of_another_model_that_cannot_be_read_is_named_and_stops_nothing(
    registry: ModelRegistry, store: Path
) -> None:
    damaged = store / "models" / "old" / "events.jsonl"
    damaged.parent.mkdir()
    damaged.write_bytes(b"\0" * 100 + b"\n")
    (store / "models" / "empty").mkdir()
    (store / "models" / "empty" / "events.jsonl").touch()
    add_version(registry, store, skill=1.5, own=2)
    verdict = judge(registry, 2)
    assert verdict.promote
    assert remarks(verdict, RemarkKind.ELSEWHERE) == [
        "the history of old cannot be read: whether it looked at these rows is not known"
    ]


def test_rows_of_which_a_part_decided_about_other_models_are_said(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    rows, other = tmp_path / "rows.txt", tmp_path / "other.txt"
    rows.write_text("\n".join(map(str, range(1000))))
    other.write_text("\n".join(map(str, range(700, 1700))))
    add_version(registry, store, skill=0.6, own=2)
    judge(registry, 2, split=str(rows))
    for name in ("fresh", "new"):
        for place in exported(registry, tmp_path / name, 1, 2):
            registry.import_version(place, name=name)
        registry.promote(name, 1, reason="the first")
        verdict = judge(registry, 2, name=name, split=str(other))
        assert verdict.facts["look"]["number"] == 1
    assert remarks(verdict, RemarkKind.ELSEWHERE) == [
        "these rows, or some of them, decided 2 times about other models (ctr 1, fresh 1): those looks are not counted here"
    ]


def test_a_little_of_several_earlier_splits_is_said_with_the_one_that_was_looked_at_most(
    registry: ModelRegistry, store: Path, tmp_path: Path
) -> None:
    add_version(registry, store, skill=0.6, own=2)
    file = tmp_path / "rows.txt"

    def judged_by(rows: list[int]) -> Verdict:
        file.write_text("\n".join(map(str, rows)))
        return judge(registry, 2, split=str(file))

    firsts = [judged_by([*range(1000 * place, 1000 * place + 500)]) for place in range(5)]
    mixed = judged_by([1000 * place + row for place in range(5) for row in range(30)] + [*range(9000, 9350)])
    assert mixed.facts["look"]["number"] == 2
    assert (mixed.facts["look"]["overlap"], mixed.facts["look"]["splits"]) == (0.3, 5)
    of = mixed.facts["look"]["of"]
    assert of in [each.facts["split"]["hash"] for each in firsts]
    assert remarks(mixed, RemarkKind.SHARED) == [
        f"30% of these rows were looked at before, as rows of 5 splits: the looks at {of[:12]}, which was looked at most, "
        "and at these count as looks at the same rows"
    ]


@pytest.mark.parametrize(
    ("champion", "challenger", "said"),
    [
        (
            "trained a little",
            "trained a little",
            ["3.1% of the rows equal rows that both versions trained on, and duplicates explain 2.5%"],
        ),
        (
            "trained on none",
            "trained a little",
            [
                "3.1% of the rows equal rows that the challenger trained on, and duplicates explain 2.5%",
                "none of the rows equals a row that the champion trained on",
            ],
        ),
        ("", "trained on none", ["none of the rows equals a row that the challenger trained on"]),
        ("", "", []),
    ],
)
def test_the_share_of_training_rows_is_said_also_where_it_refuses_nothing(
    tmp_path: Path, champion: str, challenger: str, said: list[str]
) -> None:
    registry = ModelRegistry(tmp_path)
    add_version(registry, tmp_path, skill=0.6, own=1, fault=champion)
    add_version(registry, tmp_path, skill=1.5, own=2, fault=challenger)
    registry.promote("ctr", 1, reason="the first")
    verdict = judge(registry, 2)
    assert verdict.promote
    assert remarks(verdict, RemarkKind.TRAINED_ON) == said
    shares = {"trained a little": 0.031, "trained on none": 0.0}
    told = verdict.facts["split"]["trained_on"] or {"challenger": None, "champion": None}
    assert {who: each and each["share"] for who, each in told.items()} == {
        "challenger": shares.get(challenger),
        "champion": shares.get(champion),
    }
    assert [each.kind for each in registry.history("ctr")][-1] is EventKind.PROMOTED
