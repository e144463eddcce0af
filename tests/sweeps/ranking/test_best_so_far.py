"""The best of a sweep after each judgement and each end of a job."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_written import Written, curve, three_jobs

from sweeps.jobs import JobState
from sweeps.ranking.best_so_far import BestSoFar, best_so_far
from sweeps.ranking.leaderboard import Leaderboard, Row
from sweeps.state.reached import Reached
from tracking.objective import Objective


@pytest.fixture
def sweep(tmp_path: Path) -> Written:
    return three_jobs(tmp_path)


def test_the_best_so_far_is_told_after_each_judgement_and_each_end(sweep: Written) -> None:
    found = sweep.now()
    assert best_so_far(found.board, found.history.reached) == [
        BestSoFar(0, 2, curve(0.5, 2), 0),
        BestSoFar(0, 4, curve(0.9, 2), 1),
        BestSoFar(1, 4, curve(0.9, 2), 1),
        BestSoFar(1, 6, curve(0.9, 2), 1),
        BestSoFar(2, 6, curve(0.9, 2), 1),
        BestSoFar(2, 10, curve(0.9, 6), 1),
        BestSoFar(3, 22, curve(0.9, 18), 1),
    ]


def test_the_best_so_far_of_a_sweep_without_a_search_follows_the_ends_of_its_jobs(tmp_path: Path) -> None:
    written = Written(tmp_path, search=None, total=4)
    for job in range(4):
        written.ask(job)
    lost = {"job": 0, "status": "killed", "wall_s": 1.0, "runs": []}
    written.tell("finished", **lost)
    written.finish(1, 0.9, 3, "failed", told=None, error="no such luck")
    written.finish(2, 0.5, 3, "completed", told=None)
    written.finish(0, 0.7, 3, "completed", told=None)
    found = written.now()
    assert best_so_far(found.board, found.history.reached) == [
        BestSoFar(1, 3, None, None),
        BestSoFar(2, 6, curve(0.5, 3), 2),
        BestSoFar(3, 9, curve(0.7, 3), 0),
    ]


def test_a_value_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.ask(0)
    for value in ("inf", "nan", None):
        written.tell("rung", arrivals=[{"job": 0, "level": 1, "values": [value]}], go_on={"0": None})
    found = written.now()
    assert [each.value for each in best_so_far(found.board, found.history.reached)] == [None] * 3


@settings(max_examples=50)
@given(
    moments=st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(1, 5), st.none() | st.integers(0, 9).map(float), st.booleans()
        ),
        max_size=20,
    ),
    mode=st.sampled_from(["max", "min"]),
)
def test_the_best_so_far_only_gets_better_and_jobs_and_epochs_only_more(
    moments: list[tuple[int, int, float | None, bool]], mode: str
) -> None:
    objective = Objective.of("m", mode)
    states = (JobState.COMPLETED, JobState.PRUNED, JobState.FAILED, JobState.UNFINISHED)
    rows = tuple(
        Row(None, job, None, {}, 1.0, {}, 5, 1.0, state, "failed" if state is JobState.FAILED else None)
        for job, state in enumerate(states)
    )
    board = Leaderboard("s", objective, (), (), rows)
    reached = [Reached(job, level, (value,), is_end=ends) for job, level, value, ends in moments]
    found = best_so_far(board, reached)
    assert len(found) == len(reached)
    for before, after in pairwise(found):
        assert not objective.better(before.value, after.value)
        assert (before.jobs, before.epochs) <= (after.jobs, after.epochs)
        assert before.epochs <= after.epochs
    led = [(value, job) for job, _, value, _ in moments if value is not None and job != 2]
    if found:
        values = [value for value, _ in led]
        assert found[-1].value == (None if not led else max(values) if mode == "max" else min(values))
        assert found[-1].job in {None, *(job for value, job in led if value == found[-1].value)}
