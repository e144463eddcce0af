"""Latency is measured for both versions in turn, for the same rows, within a limit of time."""

import pytest

from tracking import InvalidValueError
from tracking.gate.latency import CALLS, LEAST_CALLS, WARM_UP, timings


class Clock:
    """A clock that predictions move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []

    def __call__(self) -> float:
        return self.now

    def takes(self, name: str, seconds: float) -> "Predict":
        return Predict(self, name, seconds)


class Predict:
    def __init__(self, clock: Clock, name: str, seconds: float) -> None:
        self.clock, self.name, self.seconds = clock, name, seconds

    def __call__(self, index: int) -> None:
        self.clock.calls.append((self.name, index))
        self.clock.now += self.seconds


def test_both_predict_the_same_rows_in_turn_after_a_warm_up() -> None:
    clock = Clock()
    ours, theirs = timings(clock.takes("a", 0.002), clock.takes("b", 0.001), 50, seed=3, clock=clock)
    assert ours == pytest.approx([0.002] * CALLS)
    assert theirs == pytest.approx([0.001] * CALLS)
    counted = clock.calls[2 * WARM_UP :]
    pairs = list(zip(counted[::2], counted[1::2], strict=True))
    assert all({one[0], other[0]} == {"a", "b"} and one[1] == other[1] for one, other in pairs)
    firsts = [one[0] for one, _ in pairs]
    assert 0.4 * CALLS < firsts.count("a") < 0.6 * CALLS


def test_slow_predictions_end_at_the_limit_with_enough_of_them() -> None:
    clock = Clock()
    ours, theirs = timings(clock.takes("a", 0.1), clock.takes("b", 0.1), 50, seed=3, limit_s=60, clock=clock)
    assert LEAST_CALLS <= len(ours) == len(theirs) < CALLS


def test_too_few_predictions_decide_nothing() -> None:
    clock = Clock()
    with pytest.raises(
        InvalidValueError, match=r"61 predictions of each version took 60 s, and .* needs 200"
    ):
        timings(clock.takes("a", 0.5), clock.takes("b", 0.5), 50, seed=3, limit_s=60, clock=clock)
