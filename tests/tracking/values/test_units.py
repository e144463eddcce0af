"""Durations and sizes as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import InvalidValueError
from tracking.values.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("1.5 h", 5400),
        (" 30D ", 30 * 86400),
        ("2w", 14 * 86400),
        ("1h30m", 5400),
        ("2h 15m 10s", 8110),
        ("1e3s", 1000),
        ("0s", 0),
    ],
)
def test_a_duration_is_seconds_or_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        (5, 5),
        ("1000", 1000),
        ("1e9", 10**9),
        ("12b", 12),
        ("500MB", 500_000_000),
        ("1.5GiB", 3 * 2**29),
        ("2k", 2000),
        ("4G", 4 * 10**9),
    ],
)
def test_a_size_is_a_number_with_or_without_a_unit(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "d", "-1d", "30 days", "half an hour", "٣d", "1h30"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(
        InvalidValueError, match=r"is not a duration; write seconds .90., or 90s, 30m, 1.5h, 1h30m"
    ):
        parse_duration(text)


def test_a_bare_number_is_refused_where_its_unit_would_be_a_guess() -> None:
    with pytest.raises(InvalidValueError, match="'30' is not a duration; write 90s, 30m"):
        parse_duration("30", needs_unit=True)
    assert parse_duration("1d12h", needs_unit=True) == 36 * 3600


@given(st.text())
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    for parse in (parse_duration, parse_size):
        with contextlib.suppress(InvalidValueError):
            assert parse(text) >= 0


def test_a_quantity_beyond_the_largest_float_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="too large for a duration"):
        parse_duration("9" * 400 + "w")
    assert parse_size("9" * 20) == int(float("9" * 20))
    with pytest.raises(InvalidValueError, match="too large for a size"):
        parse_size("9" * 400)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (4_210_000_000, "4.21 GB"), (10**16, "10,000 TB")],
)
def test_a_size_is_shown_with_three_digits(count: int, text: str) -> None:
    assert format_size(count) == text


def test_a_limit_is_shown_in_the_largest_unit_that_keeps_it_short() -> None:
    assert [format_duration(each) for each in (3, 90, 1800, 5400, 360000)] == [
        "3 s",
        "90 s",
        "30 min",
        "90 min",
        "4.2 d",
    ]
