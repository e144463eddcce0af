"""Columns are encoded by the training rows alone."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.encode import Encoder, moment, numbers
from trainer.data.encoding.categories import MISSING, UNSEEN, distinct
from trainer.errors import DataError

TRANSFORMS = ("robust", "quantile", "standard", "bins")


def fitted(table: Any, *, numeric: Any = (), categorical: Any = (), **options: Any) -> Encoder:
    settings = {"transform": "quantile", "min_frequency": 1, **options}
    return Encoder.fit(table, numeric=numeric, categorical=categorical, target="y", positive="1", **settings)


def test_a_category_not_seen_in_training_has_the_code_of_the_unseen() -> None:
    encoder = fitted({"c": np.array(["a", "b"], object)}, categorical=["c"])
    _, codes = encoder.transform({"c": np.array(["b", "new", None, "a"], object)})
    assert codes[:, 0].tolist() == [3, UNSEEN, MISSING, 2]


def test_a_category_rarer_than_the_minimum_shares_the_code_of_the_unseen() -> None:
    encoder = fitted({"c": np.array(["a", "a", "b"], object)}, categorical=["c"], min_frequency=2)
    _, codes = encoder.transform({"c": np.array(["a", "b"], object)})
    assert codes[:, 0].tolist() == [2, UNSEEN]
    assert encoder.cardinalities == (3,)


def test_a_whole_number_is_the_same_category_as_text_integer_or_float() -> None:
    encoder = fitted({"c": np.array([1, 2, 3])}, categorical=["c"])
    for column in (pd.Series(["2"]), pd.Series([2.0, None]).head(1), np.array([2]), pd.Series([2])):
        assert encoder.transform({"c": column})[1].tolist() == [[3]]


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA, pd.NaT])
def test_every_kind_of_missing_is_missing(nothing: Any) -> None:
    assert distinct(pd.Series(["a", nothing], dtype=object))[1] == ["a", None]


def test_a_missing_number_becomes_the_median_and_raises_a_flag() -> None:
    encoder = fitted({"n": np.array([1.0, 2.0, 9.0, np.nan])}, numeric=["n"], transform="standard")
    features, _ = encoder.transform({"n": np.array([np.nan, 2.0])})
    assert features[0, 0] == features[1, 0]
    assert features[:, 1].tolist() == [1, 0]


def test_infinite_numbers_count_as_missing() -> None:
    encoder = fitted({"n": np.array([1.0, 2.0, np.inf])}, numeric=["n"])
    assert encoder.transform({"n": np.array([-np.inf])})[0][0, 1] == 1


def test_standard_features_have_mean_zero_and_spread_one() -> None:
    values = np.random.default_rng(0).lognormal(size=1000)
    features, _ = fitted({"n": values}, numeric=["n"], transform="standard").transform({"n": values})
    assert features.mean().item() == pytest.approx(0, abs=1e-4)
    assert features.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_quantile_features_of_a_skewed_column_are_normal_scores() -> None:
    values = np.random.default_rng(0).lognormal(sigma=2, size=5000)
    features, _ = fitted({"n": values}, numeric=["n"]).transform({"n": values})
    shares = [(features < bound).float().mean().item() for bound in (-1, 0, 1)]
    assert shares == pytest.approx([0.1587, 0.5, 0.8413], abs=0.01)


def test_robust_features_are_a_line_within_the_usual_values_and_outliers_level_off() -> None:
    values = np.concatenate([np.linspace(-1, 1, 401), [1e6, -1e9]])
    (column,) = fitted({"x": values}, numeric=["x"], transform="robust").numeric
    assert column.transform(values).std() == pytest.approx(1, abs=1e-3)
    found = column.transform(np.array([-1e12, -0.25, 0.0, 0.25, 1.0, 1e12]))[:, 0]
    bent = [-3, -0.25, 0, 0.25, 1 / np.sqrt(1 + 1 / 9), 3]  # in quartile ranges
    assert found / found[-1] * 3 == pytest.approx(bent, abs=0.01)


def test_a_column_that_robust_features_bend_much_is_a_line_as_well() -> None:
    draw = np.random.default_rng(0)
    table = {
        "skewed": draw.lognormal(sigma=1.2, size=500),
        "plain": draw.normal(size=500),
        "one": np.ones(500),
    }
    encoder = fitted(table, numeric=[*table], transform="robust")
    skewed, plain, one = encoder.numeric
    assert (skewed.width, plain.width, one.width) == (2, 1, 1)
    line = skewed.transform(table["skewed"])[:, 1]
    assert (line.mean(), line.std()) == pytest.approx((0, 1), abs=1e-3)
    assert np.corrcoef(line, table["skewed"])[0, 1] == pytest.approx(1)
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    beyond = skewed.transform(np.array([2 * table["skewed"].max(), 1e9, 1e12]))[:, 1]
    assert beyond[0] > 1.9 * line.max()
    assert beyond[1] == beyond[2] < 20 * line.max()  # a broken value does not run away


def test_an_encoder_saved_without_lines_has_none() -> None:
    saved = fitted({"x": np.arange(9.0)}, numeric=["x"], transform="robust").to_json()
    for column in saved["numeric"]:
        del column["line_x"], column["line_y"]
    (found,) = Encoder.from_json(saved).numeric
    assert (found.line_x, found.width) == ((), 1)


def test_a_column_of_mostly_one_value_has_no_outliers() -> None:
    values = np.array([0.0] * 990 + [100.0] * 10)
    (column,) = fitted({"x": values}, numeric=["x"], transform="robust").numeric
    assert column.transform(values).max() < 5


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("values", [[5.0, 5.0], [np.nan, np.nan], [0.0] * 99 + [1.0]])
def test_columns_of_one_value_of_none_and_of_ties_give_finite_features(
    transform: str, values: list[float]
) -> None:
    table = {"n": np.array(values)}
    features, _ = fitted(table, numeric=["n"], transform=transform).transform(
        {"n": np.array([-1e300, 1e300, np.nan, *values])}
    )
    assert torch.isfinite(features).all()


def test_times_and_booleans_are_numbers_when_asked_for() -> None:
    table = pd.DataFrame({"t": pd.to_datetime(["2024-01-01", None, "2024-01-03"]), "b": [True, False, True]})
    features, _ = fitted(table, numeric=["t", "b"]).transform(table)
    assert features.shape == (3, 3)
    assert features[2, 0] > features[0, 0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
def test_times_count_the_same_whatever_their_unit(unit: str, zone: str | None) -> None:
    times = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-03"]).tz_localize(zone).as_unit(unit))
    assert np.diff(numbers({"t": times}, "t")).tolist() == [2 * 86400]


def test_numbers_of_any_dtype_read_the_same() -> None:
    for column in (
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series(["1", None, "3"]),
        pd.Series([1, np.nan, 3]),
        pd.Series([1, None, 3], dtype="category"),
        np.array([1, np.nan, 3], np.float32),
    ):
        assert numbers({"n": column}, "n")[[0, 2]].tolist() == [1, 3]
        assert np.isnan(numbers({"n": column}, "n")[1])


def test_text_in_a_numeric_column_is_named() -> None:
    with pytest.raises(
        DataError, match=r"'n' is used as numeric but holds 'abc'; name it in data.categorical"
    ):
        fitted({"n": np.array(["1", "abc"], object)}, numeric=["n"])


def test_a_table_without_a_column_of_the_model_is_refused_by_name() -> None:
    encoder = fitted({"n": np.array([1.0, 2.0])}, numeric=["n"])
    with pytest.raises(DataError, match="lacks columns the model was trained on: n"):
        encoder.transform({"m": np.array([1.0])})


def test_a_table_may_be_a_dict_of_lists() -> None:
    encoder = fitted({"n": [1, 2, None], "c": ["a", "b", None]}, numeric=["n"], categorical=["c"])
    features, codes = encoder.transform({"n": [None, 2.0], "c": ("b", "new")})
    assert features[:, 1].tolist() == [1, 0]
    assert codes[:, 0].tolist() == [3, UNSEEN]


@pytest.mark.parametrize("row", [{"n": 1.0}, {"n": "text"}, {"n": np.float64(1)}, pd.Series({"n": 1.0})])
def test_a_bare_value_is_no_column(row: Any) -> None:
    encoder = fitted({"n": np.array([1.0, 2.0])}, numeric=["n"])
    with pytest.raises(
        DataError, match=r"column 'n' is .*; a column of values is needed, for one row a list"
    ):
        encoder.transform(row)


def test_columns_of_different_length_are_named() -> None:
    encoder = fitted({"n": [1.0, 2.0], "m": [1.0, 2.0]}, numeric=["n", "m"])
    with pytest.raises(DataError, match="column 'm' has 3 rows, column 'n' has 2"):
        encoder.transform({"n": [1, 2], "m": [1, 2, 3]})


@given(st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-5, minutes=-30))])))
def test_a_time_is_the_same_number_as_text_and_as_a_time(time: datetime) -> None:
    found = moment(str(time))
    assert found == moment(time.isoformat()) is not None
    plain = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    assert found == numbers({"t": np.array([plain], "datetime64[us]")}, "t")[0]


@pytest.mark.parametrize("text", ["2024", "20240531", "2024-13-01", "2024-05-31 25:00", "12:30", "yes", ""])
def test_text_that_is_no_whole_date_is_no_time(text: str) -> None:
    assert moment(text) is None


floats = st.lists(st.floats(width=64), min_size=1, max_size=30)
texts = st.lists(st.one_of(st.none(), st.text(max_size=4), st.integers()), min_size=1, max_size=30)


@given(floats, texts, st.sampled_from(TRANSFORMS), st.integers(1, 3))
def test_an_encoder_survives_json_to_the_last_digit(
    values: list[float], labels: list[Any], transform: str, min_frequency: int
) -> None:
    rows = min(len(values), len(labels))
    table = {"n": np.array(values[:rows]), "c": np.array(labels[:rows], object)}
    with np.errstate(over="ignore", invalid="ignore"):
        encoder = fitted(
            table, numeric=["n"], categorical=["c"], transform=transform, min_frequency=min_frequency
        )
        again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
        assert again == encoder
        features, codes = encoder.transform(table)
        assert torch.equal(again.transform(table)[0], features)
    assert torch.isfinite(features).all()
    assert int(codes.min()) >= 0
    assert int(codes.max()) < encoder.cardinalities[0]
