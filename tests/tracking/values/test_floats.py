"""Numbers that were rounded to 32 bits come back as they were written."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.values.floats import short_float, shortened

FLOATS = st.floats(width=32)


@given(FLOATS)
@settings(max_examples=500)
def test_a_short_float_means_the_same_32_bits(value: float) -> None:
    short = short_float(value)
    assert struct.pack("<f", short) == struct.pack("<f", value) or math.isnan(value)


@pytest.mark.parametrize("value", [0.1, 1e-3, 0.7123, 12345.67, 2.0**24 + 2, 1e-30])
def test_a_short_float_is_what_a_person_wrote(value: float) -> None:
    rounded = struct.unpack("<f", struct.pack("<f", value))[0]
    assert short_float(rounded) == shortened(rounded) == shortened(float(f"{rounded:.9g}")) == value


@pytest.mark.parametrize("value", [0.1, 0.123456789, 1e300, -math.inf, 3, True, "0.1", None, {"a": 0.1}])
def test_what_was_not_rounded_stays(value: Any) -> None:
    assert shortened(value) is value
