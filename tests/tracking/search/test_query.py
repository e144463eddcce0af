"""Filters: what they mean, what they refuse, and where errors point."""

import contextlib
import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracking import InvalidValueError, MetricSummary, QueryError, RunRecord, RunStatus
from tracking.search.query import (
    Field,
    FieldKind,
    MetricPart,
    Names,
    arrange,
    arranged_places,
    lookup,
    parse_field,
    parse_fields,
    parse_order,
    parse_query,
    resolve,
    value_of,
)
from tracking.search.query.fields import quote
from tracking.search.query.tree import Comparison, Condition, Joined, Literal, Moment, Not, Sign, joined
from tracking.values.names import composed

NOW = datetime.now().astimezone()
RUN = RunRecord(
    run_id="run_007",
    experiment_name="ctr_model",
    status=RunStatus.COMPLETED,
    created_at=NOW - timedelta(hours=2),
    finished_at=NOW - timedelta(hours=1),
    tags={"team": "ml", "labels": ["good", "final"], "version": "v2"},
    description="a baseline of ours",
    run_dir=Path("/nowhere"),
    params={
        "learning_rate": 0.001,
        "batch_size": 128,
        "use_bias": True,
        "optimizer": "adam",
        "model": {"hidden": [256, 128], "head": {"dropout": 0.1}},
        "model.depth": 4,
        "odd name": 1,
        "dims": [256, 128],
        "nothing": None,
        "limit": math.inf,
    },
    summary={
        "val_auc": MetricSummary(0.81, 9, 0.7, 0, 0.83, 7, 10, 0),
        "val_loss": MetricSummary(0.5, 9, 0.4, 5, 0.9, 0, 10, 0),
        "train/loss": MetricSummary(math.nan, 9, 0.4, 5, 0.9, 0, 10, 3),
        "val.max": MetricSummary(1, None, 1, None, 1, None, 1, 0),
    },
    sweep={"id": "2024-11-15_a", "job": 3},
)
NAMES = Names(frozenset(RUN.params), frozenset(RUN.summary), frozenset(RUN.tags))


def written(node: Any) -> str:
    """Return a tree, or a value in one, as text of the language."""
    match node:
        case Comparison():
            return f"{written(node.left)} {node.sign} {written(node.right)}"
        case Not():
            return (
                f"not ({written(node.item)})"
                if isinstance(node.item, Joined)
                else f"not {written(node.item)}"
            )
        case Joined():
            return f" {node.word} ".join(
                f"({written(item)})"
                if isinstance(item, Joined) and node.word in ("and", item.word)
                else written(item)
                for item in node.items
            )
        case Literal():
            return written(node.value)
        case Moment(word, argument):
            return f"{word}({quote(argument)})" if argument else word
        case list():
            return f"[{', '.join(map(written, node))}]"
    return quote(node) if isinstance(node, str) else str(node)


def holds(text: str) -> bool:
    return parse_query(text).resolved(NAMES).matches(lambda field: value_of(RUN, field))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "metrics.val_auc > 0.8 and (params.learning_rate <= 0.0001 or tags.team == 'ml') and status == 'completed'",
        "0.8 < val_auc < 0.82 <= metrics.val_auc.max",
        "val_auc.max == 0.83 and val_auc.min == 0.7 and val_auc.last == 0.81",
        "val_auc.best == 0.83 and val_loss.best == 0.4 and val_loss.best_step == 5",
        "val_auc.last_step == 9 and val_auc.min_step == 0 and val_auc.max_step == 7 and val_auc.count == 10",
        "train/loss is nan and val_auc is not nan and train/loss.non_finite == 3",
        "not train/loss < 1 and not train/loss >= 1 and train/loss != train/loss",
        "metrics.absent is None and tags.absent == null and not metrics.absent < 1 and metrics.val_auc is not None",
        "batch_size == 128.0 and batch_size in [64, 128] and batch_size in (128) and batch_size not in ()",
        "use_bias and use_bias == True and use_bias == 1 and not use_bias < 2 and not use_bias > 0",
        "optimizer in ('adam', 'sgd') and optimizer contains 'da' and 'ada' in optimizer",
        "optimizer < 'sgd' and not optimizer < 3 and not optimizer > 3",
        "dims == [256, 128] and dims == (256, 128) and dims contains 128 and 1 not in dims and dims != []",
        "labels contains 'final' and tags.labels not contains 'bad' and 'good' in tags.labels",
        "model.head.dropout == 0.1 and params.model.hidden.1 == 128 and model.depth == 4",
        'params["odd name"] == 1 and `odd name` == 1 and params.`odd name` == 1',
        'params["model"]["hidden"] contains 256 and params["model"].head.dropout < 1',
        "metrics.val.max == 1 and val.max.count == 1 and metrics['val.max'] == 1",
        "nothing is None and nothing == None and limit == inf and limit > 1e300 and -inf < limit",
        "run_id == 'run_007' and experiment == 'ctr_model' and experiment_name contains 'ctr'",
        "run_id < 'run_10' and 'run_6' < run_id <= 'run_1000' and not run_id >= 'run_00010' and not run_id < 10",
        "sweep == '2024-11-15_a' and error is None and description contains 'baseline' and duration_s == 3600",
        "finished_at > created_at and created_at < finished_at and created_at == created_at",
        "created_at > ago('2h30m') and created_at > ago('1 w') and created_at < ago('90min')"
        " and created_at > ago('3h') and created_at < ago('90m') and ago('1d') < created_at and created_at <= today",
        "finished_at != None and created_at not in ['2001-01-01', '2001-01-02']",
        "AND_more is None or NOT status == 'failed' AND status IN ['completed'] OR status IS None",
        "True and not False and (true or false)",
        "1 < 2 and 'a' == \"a\" and [1] == [1] and not 1 == 2",
        "((val_auc)) > (0.8)",
    ],
)
def test_a_filter_holds_for_a_run(text: str) -> None:
    names = Names(NAMES.params | {"AND_more"}, NAMES.metrics, NAMES.tags)
    query = parse_query(text).resolved(names)
    assert query.matches(lambda field: value_of(RUN, field))
    assert query.matches({field: value_of(RUN, field) for field in query.fields})


@pytest.mark.parametrize(
    "text",
    [
        "val_auc > 0.81",
        "0.8 < val_auc < 0.81",
        "val_auc > 0.8 and batch_size == 64",
        "status == 'failed'",
        "optimizer > 1",
        "params.absent",
        "metrics.absent != None",
        "'da' in batch_size",
        "batch_size contains 1",
        "created_at > today and created_at < today",
        "created_at < '2001-01-01'",
        "finished_at is None",
        "'x' in 'abc'",
        "train/loss == nan",
    ],
)
def test_a_filter_does_not_hold_for_a_run(text: str) -> None:
    assert not holds(text)


def test_a_date_stands_for_the_whole_day_and_a_date_time_for_an_instant() -> None:
    moment = datetime(2024, 11, 15, 10, 30).astimezone()
    field = Field(FieldKind.RUN, "created_at")
    held = {
        text
        for text in (
            "created_at == '2024-11-15'",
            "created_at <= '2024-11-15'",
            "created_at >= '2024-11-15'",
            "created_at < '2024-11-15'",
            "created_at > '2024-11-15'",
            "created_at != '2024-11-15'",
            "created_at in ['2024-11-14', '2024-11-15']",
            "created_at > '2024-11-14'",
            "created_at < '2024-11-16'",
            "created_at == '2024-11-15T10:30'",
            "created_at >= '2024-11-15 10:30'",
            "created_at > '2024-11-15T10:30:00'",
            "'2024-11-15T10:29' < created_at",
        )
        if parse_query(text).matches({field: moment})
    }
    assert held == {
        "created_at == '2024-11-15'",
        "created_at <= '2024-11-15'",
        "created_at >= '2024-11-15'",
        "created_at in ['2024-11-14', '2024-11-15']",
        "created_at > '2024-11-14'",
        "created_at < '2024-11-16'",
        "created_at == '2024-11-15T10:30'",
        "created_at >= '2024-11-15 10:30'",
        "'2024-11-15T10:29' < created_at",
    }


def test_an_instant_is_the_same_in_every_offset_and_may_be_given_as_text() -> None:
    query = parse_query("created_at == '2024-11-15T10:30:00+01:00'")
    field = Field(FieldKind.RUN, "created_at")
    assert query.matches({field: "2024-11-15T09:30:00+00:00"})
    assert query.matches({field: datetime.fromisoformat("2024-11-15T18:30:00+09:00")})
    assert not query.matches({field: "2024-11-15T10:30:00+00:00"})
    assert not query.matches({field: "no time at all"})


def test_today_and_yesterday_are_days_of_the_calendar() -> None:
    field = Field(FieldKind.RUN, "created_at")
    noon = datetime.combine(date.today(), datetime.min.time()).astimezone() + timedelta(hours=12)
    assert parse_query("created_at == today").matches({field: noon})
    assert parse_query("created_at == yesterday").matches({field: noon - timedelta(days=1)})
    assert not parse_query("created_at >= today").matches({field: noon - timedelta(days=1)})


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


@given(CONDITIONS)
def test_every_tree_is_parsed_back_from_its_text(root: Condition) -> None:
    assert parse_query(written(root)).root == root


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


@given(CONDITIONS, st.data())
def test_no_value_makes_a_filter_fail(root: Condition, data: st.DataObject) -> None:
    query = parse_query(written(root))
    values = {field: data.draw(ODD_VALUES) for field in query.fields}
    assert query.matches(values) in (True, False)


class Quarrelsome:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "text", ["a == 1", "a", "not a", "a in [1]", "a contains 1", "a < 1", "a != 'x'", "a == b"]
)
def test_a_value_that_raises_in_a_comparison_is_unequal(text: str) -> None:
    values = {Field(FieldKind.BARE, name): Quarrelsome() for name in "ab"}
    assert parse_query(text).matches(values) in (True, False)


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


@given(NUMERIC, st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_on_numbers_a_filter_agrees_with_python(text: str, numbers: tuple[float, ...]) -> None:
    values = dict(zip("abc", numbers, strict=True))
    told = parse_query(text).matches({Field(FieldKind.BARE, name): value for name, value in values.items()})
    assert told == eval(text, {"inf": math.inf, **values})


def test_a_bare_name_means_what_the_store_has_under_it() -> None:
    meant = {
        "learning_rate": "params.learning_rate",
        "val_auc": "metrics.val_auc",
        "val_auc.max": "metrics.val_auc.max",
        "val.max": "metrics['val.max']",
        "val.max.max": "metrics.val.max.max",
        "team": "tags.team",
        "model.head.dropout": "params.model.head.dropout",
        "`odd name`": "params['odd name']",
        "status": "status",
        "`experiment_name`": "params.experiment_name",
    }
    names = Names(NAMES.params | {"experiment_name"}, NAMES.metrics, NAMES.tags)
    assert {text: str(resolve(parse_field(text), names)) for text in meant} == meant
    assert str(resolve(parse_field("metrics.val.max"), names)) == "metrics['val.max']"


def test_a_bare_name_that_means_nothing_or_two_things_is_refused_at_its_place() -> None:
    with pytest.raises(QueryError) as caught:
        parse_query("status == 'failed' or val_acu > 1").resolved(NAMES)
    assert str(caught.value) == (
        "no run has a parameter, metric or tag 'val_acu'; did you mean val_auc?\n"
        f"  status == 'failed' or val_acu > 1\n  {' ' * 22}^"
    )
    both = Names(frozenset({"threshold"}), frozenset({"threshold"}))
    with pytest.raises(QueryError, match=r"write params\.threshold or metrics\.threshold"):
        parse_query("threshold > 1").resolved(both)
    with pytest.raises(QueryError, match=r"'lr'; did you mean learning_rate\?"):
        parse_query("lr > 1").resolved(NAMES)
    with pytest.raises(QueryError, match="; a text needs quotes: 'failed'\n"):
        parse_query("status == failed").resolved(NAMES)
    with pytest.raises(
        QueryError, match=r"a text needs quotes: 'zzz'; known names are batch_size, .*, \.\.\.\n"
    ):
        parse_query("optimizer == zzz").resolved(NAMES)


def test_names_that_no_run_has_are_missing_where_they_are_qualified_or_the_store_is_empty() -> None:
    assert holds("metrics.never_logged is None and params.never_given is None")
    assert parse_query("anything > 1").resolved(Names()).matches({}) is False


def test_the_fields_of_a_query_are_those_it_reads() -> None:
    query = parse_query("val_auc.max > 0.8 and (not params.lr < 1 or tags.team == 'ml') and 1 < status")
    assert query.fields == (
        Field(FieldKind.BARE, "val_auc.max"),
        Field(FieldKind.PARAM, "lr"),
        Field(FieldKind.TAG, "team"),
        Field(FieldKind.RUN, "status"),
    )
    assert parse_query("a == 1") == parse_query("(a)  ==  1")
    assert len({parse_query("a == 1"), parse_query("a==1"), parse_query("a == 1.0")}) == 2


def test_fields_are_written_in_lists_and_read_back() -> None:
    fields = parse_fields("status, metrics.val_auc.max, params['a, b'], `odd name`")
    assert list(map(str, fields)) == ["status", "metrics.val_auc.max", "params['a, b']", "`odd name`"]
    for text, message in {
        "": "a field is expected",
        "a b": "a comma is expected",
        "a,": "a field is",
    }.items():
        with pytest.raises(QueryError, match=message):
            parse_fields(text)


@given(FIELDS)
def test_every_field_is_parsed_back_from_its_text(field: Field) -> None:
    assert parse_field(str(field)) == field


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


def test_a_dotted_name_is_looked_up_as_a_key_before_nested_values() -> None:
    values = {"a": {"b": {"c": 1}, "b.c": 2}, "a.b": {"d": 3}, "list": [[7]]}
    assert lookup(values, "a.b.c") == 2
    assert lookup(values, "a.b.d") == 3
    assert lookup(values, "list.0.0") == 7
    assert lookup(values, "a.x") is None
    assert lookup(values, "list.5") is None
    assert lookup({"a.b.c": 9, **values}, "a.b.c") == 9


def test_a_name_with_very_many_dots_is_looked_up_fast() -> None:
    inner: dict[str, Any] = {}
    for _ in range(90):
        inner = {"a": inner, "a.a": inner}
    assert lookup(inner, "a." * 200 + "b") is None


@pytest.mark.parametrize(
    "text", ["1" * 5000 + "-" * 4990 + "a", "1_" * 4999, "a" + "-" * 9990, "'" + "\\" * 9998]
)
def test_the_lexer_is_fast_on_any_text(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)
