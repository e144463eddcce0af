"""Spans of time and sizes as people write them."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import InvalidValueError
from tracking.quantities import byte_count, size_text, time_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("1.5 h", timedelta(minutes=90)),
        (" 30D ", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_a_span_of_time_is_a_number_with_a_unit(text: str, span: timedelta) -> None:
    assert time_span(text) == span


@pytest.mark.parametrize(
    ("text", "count"),
    [("0", 0), ("1000", 1000), ("12b", 12), ("500MB", 500_000_000), ("1.5GiB", 3 * 2**29), ("2k", 2000)],
)
def test_a_size_is_a_number_with_or_without_a_unit(text: str, count: int) -> None:
    assert byte_count(text) == count


@pytest.mark.parametrize("text", ["", "d", "30", "-1d", "1e3s", "30 days", "1d2h", "٣d"])
def test_what_is_no_span_is_refused_with_examples(text: str) -> None:
    with pytest.raises(
        InvalidValueError, match="is not a span of time; write it as 90s, 30m, 12h, 30d or 2w"
    ):
        time_span(text)


@given(st.text())
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    for parse in (time_span, byte_count):
        with contextlib.suppress(InvalidValueError):
            assert parse(text) >= type(parse(text))(0)


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 400])
def test_what_no_calendar_and_no_disk_reaches_is_refused(digits: str) -> None:
    with pytest.raises(InvalidValueError):
        time_span(f"{digits}w")
    assert byte_count("9" * 20) == int(float("9" * 20))
    with pytest.raises(InvalidValueError, match="more than any disk holds"):
        byte_count("9" * 400)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_a_size_is_shown_with_one_decimal(count: int, text: str) -> None:
    assert size_text(count) == text
