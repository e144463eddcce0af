"""A filter on whole columns passes the runs that its test passes one by one."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.search.query import Field, parse_query

FILTERS = (
    "params.a > 0.5",
    "0.5 >= params.a",
    "0 < params.a <= 3 and params.b != 'x'",
    "params.a == 1 or params.b == 1 or not params.a > 0",
    "'x' != params.b",
    "params.a == True or params.a == None",
    "not (params.a == 'x' and params.b > 0 or params.a is None)",
    "params.a > params.b or params.a in [0, 'x']",
    "params.a < 2 and (params.b >= -1 or params.b == 'y') and params.a",
    "params.a > 'x'",
    "params.b == inf or params.b > nan",
)
VALUES = st.one_of(
    st.sampled_from([None, True, False, 0, 1, 2**70, 0.5, -0.0, math.nan, math.inf, "x", "y", [0], {"x": 1}]),
    st.floats(),
)
NUMBERS = st.one_of(st.sampled_from([0, 1, 0.5, 3]), st.floats())


@given(
    st.sampled_from(FILTERS),
    st.lists(st.tuples(VALUES, VALUES)) | st.lists(st.tuples(NUMBERS, NUMBERS | st.none())),
)
def test_columns_and_single_runs_pass_alike(text: str, rows: list[tuple[Any, Any]]) -> None:
    query = parse_query(text)
    fields = [parse_query(f"params.{name}").fields[0] for name in ("a", "b")]
    columns: dict[Field, list[Any]] = {
        field: [row[place] for row in rows] for place, field in enumerate(fields)
    }
    expected = [place for place, row in enumerate(rows) if query.matches(dict(zip(fields, row, strict=True)))]
    assert query.passing(columns, len(rows)) == expected


class Refusing:
    """Compares with nothing."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # as that of an array


@pytest.mark.parametrize(("text", "places"), [("params.a == 1", [1]), ("params.a != 1", [0, 2])])
def test_a_value_that_raises_when_it_is_compared_is_equal_to_nothing(text: str, places: list[int]) -> None:
    query = parse_query(text)
    assert query.passing({query.fields[0]: [Refusing(), 1, 2]}, 3) == places


def test_moments_are_compared_as_moments_not_as_text() -> None:
    query = parse_query("created_at >= '2026-01-02'")
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 5)]
    assert query.passing({query.fields[0]: moments}, 2) == [1]
