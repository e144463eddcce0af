"""Runs that are remembered are those that are there."""

from pathlib import Path

import pytest
from told import Told

from sweeps.dashboard.facts.known_runs import KnownRuns
from sweeps.dashboard.facts.sweep_facts import sweep_facts
from sweeps.state.job_runs import JobRuns


@pytest.fixture
def told(tmp_path: Path) -> Told:
    told = Told(tmp_path)
    told.begin()
    return told


def test_a_run_that_is_remembered_is_what_the_store_says_but_for_its_parameters(told: Told) -> None:
    run = told.job(0, 0.5, rows=3)
    known = KnownRuns(told.store, told.name)
    first, second = known.find(run, 0).record, known.find(run, 0).record
    fresh = JobRuns(told.store, told.name).find(run, 0).record
    assert first == second
    assert fresh is not None
    assert first is not None
    assert (first.summary, first.data, first.sweep, first.status) == (
        fresh.summary,
        fresh.data,
        fresh.sweep,
        fresh.status,
    )


def test_a_run_that_goes_on_changes_the_facts_and_one_that_is_gone_is_missed(told: Told) -> None:
    run = told.job(0, 0.5)
    assert sweep_facts(told.folder)["jobs"]["values"] == [[0.5]]
    again = told.tracker.open_run(run)
    again.log({"val_auc": 0.75}, step=9)
    again.finish()
    assert sweep_facts(told.folder)["jobs"]["values"] == [[0.75]]
    told.tracker.delete_run(run)
    facts = sweep_facts(told.folder)
    assert facts["jobs"]["values"] == [[None]]
    assert "gone" in facts["jobs"]["error"][0]


def test_a_run_that_still_runs_is_read_each_time(told: Told) -> None:
    told.ask(0)
    told.start(0, 1.0)
    run = told.run_of(0, [0.25])
    told.finish(0, 2.0, runs=[run.run_id])
    assert sweep_facts(told.folder)["jobs"]["values"] == [[0.25]]
    run.log({"val_auc": 0.5}, step=3)
    assert sweep_facts(told.folder)["jobs"]["values"] == [[0.5]]
    run.finish()
