"""Orders: how runs are arranged by them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queried_run import NAMES, NOW

from tracking import QueryError
from tracking.search.query import (
    Field,
    FieldKind,
    arrange,
    arranged_places,
    parse_field,
    parse_order,
    parse_query,
)


def test_an_order_is_a_field_that_may_descend() -> None:
    assert str(parse_order("-metrics.val_auc.max")) == "-metrics.val_auc.max"
    assert parse_order(" created_at ") == (Field(FieldKind.RUN, "created_at"), False)
    assert parse_order("-val_auc").resolved(NAMES) == (parse_field("metrics.val_auc"), True)
    with pytest.raises(QueryError, match="a field is expected"):
        parse_order("-")


def test_ids_of_runs_are_in_the_order_of_runs_and_other_texts_are_not() -> None:
    ids = ["run_1000", "run_999", "run_02", "copy", "run_2"]
    up = ["copy", "run_02", "run_2", "run_999", "run_1000"]
    for text, expected in (("run_id", up), ("-run_id", up[::-1]), ("description", sorted(ids))):
        assert arrange(ids, [parse_order(text)], lambda run_id, _: run_id) == expected
    digits = parse_query(f"run_id < 'run_{'9' * 5000}'")
    assert digits.matches(dict.fromkeys(digits.fields, "run_7"))


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([math.nan, -0.0, 0.5, math.inf])
            ),
            st.one_of(st.none(), st.sampled_from(["a", "b", "1"]), st.integers(0, 1), st.lists(st.just(1))),
        )
    ),
    st.booleans(),
    st.booleans(),
)
def test_columns_are_arranged_as_item_by_item(rows: list[tuple[Any, Any]], first: bool, second: bool) -> None:
    def key(value: Any) -> tuple[int, Any]:
        return (
            (0, value)
            if isinstance(value, int | float)
            else (1, value)
            if isinstance(value, str)
            else (3, str(value))
        )

    def is_missing(value: Any) -> bool:
        return value is None or value != value

    expected = list(enumerate(rows))
    for at, descending in ((1, second), (0, first)):
        present = [each for each in expected if not is_missing(each[1][at])]
        present.sort(key=lambda each: key(each[1][at]), reverse=descending)
        expected = present + [each for each in expected if is_missing(each[1][at])]
    orders = [parse_order(f"{'-' * first}params.x"), parse_order(f"{'-' * second}params.y")]
    columns = [[row[0] for row in rows], [row[1] for row in rows]]
    assert arranged_places(len(rows), orders, columns) == [place for place, _ in expected]


def test_runs_are_arranged_with_the_missing_last_whichever_the_direction() -> None:
    rows: list[Any] = [2, None, "x", math.nan, 0.5, NOW, True, "a", [1], math.inf]
    field = parse_field("params.a")

    def order(text: str) -> list[str]:
        return [str(row) for row in arrange(rows, [parse_order(text)], lambda row, _: row)]

    rising = ["0.5", "True", "2", "inf", "a", "x", str(NOW), "[1]"]
    assert order(str(field)) == [*rising, "None", "nan"]
    assert order(f"-{field}") == [*reversed(rising), "None", "nan"]


def test_equal_runs_stay_in_their_order_and_later_orders_decide_between_them() -> None:
    rows = [("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    names = {"first": 0, "second": 1}

    def arranged(*orders: str) -> list[tuple[str, int]]:
        return arrange(
            rows, [parse_order(text) for text in orders], lambda row, field: row[names[field.name]]
        )

    assert arranged("first") == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert arranged("-first") == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]
    assert arranged("-second", "first") == [("a", 2), ("b", 2), ("a", 1), ("b", 1)]
    assert arranged() == rows
