"""Parameters of a run and of the same run made again: what differs, but for where and when they ran."""

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, RunRecord
from tracking.rerun.parameters import other_parameters

SCRATCH = Path("/tmp/scratch-of-the-test")


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    run = ExperimentTracker(tmp_path).start_run("x")
    run.finish()
    found = ExperimentTracker(tmp_path).record(run.run_id)
    assert found is not None
    return found


def found(
    record: RunRecord, first: dict[str, Any], again: dict[str, Any], *, only_shared: bool = False
) -> Any:
    began = (
        datetime.fromisoformat("2026-03-01T00:00:01+00:00"),
        datetime.fromisoformat("2026-11-05T10:00:00+00:00"),
    )
    sides = [
        replace(record, params=each, created_at=at) for each, at in zip((first, again), began, strict=True)
    ]
    return other_parameters(sides[0], sides[1], SCRATCH, only_shared=only_shared)


@pytest.mark.parametrize(
    ("first", "again", "told"),
    [
        (2, 0, "p is 0, was 2"),
        (2, 2.0, None),
        (math.nan, math.nan, None),
        (math.nan, math.inf, "p is inf, was nan"),
        ([1, {"a": 2}], [1, {"a": 3}], 'p is [1,{"a":3}], was [1,{"a":2}]'),
        ("cuda", "cpu", "p is cpu, was cuda"),
        (None, "", "p is , was None"),
        ("/home/me/outputs/7", f"{SCRATCH}/hydra", None),
        (["/home/me/data.csv"], [f"{SCRATCH}/tree/project/data.csv"], None),
        ("/home/me/a.csv", "/home/me/b.csv", "p is /home/me/b.csv, was /home/me/a.csv"),
        ("run_20260301_000001", "run_20261105_100000", None),
        ("2026-02-28T23:59:59.5", "2026-11-05T10:00:00", None),
        ("small-2026-03-01", "large-2026-11-05", "p is large-2026-11-05, was small-2026-03-01"),
        ("2024-01-01", "2025-01-01", "p is 2025-01-01, was 2024-01-01"),  # a cut of the data
    ],
)  # fmt: skip
def test_a_value_differs_unless_it_says_where_or_when_the_run_was(
    record: RunRecord, first: Any, again: Any, told: str | None
) -> None:
    assert found(record, {"p": first, "q": 1}, {"q": 1, "p": again}) == ([told] if told else [])


def test_a_parameter_of_one_run_alone_differs_unless_only_shared_ones_count(record: RunRecord) -> None:
    sides = {"a": 1, "same": 1}, {"same": 1, "b": 2}
    assert found(record, *sides) == ["a is missing, was 1", "b is 2, was missing"]
    assert found(record, *sides, only_shared=True) == []
    assert found(record, {"a": 1}, {"a": 2}, only_shared=True) == ["a is 2, was 1"]


def test_many_parameters_and_long_values_make_a_short_text(record: RunRecord) -> None:
    words = found(record, {f"p{n}": "a" * 1000 for n in range(9)}, {f"p{n}": "b" * 1000 for n in range(9)})
    assert (len(words), words[-1]) == (6, "4 more")
    assert max(map(len, words)) < 200
