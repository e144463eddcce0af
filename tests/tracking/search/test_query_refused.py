"""Filters: what they refuse, and where errors point."""

import pytest
from queried_run import RUN, written

from tracking import InvalidValueError, QueryError
from tracking.search.query import (
    Field,
    FieldKind,
    parse_order,
    parse_query,
    value_of,
)

REFUSED = [
    ("metrics.val_auc > and status == 'x'", 18, "a field, a value or a parenthesis is expected"),
    ("status = 'completed'", 7, "write == to compare"),
    ("a == 1 && b == 2", 7, "write 'and'"),
    ("!a", 0, "write 'not'"),
    ("a =~ 'x'", 2, "write == to compare"),
    ("lr * 2 > 1", 3, "the language has no arithmetic"),
    ("status == 'complete'", 10, "statuses are running, completed, failed, killed"),
    ("status in ['completed', 'done']", 10, "'done' is not a status"),
    ("a b", 2, "'and', 'or' or a comparison is expected"),
    ("a == 1 2", 7, "or the end"),
    ("1", 0, "a value alone is not a condition"),
    ("a and 'x'", 6, "a value alone is not a condition"),
    ("'x' or a", 0, "a value alone is not a condition"),
    ("not 3", 4, "a value alone is not a condition"),
    ("today", 0, "a value alone is not a condition"),
    ("a == 'x", 5, "is not closed"),
    ("`a == 1", 0, "is not closed"),
    ("a < (b or c)", 4, "a condition cannot be compared"),
    ("(a == 1) == True", 0, "a condition cannot be compared"),
    ("a == not b", 5, "is expected"),
    ("a not b", 6, "'in' or 'contains' is expected"),
    ("a in 5", 5, "needs a list, a text or a field"),
    ("5 contains a", 11, "to its left"),
    ("a is 5", 5, "write == to compare"),
    ("(a", 2, "')' is expected"),
    ("[1, 2", 5, "a comma or ']' is expected"),
    ("[1 2] == a", 3, "a comma or ']' is expected"),
    ("[a] == b", 1, "a list holds values; a text needs quotes"),
    ("1abc > 2", 0, "neither a number nor a name"),
    ("params > 3", 0, "params needs a name"),
    ("metrics[''] > 3", 0, "metrics needs a name"),
    ("params['x' > 3", 11, "']' is expected"),
    ("a > today", 4, "only created_at and finished_at"),
    ("created_at > 5", 13, "can only be compared with a date"),
    ("created_at > 'soon'", 13, "'soon' is not a date; write '2024-11-15'"),
    ("created_at > '0001-01-01T00:00:00'", 13, "is not a date"),
    ("created_at > ago('7x')", 17, "write 90s, 30m, 1.5h, 1h30m, 2d or 2w"),
    ("created_at > ago(7)", 17, "quoted duration"),
    ("created_at > ago('999999999w')", 17, "quoted duration"),
    ("created_at contains '2024'", 20, "cannot contain anything"),
    ("created_at in '2024'", 14, "a list of dates"),
    ("created_at in ['2024-11-15', 3]", 14, "can only be compared with a date"),
    ("日本 == &", 6, "write 'and'"),
    ("a == 1 \x1b", 7, "is not an operator"),
    ("a == " + "9" * 5000, 5, "is not a number"),
]
HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__",
    "(lambda: 1)()",
    "[x for x in y]",
    "open('/etc/passwd')",
    "a if b else c",
    "f'{a}' == 'b'",
    "a := 1",
    "exec('1') or True",
    "params.__class__()",
    "{'a': 1} == b",
    "'%s' % a == 'b'",
    "a; b",
    "a == 1 -- x",
    "'a' 'b' == c",
]


@pytest.mark.parametrize(("text", "place", "message"), REFUSED)
def test_an_error_points_at_the_place_and_says_what_is_expected(text: str, place: int, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(text)
    first, shown, caret = str(caught.value).split("\n")
    assert message in first
    if len(text) < 40 and text.isascii() and text.isprintable():
        assert shown == f"  {text}"
        assert caret == f"  {' ' * place}^"
    assert isinstance(caught.value, InvalidValueError)
    assert "\x1b" not in shown


def test_the_caret_stands_below_the_place_in_wide_characters_and_in_long_texts() -> None:
    with pytest.raises(QueryError) as caught:
        parse_query("日本 == &")
    assert str(caught.value).endswith(f"\n  日本 == &\n  {' ' * 8}^")
    with pytest.raises(QueryError) as caught:
        parse_query("a == 1 and " * 500 + "& and " + "b == 2 and " * 300)
    _, shown, caret = str(caught.value).split("\n")
    assert len(shown) < 90
    assert shown[len(caret) - 1] == "&"
    assert shown.startswith("  ...")
    assert shown.endswith("...")


@pytest.mark.parametrize("text", HOSTILE)
def test_python_that_is_not_a_filter_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


def test_names_of_python_are_names_like_any_other() -> None:
    query = parse_query("params.__class__ == 'x' and __import__ is None")
    assert not query.matches(lambda field: value_of(RUN, field))


@pytest.mark.parametrize("opening", ["(", "[", "not ", "not (", "(not ", "a == (", "a in [("])
def test_depth_and_length_have_a_limit(opening: str) -> None:
    with pytest.raises(QueryError, match="nested more than 100 deep"):
        parse_query(opening * 200 + "a")
    with pytest.raises(QueryError, match="at most 10000 are allowed"):
        parse_query(opening * 10_001)


def test_a_filter_of_the_maximum_depth_is_parsed_written_and_evaluated() -> None:
    for text in (
        "(a == 1 and b or " * 100 + "a" + ")" * 100,
        "not " * 100 + "a",
        "(not " * 50 + "a" + ")" * 50,
    ):
        query = parse_query(text)
        assert query.matches({Field(FieldKind.BARE, "a"): 1}) in (True, False)
        assert parse_query(written(query.root)) == query


def test_a_filter_that_is_not_text_is_refused() -> None:
    with pytest.raises(QueryError, match=r"a filter is text.*not int"):
        parse_query(3)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="an order is text"):
        parse_order(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["1" * 5000 + "-" * 4990 + "a", "1_" * 4999, "a" + "-" * 9990, "'" + "\\" * 9998]
)
def test_the_lexer_is_fast_on_any_text(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)
