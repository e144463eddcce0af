"""Times of other programs are texts that a store reads as the same moment, or are refused."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracking.errors import InvalidValueError
from tracking.transfer.foreign_times import Clock
from tracking.values import timestamps


@given(st.lists(st.integers(-(1 << 46), 1 << 48) | st.integers(-3000, 3000), min_size=1))
@example([-500])
@example([-1, 1, -1000, -1001])
def test_a_text_says_the_moment_that_was_given_whatever_came_before_it(moments: list[int]) -> None:
    clock = Clock()
    for moment in moments:
        with suppress(InvalidValueError):  # beyond every calendar
            assert round(timestamps.parse(clock.text(moment)).timestamp() * 1000) == moment


@pytest.mark.parametrize("moment", [1.5, "now", None])
def test_what_is_no_number_of_milliseconds_is_refused(moment: object) -> None:
    with pytest.raises(InvalidValueError, match="no number of milliseconds"):
        Clock().text(moment)
