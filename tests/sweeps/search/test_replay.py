"""A search that hears the events of another one again decides as that one did, whatever happened and in which order."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import Driver, make

from sweeps.search.decisions import Arrival, End, EndKind, Search
from sweeps.settings.search_settings import Constraint, Mode, Schedule

MODES = [Mode.RANDOM, Mode.QMC, Mode.TPE, Mode.GP, Mode.CMAES, Mode.NSGA2]
LINES = ("x=interval(-1.0,1.0)", "y=tag(log,interval(1e-3,1.0))", "z=choice(1,2,4)", "kind=a,b,c")
N_TRIALS = 16
BOUNDS = (Constraint.parse("size <= 1"), Constraint.parse("ms <= 5"))


def replayed(driver: Driver, new: Callable[[], Search]) -> Search:
    """Return another search that has heard what the driver's one has."""
    search = new()
    for event, what in driver.events:
        getattr(search, event)(*what)
    return search


def drawn(source: random.Random, bounds: int) -> dict[str, float]:
    """Return how a job stands to the first constraints, as if it had logged some of their metrics so far."""
    return {str(each): source.uniform(-1, 1) for each in BOUNDS[:bounds] if source.random() < 0.7}


def step(driver: Driver, source: random.Random, slots: int) -> None:
    """Let something happen that can happen: a slot asks, jobs come to their level, one fails, is lost or returns NaN."""
    if len(driver.until) < slots and source.random() < 0.6 and driver.begin():
        return
    if not driver.until:
        return
    job = source.choice(list(driver.until))
    match source.choice(["level"] * 8 + ["together", "failed", "lost", "nan", "early"]):
        case "failed":
            driver.end(job, End(EndKind.FAILED, (), driver.epochs[job]))
        case "lost":
            driver.end(job, End(EndKind.LOST))
        case "nan":
            driver.end(job, End(EndKind.COMPLETED, (float("nan"),), 2))
        case "early":
            driver.end(job, End(EndKind.COMPLETED, (source.random(),), max(2, driver.epochs[job])))
        case "together":
            together(driver)
        case _:
            driver.finish(job)


def together(driver: Driver) -> None:
    """Let all jobs that wait for a judgement be judged at once."""
    waiting = {job: until for job, until in driver.until.items() if until is not None}
    arrivals = [
        Arrival(job, until, (driver.loss(driver.points[job], until),), driver.violations(driver.points[job]))
        for job, until in waiting.items()
    ]
    if not arrivals:
        return
    goes_on = driver.hear("reached", arrivals)
    for arrival in arrivals:
        driver.epochs[arrival.job] = arrival.level
        if arrival.job in goes_on:
            driver.until[arrival.job] = goes_on[arrival.job]
        else:
            violations = driver.violations(driver.points[arrival.job])
            driver.end(arrival.job, End(EndKind.PAUSED, arrival.values, arrival.level, violations))


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), slots=st.integers(1, 4), bounds=st.integers(0, 2))
def test_a_search_that_hears_the_events_again_decides_the_same(
    mode: Mode, schedule: Schedule, seed: int, slots: int, bounds: int
) -> None:
    def new() -> Search:
        asked = {"mode": mode, "schedule": schedule, "n_trials": N_TRIALS, "seed": seed, "confirm": 0.2}
        return make(*LINES, **asked, constraints=BOUNDS[:bounds])

    source = random.Random(seed)
    driver = Driver(new(), violations=lambda _: drawn(source, bounds))
    for count in range(2000):
        if driver.search.is_over:
            break
        step(driver, source, slots)
        if source.random() < 0.05 or count < 3:
            assert replayed(driver, new).decide() == driver.search.decide()
    assert driver.search.is_over
    again = replayed(driver, new)
    assert again.is_over
    begun = [point for job, point in driver.points.items() if job not in driver.repeats]
    assert len(set(begun)) == len(begun)
    assert len(driver.points) <= N_TRIALS


@pytest.mark.parametrize("mode", MODES)
def test_a_search_goes_on_after_a_replay_as_if_it_had_never_stopped(mode: Mode) -> None:
    def new() -> Search:
        return make(*LINES, mode=mode, schedule=Schedule.ASHA, n_trials=24, seed=5)

    whole = Driver(new(), slots=1).run()
    for stop in (1, 9, 30):
        first = Driver(new(), slots=1).run(stop)
        second = Driver(replayed(first, new), slots=1, **{
            name: dict(getattr(first, name)) for name in ("points", "repeats", "epochs", "until", "ends")
        }).run()  # fmt: skip
        assert second.points == whole.points
        assert second.epochs == whole.epochs


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
def test_a_suggestion_that_is_prepared_is_the_one_that_would_have_been_made(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.search.learning.AHEAD", 12)
    plain = Driver(make(mode=mode, n_trials=30), slots=2).run()
    search = make(mode=mode, n_trials=30)
    ahead = Driver(search, slots=2)
    for _ in range(200):
        ahead.run(1)
        search.prepare()
    assert ahead.points == plain.points
