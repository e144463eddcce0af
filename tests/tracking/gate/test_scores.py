"""What a scorer returns is checked before it is used: each fault is a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_versions import ROWS, SPOILED, scores_of

from tracking import CorruptFileError, InvalidValueError
from tracking.gate.judgement import obstacles, split_of
from tracking.gate.scores import SAME, Scores, column_of
from tracking.gate.scores import scores_of as checked
from tracking.gate.scores_file import read_scores, scores_bytes
from tracking.statistics.measures import Task

SPLIT = {"name": "rows", "hash": "h"}
FAULTS = {
    "nonsense": r"the scorer returned int, not a mapping with 'prediction' and 'target'",
    "no target": r"the scorer returned no 'target'",
    "unknown": r"the scorer returned the unknown 'predictions'; allowed are classes, columns",
    "nan": r"3 of 4,000 values of 'prediction' are not finite \(NaN or infinite\)",
    "text": r"the scorer's 'prediction' holds something else than numbers",
    "short": r"the scorer's 'prediction' has the shape \(3999,\), and 'target' has 4,000 rows \(binary\)",
    "twice": r"the scorer's 'row' names a row twice",
    "negative weights": r"the scorer's 'weight' must be a number, 0 or more, for each of 4,000 rows, not all 0",
}
OBSTACLES = {
    "other rows": "the two versions were scored on different rows, or in another order",
    "other order": "the two versions were scored on different rows, or in another order",
    "other targets": "the targets of the rows differ between the two versions",
    "other split": "the split has changed: ",
    "other weights": "the weights of the rows differ between the two versions",
    "other task": "predicts for ",
    "trained": "trained on 40.0% of the rows that are to decide, and duplicates explain 1.0%",
    "repeated": "50.0% of the rows that are to decide are the same as another, and of as many training rows 1.0% are",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_scores_that_cannot_be_used_are_refused(fault: str) -> None:
    with pytest.raises(InvalidValueError, match=FAULTS[fault]):
        checked(SPOILED[fault](scores_of()))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("fault", OBSTACLES)
def test_versions_that_were_not_scored_on_the_same_fresh_rows_are_not_compared(
    fault: str, turned: bool
) -> None:
    both = [checked(scores_of()), checked(SPOILED[fault](scores_of(own=1)))]
    assert list(obstacles(both[0], both[0])) == []
    one, other = reversed(both) if turned else both
    assert any(OBSTACLES[fault] in each for each in obstacles(one, other))


def test_rows_of_another_number_are_told_alone() -> None:
    told = list(obstacles(checked(scores_of(rows=200)), checked(scores_of(rows=300))))
    assert told == [f"the challenger was scored on 200 rows and the champion on 300{SAME}"]


@pytest.mark.parametrize(("raw", "task"), [
    ({"prediction": [0.1, 0.9], "target": [0, 1]}, Task.BINARY),
    ({"prediction": [[0.9, 0.1], [0.1, 0.9]], "target": [False, True]}, Task.BINARY),
    ({"prediction": [1.5, 2.5], "target": [0.3, 4.0]}, Task.REGRESSION),
    ({"prediction": [[0.2, 0.3, 0.5]] * 2, "target": ["b", "c"], "classes": ["a", "b", "c"]}, Task.MULTICLASS),
    ({"prediction": [0.1, 0.9], "target": ["no", "yes"], "task": "binary"}, Task.BINARY),
])  # fmt: skip
def test_the_task_follows_from_the_scores(raw: dict[str, Any], task: Task) -> None:
    scores = checked(raw)
    assert scores.task is task
    assert len(scores) == 2
    assert (scores.rows_of_classes is None) == (task is Task.REGRESSION)


def test_classes_are_counted_by_their_names() -> None:
    raw = {"prediction": [[0.2, 0.3, 0.5]] * 3, "target": ["b", "c", "b"], "classes": ["a", "b", "c"]}
    assert checked(raw).rows_of_classes == {"a": 0, "b": 2, "c": 1}
    with pytest.raises(InvalidValueError, match="the targets hold classes that the model does not have: d"):
        checked({**raw, "target": ["b", "c", "d"]})


def test_without_a_hash_of_its_own_a_split_is_known_by_its_rows_and_targets() -> None:
    raw = {"prediction": [0.1, 0.9, 0.4], "target": [0, 1, 1]}
    base = checked(raw).split_hash
    assert base == checked({**raw, "prediction": [0.2, 0.2, 0.2]}).split_hash
    others = [checked({**raw, "target": [1, 1, 1]}), checked({**raw, "row": [5, 6, 7]}), checked(raw, "file")]
    assert len({base, *(each.split_hash for each in others)}) == 4


def test_a_column_is_read_as_texts(tmp_path: Path) -> None:
    columns = {"age": np.array([1.0, np.nan, 3.5]), "region": np.array(["n", None, "s"], dtype=object)}
    scores = checked({"prediction": [0.1, 0.9, 0.4], "target": [0, 1, 1], "columns": columns})
    assert column_of(scores, "age").tolist() == ["1", "missing", "3.5"]
    assert column_of(scores, "region").tolist() == ["n", "missing", "s"]
    with pytest.raises(InvalidValueError, match="the rows have no column 'planet'; they have: age, region"):
        column_of(scores, "planet")


def kept(scores: Scores, champion: Scores | None, path: Path) -> dict[str, Any]:
    path.write_bytes(scores_bytes(scores, champion))
    return read_scores(path)


def test_scores_are_kept_as_they_were_compared(tmp_path: Path) -> None:
    raw = scores_of() | {"weight": np.ones(ROWS), "row": [f"id{each}" for each in range(ROWS)]}
    one, other = checked(raw), checked(raw | {"prediction": scores_of(own=1)["prediction"]})
    found = kept(one, other, tmp_path / "scores.npz")
    assert sorted(found) == ["challenger", "champion", "row", "target", "weight"]
    assert np.array_equal(found["challenger"], one.prediction)
    assert np.array_equal(found["champion"], other.prediction)
    assert found["row"][3] == "id3"
    assert "champion" not in kept(one, None, tmp_path / "first.npz")


@pytest.mark.parametrize("spoil", [b"", b"PK\x03\x04 torn", b"no zip"])
def test_damaged_scores_are_named(tmp_path: Path, spoil: bytes) -> None:
    path = tmp_path / "scores.npz"
    path.write_bytes(spoil)
    with pytest.raises(CorruptFileError, match=r"scores\.npz holds no scores"):
        read_scores(path)


def test_scores_hold_no_pickle(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    np.savez(path, row=np.array([{"a": 1}], dtype=object))
    with pytest.raises(CorruptFileError, match=r"scores\.npz holds no scores"):
        read_scores(path)


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("1626513649 a" + "5" * 50, "1626513649 a" + "6" * 50, ("1626513649 a5", "1626513649 a6")),
        ("7" * 64, "8" * 64, ("7" * 12, "8" * 12)),
        ("short", "shorter and longer", ("short", "shorter and ")),
        ("a" * 20, "a" * 21, ("a" * 20, "a" * 21)),
    ],
)
def test_hashes_are_shown_so_far_that_they_differ(one: str, other: str, shown: tuple[str, str]) -> None:
    both = [checked(scores_of() | {"split": {"hash": each}}) for each in (one, other)]
    assert list(obstacles(*both)) == [
        f"the split has changed: {shown[0]} for the challenger, {shown[1]} for the champion"
    ]


def test_versions_may_have_to_agree_on_more_than_the_rows(tmp_path: Path) -> None:
    both = [checked(scores_of() | {"split": {"hash": "h", "same": each}}) for each in ("one", "two")]
    assert list(obstacles(*both)) == ["the split has changed: one for the challenger, two for the champion"]
    both = [checked(scores_of() | {"split": {"hash": each, "same": "s"}}) for each in ("one", "two")]
    assert list(obstacles(*both)) == []


@pytest.mark.parametrize(
    "hashes", [np.zeros(3, np.uint64), np.zeros(ROWS), np.zeros((ROWS, 2), np.uint64), "hash"]
)
def test_hashes_of_rows_are_whole_numbers_of_64_bits(hashes: Any) -> None:
    with pytest.raises(
        InvalidValueError, match=r"the scorer's 'row_hash' has the shape .*, not uint64 for each of 4,000"
    ):
        checked(scores_of() | {"row_hash": hashes})


@pytest.mark.parametrize(
    ("told", "is_refused"),
    [
        ({"rows": 40}, False),
        ({"rows": 40, "share": 0.01, "expected": 0.0, "of": 4000}, False),
        ({"rows": 400, "share": 0.1, "expected": 0.09, "of": 4000}, False),
        ({"rows": 400, "share": 0.1, "expected": 0.02, "of": 4000}, True),
    ],
)
def test_repeated_rows_are_counted_and_refused_only_where_training_rows_repeat_less(
    told: dict[str, float], is_refused: bool
) -> None:
    scores = checked(scores_of() | {"duplicates": told})
    assert split_of(scores, None, None)["duplicates"] == told["rows"]
    assert bool([*obstacles(scores, scores)]) is is_refused
