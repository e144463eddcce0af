"""Any filter: its text is parsed back, no value makes it fail, and Python agrees."""

import contextlib
import math

from hypothesis import example, given
from hypothesis import strategies as st
from queried_run import written

from tracking import QueryError
from tracking.search.query import (
    Field,
    FieldKind,
    MetricPart,
    parse_field,
    parse_fields,
    parse_order,
    parse_query,
)
from tracking.search.query.tree import Comparison, Condition, Literal, Moment, Not, Sign, joined
from tracking.values.names import composed

WORDS = st.sampled_from(
    [
        *("and", "or", "not", "in", "is", "contains", "None", "True", "nan", "inf", "today", "ago('7d')"),
        *"()[],.=&`\\'\n\x00",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "1",
        "-2.5",
        "1e9",
        "'x'",
        '"y"',
        "`a`",
        "created_at",
        "status",
        "params.a",
        "metrics.b.max",
        "tags['c']",
        "d",
        "params",
        "metrics[",
        "é",
    ]
)
LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(composed)  # as names are kept
FIELDS = st.one_of(
    st.sampled_from(["run_id", "experiment", "duration_s", "error"]).map(
        lambda name: Field(FieldKind.RUN, name)
    ),
    st.builds(Field, st.sampled_from([FieldKind.PARAM, FieldKind.TAG]), LABELS, st.none()),
    st.builds(Field, st.just(FieldKind.METRIC), LABELS, st.sampled_from(MetricPart)),
    LABELS.filter(lambda name: "`" not in name).map(lambda name: Field(FieldKind.BARE, name)),
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
LISTS = st.recursive(VALUES, lambda items: st.lists(items, max_size=3), max_leaves=5).map(Literal)
ORDERS = [Sign.EQUAL, Sign.UNEQUAL, Sign.LESS, Sign.AT_MOST, Sign.GREATER, Sign.AT_LEAST]
COMPARISONS = st.one_of(
    st.builds(Comparison, st.one_of(FIELDS, LISTS), st.sampled_from(ORDERS), st.one_of(FIELDS, LISTS)),
    st.builds(
        Comparison,
        FIELDS,
        st.sampled_from([Sign.IN, Sign.NOT_IN, Sign.CONTAINS, Sign.NOT_CONTAINS]),
        st.one_of(FIELDS, LISTS.filter(lambda literal: isinstance(literal.value, list))),
    ),
    st.builds(
        Comparison,
        FIELDS,
        st.sampled_from([Sign.IS, Sign.IS_NOT]),
        st.sampled_from([Literal(None), Literal(math.nan)]),
    ),
    st.builds(
        Comparison,
        st.just(Field(FieldKind.RUN, "created_at")),
        st.sampled_from(ORDERS),
        st.sampled_from([Literal(Moment("today")), Literal(Moment("ago", "7d")), Literal("2024-11-15")]),
    ),
)


def combined(items: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(items, min_size=2, max_size=3)
    return st.one_of(items.map(Not), st.builds(joined, st.sampled_from(["and", "or"]), several))


CONDITIONS = st.recursive(st.one_of(COMPARISONS, FIELDS, st.booleans().map(Literal)), combined, max_leaves=8)
ODD_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.datetimes(),
        st.just(object()),
    ),
    lambda items: st.one_of(st.lists(items), st.dictionaries(st.text(), items), st.tuples(items)),
    max_leaves=5,
)
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -1.5, math.inf, 2.0]))
SIDES = st.one_of(st.sampled_from("abc"), NUMBERS.map(str))
NUMERIC = st.recursive(
    st.tuples(SIDES, st.lists(st.tuples(st.sampled_from(ORDERS), SIDES), min_size=1, max_size=3)).map(
        lambda chain: " ".join([chain[0], *(f"{sign} {side}" for sign, side in chain[1])])
    ),
    lambda items: st.one_of(
        items.map(lambda item: f"not ({item})"),
        items.map(lambda item: f"not {item}"),
        *(st.lists(items, min_size=2, max_size=3).map(joint.join) for joint in (" and ", " or ")),
        items.map(lambda item: f"({item})"),
    ),
    max_leaves=8,
)


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
@example("'\\")
@example("a.b.")
@example("`")
@example("\ud800 == '\udfff'")
def test_any_text_is_a_filter_or_a_query_error(text: str) -> None:
    for parse in (parse_query, parse_field, parse_fields, parse_order):
        with contextlib.suppress(QueryError):
            parsed = parse(text)
            if parse is parse_query:
                assert parse_query(written(parsed.root)) == parsed  # type: ignore[union-attr]
                assert parsed.matches({}) in (True, False)  # type: ignore[union-attr]


@given(CONDITIONS)
def test_every_tree_is_parsed_back_from_its_text(root: Condition) -> None:
    assert parse_query(written(root)).root == root


@given(CONDITIONS, st.data())
def test_no_value_makes_a_filter_fail(root: Condition, data: st.DataObject) -> None:
    query = parse_query(written(root))
    values = {field: data.draw(ODD_VALUES) for field in query.fields}
    assert query.matches(values) in (True, False)


@given(NUMERIC, st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_on_numbers_a_filter_agrees_with_python(text: str, numbers: tuple[float, ...]) -> None:
    values = dict(zip("abc", numbers, strict=True))
    told = parse_query(text).matches({Field(FieldKind.BARE, name): value for name, value in values.items()})
    assert told == eval(text, {"inf": math.inf, **values})


@given(FIELDS)
def test_every_field_is_parsed_back_from_its_text(field: Field) -> None:
    assert parse_field(str(field)) == field
