"""Times become features of a calendar, categories of very many become bins; both are kept with the encoder."""

import json
from typing import Any

import numpy as np
import pytest

from trainer.data.encode import Encoder
from trainer.data.encoding.categories import FIRST, MISSING
from trainer.data.encoding.hashing import binned
from trainer.data.encoding.moments import Calendar

DAY = 86400.0


def fitted(table: dict[str, Any], **options: Any) -> Encoder:
    wanted: dict[str, Any] = {
        "numeric": [],
        "categorical": [],
        "transform": "standard",
        "min_frequency": 1,
        **options,
    }
    return Encoder.fit(table, target="y", positive="1", **wanted)


def seconds(*moments: str) -> np.ndarray[Any, Any]:
    return np.array([np.datetime64(each, "s").astype(np.int64) for each in moments], np.float64)


def test_only_what_varies_in_the_training_rows_is_a_feature() -> None:
    days = Calendar.fit("t", [seconds("2023-01-02", "2023-01-09", "2023-02-06")], fill=0.0)  # Mondays
    assert (days.years, days.cycles) == (None, ("month",))
    clock = Calendar.fit("t", [np.array([3600.0, 7200.0])], fill=0.0)
    assert (clock.years, clock.cycles) == (None, ("hour",))
    assert Calendar.fit("t", [np.full(3, np.nan)], fill=0.0).width == 0


def test_what_comes_round_again_is_near() -> None:
    hours = Calendar("t", 0.0, None, ("hour",)).transform(
        seconds("2024-01-01T23:59", "2024-01-02T00:00", "2024-01-02T12:00")
    )
    assert np.abs(hours[0] - hours[1]).max() < 0.01
    assert hours[2].tolist() == pytest.approx([0, -1], abs=1e-6)
    weekdays = Calendar("t", 0.0, None, ("weekday",)).transform(
        seconds("2024-01-01", "2024-01-08", "1969-12-29")
    )
    assert weekdays.tolist() == [[0, 1]] * 3  # Mondays
    years = Calendar("t", 0.0, (2020, 2024), ()).transform(seconds("2020-05-01", "2022-05-01", "2030-05-01"))
    assert years[:, 0].tolist() == [-1, 0, 1]


def test_the_features_of_a_time_are_kept_with_the_encoder_and_old_ones_have_none() -> None:
    times = seconds(*(f"202{row % 3}-0{row % 9 + 1}-1{row % 7}T0{row % 8}:00" for row in range(50)))
    table = {"t": np.where(np.arange(50) == 7, np.nan, times)}
    encoder = fitted(table, numeric=["t"], times=["t"])
    assert encoder.width == 2 + 1 + 3 * 2  # the time that has passed, missing; year; month, weekday and hour
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    features = again.arrays(table)[0]
    assert features.shape == (50, encoder.width)
    assert np.isfinite(features).all()
    old = encoder.to_json()
    del old["calendars"]
    old["categorical"] = [{"name": "c", "categories": ["x"]}]  # as podium 0.1.0 wrote it
    assert Encoder.from_json(old).width == 2
    assert Encoder.from_json(old).cardinalities == (3,)


def test_very_many_categories_share_bins_and_new_ones_have_one(caplog: pytest.LogCaptureFixture) -> None:
    names = np.array([f"u{row}" for row in range(3000)], object)
    encoder = fitted({"user": names}, categorical=["user"], hash_bins=100)
    assert (
        "column 'user' has 3000 categories in the training rows; each has the code of one of 100 bins"
        in caplog.text
    )
    assert encoder.cardinalities == (102,)
    codes = encoder.arrays({"user": np.array(["u1", None, "never seen"], object)})[1][:, 0].tolist()
    assert codes == [FIRST + binned(["u1"], 100)[0], MISSING, FIRST + binned(["never seen"], 100)[0]]
    assert binned(["u1", "é"], 1 << 18) == [237430, 36158]  # in every process and version
    again = Encoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again.arrays({"user": names})[1].tolist() == encoder.arrays({"user": names})[1].tolist()
    assert fitted({"user": names}, categorical=["user"], hash_bins=None).cardinalities == (3002,)


def test_a_column_of_mostly_rare_categories_is_told(caplog: pytest.LogCaptureFixture) -> None:
    rare = np.array([*(f"w{row}" for row in range(80)), *["usual"] * 20], object)
    common = np.array(["a", "b"] * 50, object)
    fitted({"rare": rare, "common": common}, categorical=["rare", "common"], min_frequency=2)
    assert (
        "column 'rare' (80%): most training rows hold a category that occurs in fewer than 2" in caplog.text
    )
    assert "common" not in caplog.text
