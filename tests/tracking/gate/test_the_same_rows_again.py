"""The same versions, rows and rules are judged once, whichever file has the rows and in whatever order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_versions import add_version, judge, kinds, rows_of_numbers, scores_of

from tracking import ModelRegistry
from tracking.gate.judgement import values_of_rows
from tracking.gate.rules import gate_settings
from tracking.gate.scores import scores_of as checked

ROWS = 300


@pytest.mark.parametrize("skill", [0.6, 2.0])
def test_the_same_rows_of_another_file_or_order_give_the_kept_verdict(
    registry: ModelRegistry, store: Path, tmp_path: Path, skill: float
) -> None:
    add_version(registry, store, skill=skill, own=2)
    files = {"rows.txt": range(1000), "copy.txt": range(1000), "turned.txt": reversed(range(1000))}
    for name, numbers in files.items():
        (tmp_path / name).write_text("\n".join(map(str, numbers)))
    first = judge(registry, 2, split=str(tmp_path / "rows.txt"))
    for name in files:
        registry.promote("ctr", 1, reason="as before")
        assert judge(registry, 2, split=str(tmp_path / name)) == first
    assert kinds(registry).count("looked") == 1
    assert [each.verdict for each in registry.verdicts("ctr", 2)] == [first]
    registry.promote("ctr", 1, reason="as before")
    (tmp_path / "fewer.txt").write_text("\n".join(map(str, range(900))))
    assert judge(registry, 2, split=str(tmp_path / "fewer.txt")).facts["look"]["number"] == 2


def values(order: Any = None, split: str | None = None, **changed: Any) -> str | None:
    """Return what tells the weights and columns of rows that are given in an order."""
    raw = scores_of(rows=ROWS) | rows_of_numbers([*range(ROWS)]) | {"weight": np.arange(ROWS) % 3} | changed
    order = np.arange(ROWS) if order is None else order
    for name in ("prediction", "target", "weight", "row_hash"):
        raw[name] = np.asarray(raw[name])[order]
    raw["columns"] = {name: column[order] for name, column in raw["columns"].items()}
    return values_of_rows(
        checked(raw), gate_settings({"split": split, "cluster": "user", "rules": {"slices": {"region": 0.1}}})
    )


def test_weights_and_columns_that_rules_name_are_known_in_any_order_of_the_rows() -> None:
    assert values(np.arange(ROWS)[::-1]) == values(split="another name") == values()


@pytest.mark.parametrize("changed", [
    {"weight": np.arange(ROWS) % 2},
    {"weight": np.roll(np.arange(ROWS) % 3, 1)},
    {"columns": {"region": scores_of(rows=ROWS)["columns"]["region"], "user": np.zeros(ROWS)}},
    {"columns": {"region": np.full(ROWS, "north"), "user": scores_of(rows=ROWS)["columns"]["user"]}},
])  # fmt: skip
def test_other_weights_and_values_are_another_judgement(changed: dict[str, Any]) -> None:
    assert values(**changed) != values()


def test_the_name_of_a_split_counts_where_no_hash_tells_its_rows() -> None:
    raw = scores_of(rows=ROWS) | {"split": None}
    one, other = (values_of_rows(checked(raw), gate_settings({"split": name})) for name in ("a", "b"))
    assert one != other
    told = checked(scores_of(rows=ROWS))
    assert values_of_rows(told, gate_settings({"split": "a"})) is None
    assert values_of_rows(checked(raw, "the hash of a file"), gate_settings({"split": "a"})) is None
