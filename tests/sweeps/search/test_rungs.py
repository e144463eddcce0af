"""The levels at which jobs are judged, and how they stand there."""

import pytest
from searched import LOSS

from sweeps.search.rungs import Levels, Rung, levels_of
from sweeps.settings.search_settings import Mode, Schedule, SearchSettings


def levels(schedule: Schedule, **settings: object) -> tuple[int, ...]:
    given = SearchSettings(mode=Mode.RANDOM, schedule=schedule, objectives=(LOSS,))
    for name, value in settings.items():
        object.__setattr__(given, name, value)
    return levels_of(given)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_epochs": 52, "eta": 2.0}, (3, 6, 12, 24)),
        ({"max_epochs": 20, "eta": 2.0}, (3, 6, 12)),
        ({"max_epochs": 6, "eta": 2.0}, (3,)),
        ({"max_epochs": 2, "eta": 2.0}, ()),
        ({"max_epochs": 52, "eta": 3.0, "min_epochs": 2}, (2, 6, 18)),
        ({"max_epochs": 27, "eta": 3.0, "min_epochs": 1}, (1, 3, 9)),
        ({"max_epochs": 10, "eta": 3.0, "min_epochs": 12}, ()),
    ],
)
def test_rungs_grow_up_to_the_full_length(settings: dict[str, object], expected: tuple[int, ...]) -> None:
    assert levels(Schedule.ASHA, **settings) == expected


def test_rungs_grow_without_end_where_the_length_is_not_known() -> None:
    assert levels(Schedule.ASHA, min_epochs=2, eta=2.0)[:5] == (2, 4, 8, 16, 32)


def test_a_median_rule_judges_more_often_and_none_never() -> None:
    assert levels(Schedule.MEDIAN, max_epochs=20, eta=2.0) == (3, 4, 5, 6, 8, 10, 12, 15)
    assert levels(Schedule.NONE, max_epochs=20) == ()


def test_a_level_is_found_by_the_epochs_that_a_job_has_had() -> None:
    found = Levels((2, 6, 18))
    assert [found.index(epochs) for epochs in (1, 2, 5, 6, 99)] == [None, 0, 0, 1, 2]
    assert [found.after(epochs) for epochs in (0, 2, 5, 18)] == [2, 6, 6, None]
    assert [found.index_after(epochs) for epochs in (1, 2, 3, 18, 19)] == [0, 0, 1, 2, 3]


def test_jobs_stand_by_their_loss_those_that_break_a_constraint_and_failed_ones_last() -> None:
    rung = Rung()
    for job, losses in enumerate([(3.0,), (1.0,), None, (2.0,)]):
        rung.add(job, losses)
    rung.add(1, (1.0,), violation=0.5)
    assert rung.best() == [3, 0, 1]
    assert len(rung) == 4


def test_the_better_half_is_that_of_the_jobs_that_keep_the_bounds() -> None:
    rung = Rung()
    for job, (loss, violation) in enumerate([(1.0, 2.0), (3.0, 0.0), (4.0, 0.0), (2.0, 0.5)]):
        rung.add(job, (loss,), violation)
    rung.add(4, None)
    assert [job for job in rung.scores if rung.is_in_better_half(job)] == [1, 2]
    alone = Rung()
    alone.add(0, (1.0,), violation=9.0)
    assert alone.is_in_better_half(0)


def test_chance_decides_between_equal_jobs_and_always_the_same() -> None:
    rung = Rung()
    for job in range(20):
        rung.add(job, (1.0,))
    assert rung.best() == rung.best()
    assert rung.best() != list(range(20))
    assert sorted(rung.best()) == list(range(20))


def test_of_several_objectives_those_stand_first_that_no_other_beats_in_all() -> None:
    rung = Rung()
    for job, losses in enumerate([(5.0, 5.0), (1.0, 9.0), (9.0, 1.0), (6.0, 6.0), (0.5, 9.5)]):
        rung.add(job, losses)
    assert set(rung.best(4)) == {0, 1, 2, 4}
    assert rung.best()[-1] == 3
