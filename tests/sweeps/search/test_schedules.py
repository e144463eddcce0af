"""What a search without a model does: how many jobs begin, which pause, which go on, when it is over."""

import pytest
from searched import Driver, make

from sweeps.search.decisions import Arrival, End, EndKind, GoOn, NewJob
from sweeps.settings.search_settings import Mode, Schedule


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("mode", [Mode.RANDOM, Mode.TPE])
def test_a_search_without_a_schedule_begins_as_many_different_jobs_as_asked_for(
    mode: Mode, slots: int
) -> None:
    driver = Driver(make(mode=mode, n_trials=20), slots=slots).run()
    assert len(set(driver.points.values())) == len(driver.points) == 20
    assert set(driver.ends.values()) == {EndKind.COMPLETED}
    assert driver.search.is_over


def test_asha_lets_the_best_third_of_each_rung_go_on() -> None:
    driver = Driver(make(schedule=Schedule.ASHA, n_trials=27), slots=2).run()
    reached = sorted(driver.epochs.values())
    assert [reached.count(level) for level in (1, 3, 9, 27)] == [18, 6, 2, 1]
    best = min(driver.points, key=lambda job: driver.loss(driver.points[job], 27))
    assert driver.epochs[best] == 27


def test_a_job_that_pauses_goes_on_when_it_is_among_the_best() -> None:
    search = make(schedule=Schedule.ASHA, n_trials=9)
    for job, loss in enumerate((1.0, 2.0, 3.0)):
        decision = search.decide()
        assert isinstance(decision, NewJob)
        assert decision.until == 1
        search.asked(job, decision)
        assert search.reached([Arrival(job, 1, (loss,))]) == {}
        search.ended(job, End(EndKind.PAUSED, (loss,), 1))
    assert search.decide() == GoOn(0, 3)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_the_best_job_of_all_completes_and_is_repeated_whoever_came_first(
    seed: int, resumes: bool, slots: int
) -> None:
    search = make(schedule=Schedule.ASHA, n_trials=30, confirm=2, seed=seed, resumes=resumes)
    driver = Driver(search, slots=slots).run()
    own = [job for job in driver.points if job not in driver.repeats]
    best = min(
        own, key=lambda job: driver.loss(driver.points[job], 27)
    )  # its lead is the same after any epoch
    assert driver.epochs[best] == 27
    assert best in driver.repeats.values()


@pytest.mark.parametrize("resumes", [True, False])
def test_points_that_get_better_and_better_do_not_leave_the_last_one_behind(resumes: bool) -> None:
    first = [(f"x={0.3 + (20 - job) / 30}", "y=0.0316") for job in range(20)]
    search = make(first=first, schedule=Schedule.ASHA, n_trials=20, resumes=resumes)
    driver = Driver(search).run()
    assert driver.epochs[19] == 27
