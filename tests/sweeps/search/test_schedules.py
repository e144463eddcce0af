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
