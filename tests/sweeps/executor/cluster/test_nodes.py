"""Nodes as real processes: killed, paused, added and sent away; and what becomes of their jobs."""

import logging
import time
from pathlib import Path

import psutil
import pytest
from swept_nodes import Sweep, at_first_run, handled

from sweeps.executor.cluster.dealing import Dealing
from sweeps.executor.conformance_app import await_file
from sweeps.executor.engines.processes import Place
from sweeps.jobs import Event, EventKind, JobStatus, Reason
from tracking import ExperimentTracker

pytestmark = pytest.mark.usefixtures("hydra_restore_singletons")


@pytest.mark.parametrize("who", ["node", "guard"])
def test_a_job_of_a_killed_node_goes_on_elsewhere_once_its_own_process_has_gone(
    tmp_path: Path, who: str
) -> None:
    sweep = Sweep(tmp_path, Place("first"), Place("second"))

    def end(event: Event) -> None:
        node = sweep.node_of(event)
        (node if who == "node" else node.parent() or node).kill()

    kill = at_first_run(end, sweep)
    (outcome,) = sweep.run("ignore signals", told=kill).values()
    assert (outcome.status, outcome.value, outcome.attempt) == (JobStatus.COMPLETED, 0.0, 2)
    (retry,) = sweep.of(EventKind.RETRY)
    name = sweep.of(EventKind.STARTED)[0].data["node"]
    assert (retry.data["error"], retry.data["reason"]) == (f"its node {name} was lost", Reason.LOST)
    assert [Path(run).name for run in outcome.runs] == ["run_001", "run_002"]
    record = ExperimentTracker(tmp_path / "experiments").record("run_002")
    assert record is not None
    assert (record.sweep or {})["previous"] == ["run_001"]


@pytest.mark.parametrize("who", ["node", "guard", "all, the job first"])
def test_a_job_of_a_node_that_is_sent_away_goes_on_elsewhere(tmp_path: Path, who: str) -> None:
    sweep = Sweep(tmp_path, Place("only"))

    def end(event: Event) -> None:
        node = sweep.node_of(event)
        guard = node.parent() or node
        every = {"node": [node], "guard": [guard]}.get(who, [psutil.Process(event.data["pid"]), node, guard])
        for each in every:
            each.terminate()

    outcomes = sweep.run("run", "return", told=at_first_run(end, sweep))
    assert {job: (each.status, each.value) for job, each in outcomes.items()} == {
        0: (JobStatus.COMPLETED, 0.0),
        1: (JobStatus.COMPLETED, 1.0),
    }
    assert (outcomes[0].attempt, outcomes[1].attempt) == (2, 1)
    assert [event.data["error"] for event in sweep.of(EventKind.RETRY)] == ["its node only left"]


def test_a_sweep_that_is_stopped_while_a_node_leaves_ends_its_jobs_gently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, stop = Sweep(tmp_path, Place("only")), Dealing.stop

    def end(event: Event) -> None:
        sweep.node_of(event).terminate()
        await_file(tmp_path / "ending")
        sweep.executor.stop()

    def stop_and_go(dealing: Dealing) -> None:
        stop(dealing)  # in a thread of its own, a while after the executor was told
        (tmp_path / "go").touch()

    monkeypatch.setattr(Dealing, "stop", stop_and_go)
    (outcome,) = sweep.run("end slowly", told=at_first_run(end, sweep)).values()
    assert (outcome.status, outcome.reason) == (JobStatus.KILLED, Reason.STOPPED)
    assert (tmp_path / "ended gently").exists()


def test_a_paused_node_goes_on_with_its_job(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("only"), lease_s=0.3)

    def pause(event: Event) -> None:
        node = sweep.node_of(event)
        node.suspend()
        time.sleep(1.0)  # longer than a node that runs waits for a word
        node.resume()
        (tmp_path / "go").touch()

    (outcome,) = sweep.run("run", told=at_first_run(pause, sweep)).values()
    assert (outcome.value, outcome.attempt) == (3.0, 1)


def test_a_node_that_stays_silent_is_ended_and_its_job_goes_on_in_another_one_at_the_same_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep(tmp_path, Place("only"), lease_s=3.0, grace_s=0.0)
    pause = at_first_run(lambda event: sweep.node_of(event).suspend(), sweep)
    (outcome,) = sweep.run("run", told=pause).values()
    assert (outcome.status, outcome.value, outcome.attempt) == (JobStatus.COMPLETED, 0.0, 2)
    said = [message for message in caplog.messages if "node only was lost" in message]
    assert said == ["node only was lost: it was silent for 6 s; put back: 1 job"]


def test_a_node_that_comes_later_is_given_jobs(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("first"))

    def add(event: Event) -> None:
        if event.kind is EventKind.STARTED and event.job == 0:
            sweep.engine.add(Place("second"))

    outcomes = sweep.run("wait for another", "be another", told=add)
    assert {each.value for each in outcomes.values()} == {1.0}
    assert {event.data["node"]: event.data["slot"] for event in sweep.of(EventKind.STARTED)} == {
        "first": 0,
        "second": 1,
    }
    assert [event.data["places"] for event in sweep.of(EventKind.STARTED)] == [1, 2]


def test_a_sweep_without_a_node_says_so_and_waits_for_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep(tmp_path, Place("first"))
    waits = "has no node left; the sweep waits"

    class Adding(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if waits in record.getMessage():
                sweep.engine.add(Place("second"))

    def kill(event: Event) -> None:
        sweep.engine.give_up("first")
        sweep.node_of(event).kill()

    with handled(Adding()):
        (outcome,) = sweep.run("run", told=at_first_run(kill, sweep)).values()
    assert (outcome.value, outcome.attempt) == (0.0, 2)
    assert [record.levelname for record in caplog.records if waits in record.getMessage()] == ["WARNING"]


def test_jobs_of_a_search_join_those_of_a_process_on_a_node(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, Place("only"))
    outcomes = sweep.run(*["return"] * 4, group="all")
    assert {job: each.value for job, each in outcomes.items()} == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0}
    assert len({event.data["pid"] for event in sweep.of(EventKind.STARTED)}) == 1


def test_a_job_finds_nothing_of_the_allocation_of_its_node(tmp_path: Path) -> None:
    (outcome,) = Sweep(tmp_path, Place("only", variables={"SLURM_JOB_ID": "77"})).run("return").values()
    assert outcome.value == 0.0
