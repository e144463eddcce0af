"""When a search is over: jobs, epochs, time, a target, no better job for long; and the finals that confirm the best."""

import math
import random
from collections import Counter

import pytest
from searched import LOSS, Driver, bowl, make, numbers

from sweeps.search.decisions import Arrival, End, EndKind, GoOn, NewJob
from sweeps.settings.search_settings import Constraint, Mode, Schedule
from tracking.objective import Objective


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("slots", [1, 4])
def test_a_budget_in_epochs_is_used_and_not_exceeded(schedule: Schedule, slots: int) -> None:
    driver = Driver(make(schedule=schedule, max_epochs=27, budget_epochs=300), slots=slots).run()
    assert 300 - 27 < sum(driver.epochs.values()) <= 300
    assert driver.search.is_over


def test_a_budget_in_epochs_holds_back_what_the_finals_take() -> None:
    driver = Driver(make(schedule=Schedule.ASHA, budget_epochs=600, confirm=0.2), slots=2).run()
    assert len(driver.repeats) == 4  # 120 epochs
    assert sum(driver.epochs.values()) <= 600


def test_a_target_ends_a_search_at_once() -> None:
    driver = Driver(make(n_trials=500, target=0.06, mode=Mode.TPE), slots=2).run()
    reached = [job for job, point in driver.points.items() if bowl(point, 27) <= 0.06]
    assert reached
    assert len(driver.points) <= reached[0] + 2
    assert driver.search.decide() is None


def test_no_better_job_for_long_ends_a_search() -> None:
    driver = Driver(make(n_trials=500, patience=10)).run()
    values = [bowl(driver.points[job], 27) for job in sorted(driver.points)]
    assert values.index(min(values)) == len(values) - 11


def test_a_search_hears_how_much_of_a_budget_in_time_is_spent() -> None:
    driver = Driver(make(n_trials=100, confirm=0.2)).run(10)
    driver.search.budget_spent(0.85)
    decision = driver.search.decide()
    assert isinstance(decision, NewJob)
    assert decision.repeats is not None
    driver.search.budget_spent(1.0)
    assert driver.search.decide() is None
    assert driver.search.is_over


def test_the_best_are_repeated_and_each_as_often() -> None:
    driver = Driver(make(n_trials=40, confirm=8), slots=3).run()
    assert len(driver.points) == 40
    assert Counter(driver.repeats.values()) == dict.fromkeys(sorted(first(driver), key=loss(driver))[:4], 2)
    assert all(driver.points[job] == driver.points[of] for job, of in driver.repeats.items())


@pytest.mark.parametrize(
    ("ending", "repeats"),
    [({"budget_epochs": 400}, 0), ({"budget_epochs": 600}, 2), ({"patience": 2}, 0), ({"patience": 8}, 3)],
)
def test_without_a_number_of_jobs_a_share_confirms_two_at_least_or_none(
    ending: dict[str, int], repeats: int
) -> None:
    driver = Driver(make(schedule=Schedule.ASHA, confirm=0.1, **ending)).run()
    assert driver.search.is_over
    assert len(driver.repeats) == repeats


def first(driver: Driver) -> list[int]:
    return [job for job in driver.points if job not in driver.repeats]


def loss(driver: Driver):  # type: ignore[no-untyped-def]
    return lambda job: bowl(driver.points[job], driver.epochs[job])


def test_candidates_that_are_paused_complete_before_they_are_repeated() -> None:
    driver = Driver(make(schedule=Schedule.ASHA, n_trials=18, confirm=4), slots=2).run()
    assert len(set(driver.repeats.values())) == 2
    assert all(driver.epochs[job] == 27 for job in driver.repeats.values())


@pytest.mark.parametrize("n_trials", [1, 2, 5])
def test_a_search_with_few_jobs_completes_one(n_trials: int) -> None:
    driver = Driver(make(schedule=Schedule.ASHA, n_trials=n_trials), slots=2).run()
    assert max(driver.epochs.values()) == 27
    assert len(driver.points) == n_trials


def test_points_to_begin_with_come_first_and_once() -> None:
    begin = [("x=0.5", "y=0.1"), ("x=0.25", "y=0.5"), ("x=0.5", "y=0.1"), ("x=9", "y=0.1")]
    driver = Driver(make(first=begin, n_trials=6, mode=Mode.TPE)).run()
    assert [driver.points[job] for job in range(3)] == [begin[0], begin[1], begin[3]]
    assert len(driver.points) == 6


def test_given_points_all_run_with_a_schedule() -> None:
    begin = [(f"x={x}", "y=0.1") for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    search = make(first=begin, n_trials=6, mode=Mode.GRID, schedule=Schedule.ASHA, confirm=0.5)
    driver = Driver(search, slots=2).run()
    assert sorted(driver.points.values()) == sorted(begin)
    assert max(driver.epochs.values()) == 27


def test_a_small_space_ends_when_it_has_no_other_point() -> None:
    driver = Driver(make("x=0.1,0.2,0.3", "y=0.1,0.2", n_trials=50, mode=Mode.TPE), slots=2).run()
    assert len(set(driver.points.values())) == len(driver.points) == 6


def test_a_lost_job_is_asked_for_again_but_not_for_ever() -> None:
    driver = Driver(make(n_trials=1))
    driver.begin()
    for _ in range(2):
        driver.end(0, End(EndKind.LOST))
        assert driver.search.decide() == GoOn(0)
        assert not driver.search.is_over
        driver.begin()
    driver.end(0, End(EndKind.LOST))
    assert driver.search.is_over


def test_a_lost_job_goes_on_from_where_it_was() -> None:
    driver = Driver(make(schedule=Schedule.ASHA, n_trials=9))
    driver.run(5)
    job = next(job for job, until in driver.until.items() if until) if driver.until else None
    driver.begin()
    job = next(iter(driver.until))
    until = driver.search.until(job)
    driver.end(job, End(EndKind.LOST))
    assert driver.search.decide() == GoOn(job, until)


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_search_keeps_away_from_where_jobs_fail(mode: Mode, value: float | None) -> None:
    def cliff(point: tuple[str, ...], epochs: int) -> float | None:
        return value if numbers(point)["x"] > 0.31 else bowl(point, epochs)

    driver = Driver(make(n_trials=60, mode=mode), loss=cliff).run()
    late = [numbers(driver.points[job])["x"] > 0.31 for job in range(40, 60)]
    assert sum(late) <= 10  # of random points, 7 of 20
    values = [found for point in driver.points.values() if (found := cliff(point, 27)) is not None]
    assert min(each for each in values if math.isfinite(each)) < 0.1


@pytest.mark.parametrize("logs", [True, False])
def test_jobs_that_break_a_constraint_are_not_promoted_and_not_confirmed(logs: bool) -> None:
    search = make(
        schedule=Schedule.ASHA, n_trials=30, confirm=4, constraints=(Constraint.parse("size <= 0"),)
    )
    driver = Driver(search, violations=lambda point: {"size <= 0": numbers(point)["x"]} if logs else {})
    plain = driver.end

    def end(job: int, end: End) -> None:
        size = numbers(driver.points[job])["x"]
        plain(job, End(end.kind, end.values, end.epochs, {"size <= 0": size}))

    driver.end = end  # type: ignore[method-assign]
    driver.run()
    kept = {job for job, point in driver.points.items() if numbers(point)["x"] <= 0}
    assert set(driver.repeats.values()) <= kept
    assert len(driver.repeats) == 4


@pytest.mark.parametrize("schedule", [Schedule.ASHA, Schedule.MEDIAN])
def test_a_judgement_lets_jobs_go_on_that_keep_the_bounds_though_others_have_lower_losses(
    schedule: Schedule,
) -> None:
    bound = Constraint.parse("size <= 0.5")
    driver = Driver(
        make(schedule=schedule, n_trials=40, constraints=(bound,)),
        loss=lambda point, epochs: 1 / epochs - numbers(point)["x"],
        violations=lambda point: {str(bound): bound.violation(numbers(point)["x"])},
    ).run()
    went_on = {job for job, epochs in driver.epochs.items() if epochs > 1}
    broken = {job for job, point in driver.points.items() if numbers(point)["x"] > 0.5}
    assert len(broken) > 5
    assert len(went_on) > 5
    alone = set(range(5)) if schedule is Schedule.MEDIAN else set()  # with too few others to compare with
    assert not went_on & broken - alone


def test_a_target_that_a_job_reaches_by_breaking_a_bound_is_not_reached() -> None:
    bound = Constraint.parse("size <= 0")
    search = make(schedule=Schedule.ASHA, n_trials=9, target=1.0, constraints=(bound,))
    search.asked(0, NewJob(("x=0.5", "y=0.1"), 1))
    search.reached([Arrival(0, 1, (0.9,), {str(bound): 0.5})])
    assert not search.ending
    search.asked(1, NewJob(("x=-0.5", "y=0.1"), 1))
    search.reached([Arrival(1, 1, (0.9,), {str(bound): -0.5})])
    assert search.ending == "the target is reached"


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.GP, Mode.CMAES])
@pytest.mark.parametrize("schedule", [Schedule.ASHA, Schedule.NONE])
def test_a_search_keeps_away_from_where_bounds_are_broken(mode: Mode, schedule: Schedule) -> None:
    bound = Constraint.parse("size <= 0")
    driver = Driver(
        make(mode=mode, schedule=schedule, n_trials=60, constraints=(bound,)),
        loss=lambda point, epochs: 1 / epochs + abs(abs(numbers(point)["x"]) - 0.5),
        violations=lambda point: {str(bound): numbers(point)["x"]},
    ).run()
    late = [numbers(driver.points[job])["x"] > 0 for job in range(30, 60)]
    assert sum(late) <= 10  # of random points, 15 of 30


@pytest.mark.parametrize("mode", [Mode.TPE, Mode.NSGA2, Mode.GP, Mode.RANDOM])
def test_several_objectives_are_searched_for_their_front(mode: Mode) -> None:
    objectives = (LOSS, Objective.of("size", "max"))
    search = make(n_trials=30, mode=mode, objectives=objectives, schedule=Schedule.ASHA)
    source = random.Random(0)
    running: dict[int, int | None] = {}
    done: set[int] = set()
    points = {}
    for _ in range(400):
        decision = search.decide()
        if decision is None:
            break
        job = len(points) if isinstance(decision, NewJob) else decision.job
        if isinstance(decision, NewJob):
            points[job] = numbers(decision.point)
        search.asked(job, decision)
        running[job] = decision.until
        while running:
            job, until = running.popitem()
            values = (points[job]["x"] ** 2, points[job]["x"] + 0 * source.random())
            if until is None:
                done.add(job)
                search.ended(job, End(EndKind.COMPLETED, values, 27))
            else:
                goes_on = search.reached([Arrival(job, until, values)])
                if job in goes_on:
                    running[job] = goes_on[job]
                else:
                    search.ended(job, End(EndKind.PAUSED, values, until))
    assert search.is_over
    assert done
    assert all(points[job]["x"] > -0.35 for job in done)  # where x < 0, more of both is better


@pytest.mark.parametrize("more", [1, 2, 3, 10, 40])
def test_a_search_that_is_extended_has_as_many_jobs_as_asked_for_and_repeats_its_best_again(
    more: int,
) -> None:
    before = Driver(make(n_trials=20, confirm=0.2)).run()
    assert len(before.repeats) == 4
    search = make(n_trials=20 + more, confirm=0.2)
    for event, what in before.events:
        getattr(search, event)(*what)
    points = len(first(before))
    after = Driver(search, points=before.points, repeats=before.repeats, epochs=before.epochs).run()
    assert len(after.points) == 20 + more
    assert len(first(after)) == points + more - min(int(0.2 * (20 + more)), more // 2)
    if more > 3:
        assert min(first(after), key=loss(after)) in after.repeats.values()


def test_a_search_that_is_extended_without_repeats_has_as_many_jobs_as_asked_for() -> None:
    before = Driver(make(n_trials=20, confirm=0.2)).run()
    search = make(n_trials=22, confirm=0.0)
    for event, what in before.events:
        getattr(search, event)(*what)
    after = Driver(search, points=before.points, repeats=before.repeats, epochs=before.epochs).run()
    assert len(after.points) == 22
