"""Filters: what they mean."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from queried_run import NAMES, RUN

from tracking import QueryError
from tracking.search.query import (
    Field,
    FieldKind,
    Names,
    lookup,
    parse_field,
    parse_fields,
    parse_query,
    resolve,
    value_of,
)


def holds(text: str) -> bool:
    return parse_query(text).resolved(NAMES).matches(lambda field: value_of(RUN, field))


class Quarrelsome:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    __hash__ = None  # type: ignore[assignment]


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


@pytest.mark.parametrize(
    "text", ["a == 1", "a", "not a", "a in [1]", "a contains 1", "a < 1", "a != 'x'", "a == b"]
)
def test_a_value_that_raises_in_a_comparison_is_unequal(text: str) -> None:
    values = {Field(FieldKind.BARE, name): Quarrelsome() for name in "ab"}
    assert parse_query(text).matches(values) in (True, False)


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
