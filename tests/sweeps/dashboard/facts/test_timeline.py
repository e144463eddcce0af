"""When the attempts of a sweep ran: over resumed sessions, retries, paused jobs, and jobs that share a process."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import START, Told

from sweeps.dashboard.facts.timeline import Span, Timeline, _arrange, timeline


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def spans(told: Told, now_s: float | None = None) -> list[tuple[int, float, float, str]]:
    now = None if now_s is None else START + timedelta(seconds=now_s)
    found = timeline(told.folder / "jobs.jsonl", now=now)
    return [(span.job, span.from_s, span.to_s, span.status) for span in found.spans]


def test_the_time_between_two_sessions_is_left_out(told: Told) -> None:
    told.begin(0.0)
    told.start(0, 1.0)
    told.finish(0, 3.0)
    told.start(1, 3.0)
    told.tell(4.0, "ended")
    told.begin(1000.0)
    told.start(1, 1001.0)
    told.finish(1, 1002.0)
    told.tell(1002.5, "ended")
    assert spans(told) == [
        (0, 1.0, 3.0, "completed"),
        (1, 3.0, 4.0, "interrupted"),
        (1, 5.0, 6.0, "completed"),
    ]
    found = timeline(told.folder / "jobs.jsonl", now=None)
    assert found.sessions == [(0.0, 4.0), (4.0, 6.5)]
    late = (START + timedelta(seconds=1001)).isoformat()
    assert found.seconds(late) == 5.0
    between = (START + timedelta(seconds=500)).isoformat()
    assert found.seconds(between) == 4.0


def test_each_attempt_and_each_part_of_a_paused_job_is_one_span(told: Told) -> None:
    told.begin()
    told.start(0, 1.0)
    told.tell(2.0, "retry", job=0, status="killed", wall_s=1.0, runs=[], error="gone")
    told.start(0, 2.5, attempt=2)
    told.finish(0, 4.0, "pruned", attempt=2)
    told.tell(5.0, "resumed", job=0, until=None)
    told.start(0, 5.0, attempt=3)
    told.finish(0, 6.0, attempt=3)
    assert spans(told) == [
        (0, 1.0, 2.0, "killed"),
        (0, 2.5, 4.0, "pruned"),
        (0, 5.0, 6.0, "completed"),
    ]


def test_what_runs_now_goes_on_to_now(told: Told) -> None:
    told.begin()
    told.start(0, 1.0)
    assert spans(told, now_s=7.0) == [(0, 1.0, 7.0, "running")]


def test_jobs_that_share_a_process_have_rows_of_their_own(told: Told) -> None:
    told.begin()
    for job in range(3):
        told.start(job, 1.0, slot=0)
    told.start(3, 1.0, slot=1)
    for job in range(4):
        told.finish(job, 2.0)
    told.start(4, 2.0, slot=0)
    told.finish(4, 3.0)
    found = timeline(told.folder / "jobs.jsonl", now=None)
    assert [(span.slot, span.row) for span in found.spans] == [(0, 0), (0, 1), (0, 2), (1, 3), (0, 0)]
    assert found.rows == 4


@pytest.mark.parametrize("late_s", [0.0, 0.001, 0.002, 0.02])
def test_a_job_that_begins_as_its_slot_is_freed_stays_in_the_row_of_the_slot(
    told: Told, late_s: float
) -> None:
    told.begin()
    for job in range(40):
        told.start(job, 0.3 * job, slot=0)
        if job:  # the end before it is recorded when this one has begun
            told.finish(job - 1, 0.3 * job + late_s)
    told.finish(39, 12.0)
    found = timeline(told.folder / "jobs.jsonl", now=None)
    assert found.rows == 1
    ends = [span.to_s for span in found.spans]
    assert all(to_s <= after.from_s for to_s, after in zip(ends, found.spans[1:], strict=False))


def test_damaged_events_and_those_before_any_session_are_left_out(told: Told) -> None:
    told.start(9, 0.5)
    told.begin(1.0)
    told.tell(1.5, "finished", job="x", status="completed")
    told.tell(1.6, "finished", job=0, status="unheard of")
    told.start(0, 2.0, slot=0)
    with (told.folder / "jobs.jsonl").open("a") as ledger:
        ledger.write('{"event": "finished", "job": 0}\n{"torn')
    assert spans(told) == [(0, 1.0, 1.0, "interrupted")]


@given(st.lists(st.tuples(st.integers(0, 2) | st.none(), st.floats(0, 50), st.floats(0.01, 9)), max_size=20))
def test_no_two_attempts_cover_each_other(made: list[tuple[int | None, float, float]]) -> None:
    known = Timeline(
        spans=[Span(job, slot, start, start + length) for job, (slot, start, length) in enumerate(made)]
    )
    _arrange(known)
    for one in known.spans:
        assert 0 <= one.row < known.rows
        for other in known.spans:
            if other.job != one.job and other.row == one.row:
                assert one.slot == other.slot
                assert one.to_s <= other.from_s + 2e-3 or other.to_s <= one.from_s + 2e-3
