"""The gate as a statistical test: how often chance promotes, over sequences of looks and after choosing the best of many.

The numbers are simulated with fixed seeds, and pass through the decision that real scores pass through.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tracking.gate.decision import decided
from tracking.gate.measuring import Comparison, Evidence
from tracking.gate.rules import GateSettings, Margin, Rules
from tracking.statistics.compare import compare
from tracking.statistics.difference import Difference
from tracking.statistics.levels import look_level
from tracking.statistics.measures import Task, measure_of

Floats = NDArray[np.float64]
AUC = measure_of("auc", Task.BINARY)
ROWS = 400


class World:
    """Rows of one split, and models that all see the signal equally well, each with noise of its own."""

    def __init__(self, random: np.random.Generator, rows: int = ROWS) -> None:
        self._random = random
        self.signal = random.normal(size=rows)
        self.target = (random.random(rows) < 1 / (1 + np.exp(-1.5 * self.signal))).astype(float)

    def model(self, skill: float = 1.0) -> Floats:
        return skill * self.signal + self._random.normal(size=len(self.signal)) * 0.7


def is_promoted(difference: Difference, level: float, **rules: float) -> bool:
    comparison = Comparison(difference.rows, Evidence("auc", difference=difference), ())
    return all(each.passes for each in decided(comparison, GateSettings(rules=Rules(**rules)), level))


def promotes(world: World, challenger: Floats, champion: Floats, level: float) -> bool:
    return is_promoted(compare(AUC, world.target, challenger, champion), level)


def most(share: float, of: int) -> float:
    """Return the share that chance exceeds once in a thousand simulations of a true share."""
    return share + 3.1 * math.sqrt(share * (1 - share) / of)


def ten_sweeps(random: np.random.Generator, *, counts_looks: bool) -> bool:
    """Return whether a sequence of ten sweeps without any true gain promotes anything."""
    world = World(random)
    champion, has_promoted = world.model(), False
    for look in range(1, 11):
        challenger = world.model()
        level = look_level(look) if counts_looks else 0.05
        if promotes(world, challenger, champion, level):
            champion, has_promoted = challenger, True
    return has_promoted


@pytest.mark.parametrize("repetitions", [150, pytest.param(1000, marks=pytest.mark.exhaustive)])
def test_ten_sweeps_without_a_gain_promote_in_at_most_five_of_a_hundred_cases(repetitions: int) -> None:
    random = np.random.default_rng(17)
    found = sum(ten_sweeps(random, counts_looks=True) for _ in range(repetitions)) / repetitions
    assert found <= most(0.05, repetitions)


def test_without_counted_looks_ten_sweeps_would_promote_far_too_often() -> None:
    random = np.random.default_rng(17)
    assert sum(ten_sweeps(random, counts_looks=False) for _ in range(100)) > 15


def best_of_16(random: np.random.Generator) -> tuple[bool, bool]:
    """Return whether the best of 16 equal candidates is promoted on fresh rows, and on the rows that chose it."""
    chosen_on, fresh = World(random), World(random)
    candidates = [chosen_on.model() for _ in range(16)]
    values = [AUC.value(chosen_on.target, each, None) for each in candidates]
    winner = candidates[int(np.argmax(values))]
    level = look_level(1)
    return (
        promotes(fresh, fresh.model(), fresh.model(), level),  # a model's noise on other rows is another
        promotes(chosen_on, winner, chosen_on.model(), level),
    )


@pytest.mark.parametrize("repetitions", [150, pytest.param(1000, marks=pytest.mark.exhaustive)])
def test_the_best_of_16_equal_candidates_is_promoted_by_the_rows_that_chose_it_and_not_by_fresh_ones(
    repetitions: int,
) -> None:
    random = np.random.default_rng(4)
    fresh, same = np.mean([best_of_16(random) for _ in range(repetitions)], axis=0)
    assert fresh <= most(0.05, repetitions)
    assert same > 0.1


def a_year(
    random: np.random.Generator, *, error: float = 0.01, correlation: float = 0.5
) -> Iterator[Difference]:
    """Yield the differences of 52 challengers and the champion, none better than it; all are measured on the same rows."""
    champion = random.normal()
    shared = random.normal() * math.sqrt(correlation)
    while True:
        own = shared + random.normal() * math.sqrt(1 - correlation)
        gain = error * (own - champion) / math.sqrt(2)
        yield Difference("auc", "max", 0.8 + gain, 0.8, gain, error, "delong", 5000)


@pytest.mark.parametrize("years", [300, pytest.param(1500, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_a_year_of_weekly_sweeps_without_a_gain_promotes_in_at_most_five_of_a_hundred_years(
    correlation: float, years: int
) -> None:
    random = np.random.default_rng(52)
    levels = [look_level(look) for look in range(1, 53)]
    false = sum(
        any(
            is_promoted(difference, level)
            for level, difference in zip(levels, a_year(random, correlation=correlation), strict=False)
        )
        for _ in range(years)
    )
    assert false / years <= most(0.05, years)


def test_planned_looks_keep_the_level_too() -> None:
    random, plans = np.random.default_rng(3), 400
    levels = [look_level(look, planned=10) for look in range(1, 11)]
    false = sum(
        any(is_promoted(each, level) for level, each in zip(levels, a_year(random), strict=False))
        for _ in range(plans)
    )
    assert false / plans <= most(0.05, plans)


def test_guards_of_challengers_that_are_just_too_bad_hold_in_ninety_five_of_a_hundred_cases() -> None:
    """Five guards, each worse by exactly its margin: Holm keeps any of them from passing in more than 5 of 100 cases."""
    random, trials, margin = np.random.default_rng(8), 2000, 0.02
    settings = GateSettings(rules=Rules(superiority=False))
    passed = 0
    for gains in -margin + 0.01 * random.normal(size=(trials, 5)):
        guards = tuple(
            Evidence("log_loss", Margin(margin), difference=Difference("log_loss", "min", 0.4 - gain, 0.4, gain, 0.01, "delong", 900))
            for gain in gains.tolist()
        )  # fmt: skip
        outcomes = decided(Comparison(900, guards[0], guards), settings, 0.05)
        passed += any(each.passes for each in outcomes if each.rule == "not_worse")
    assert passed / trials <= most(0.05, trials)


def test_the_gain_that_is_called_detectable_is_promoted_8_times_in_10() -> None:
    from tracking.statistics.power import detectable

    random, trials, error, level = np.random.default_rng(6), 1000, 0.01, look_level(2)
    true = detectable(Difference("auc", "max", 0.8, 0.8, 0.0, error, "delong", 5000), level)
    gains = true + error * random.normal(size=trials)
    found = [
        Difference("auc", "max", 0.8 + gain, 0.8, gain, error, "delong", 5000) for gain in gains.tolist()
    ]
    share = sum(is_promoted(each, level) for each in found) / trials
    assert abs(share - 0.8) < 0.04
