"""Which events of a sweep are sent, with which facts, and none twice."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receivers import Hooks

from sweeps import JobStatus, Outcome
from sweeps.alerts import SweepAlerts
from sweeps.display.scoreboard import Scoreboard
from sweeps.errors import JobsFailedError, SweepInterruptedError
from sweeps.jobs import PlannedJob, Reason
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.ranking.promotion import Decision, kept_decision, promote_winner
from sweeps.settings.sweeper_settings import Promotion
from tracking import ExperimentTracker, ModelRegistry
from tracking.files import write_json
from tracking.notify import AlertEvent, Notify, parse_addresses
from tracking.objective import Objective

EVERY = frozenset(AlertEvent)
AUC = Objective.of("val_auc")


class Session:
    """A session of a sweep of three jobs, as the sweeper reports it."""

    def __init__(self, hooks: Hooks, folder: Path, on: frozenset[AlertEvent], gap_s: float) -> None:
        self.hooks = hooks
        self.board = Scoreboard([PlannedJob(n, point={"x": n}) for n in range(3)], ("x",), AUC, slots=1)
        self.said: list[str] = []
        notify = Notify(parse_addresses([hooks.url], "notify.to"), on)
        self.alerts = SweepAlerts(notify, folder, self.board, self.said.append, gap_s=gap_s)

    def ended(self, job: int, value: float | None, **outcome: Any) -> None:
        status = JobStatus.FAILED if value is None else JobStatus.COMPLETED
        ended = Outcome(job, status, 1.0, runs=(f"run_00{job + 1}",), **outcome)
        self.board.finished(ended, value)
        self.alerts.finished(ended, value)

    @property
    def titles(self) -> list[str]:
        return [post["title"] for post in self.hooks.posts]


@pytest.fixture
def session(hooks: Hooks, tmp_path: Path) -> Callable[..., Session]:
    def session(*on: str, gap_s: float = 0.0) -> Session:
        return Session(
            hooks, tmp_path / "store" / "sweeps" / "s1", frozenset(map(AlertEvent, on)) or EVERY, gap_s
        )

    return session


def test_each_better_value_is_sent_while_jobs_run(session: Callable[..., Session]) -> None:
    sweep = session("best")
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(0, 0.7)
        sweep.ended(1, 0.6)
        sweep.ended(2, 0.8)  # nothing else tells of it
    assert sweep.titles == ["New best of sweep s1: val_auc 0.7", "New best of sweep s1: val_auc 0.8"]
    first, second = sweep.hooks.posts
    assert "before" not in first
    assert (second["before"], second["job"], second["run"], second["params"]) == (0.7, 2, "run_003", {"x": 2})
    assert (second["jobs"], second["total"]) == ({"completed": 3}, 3)


def test_values_in_quick_succession_are_one_alert_with_the_latest(session: Callable[..., Session]) -> None:
    sweep = session("best", gap_s=600.0)
    with sweep.alerts:
        sweep.alerts.began()
        for job in range(3):
            sweep.ended(job, 0.5 + job / 8)
    # The first at once; what waits for the gap goes out at the end.
    assert [post["value"] for post in sweep.hooks.posts] == [0.5, 0.75]
    assert sweep.hooks.posts[1]["before"] == 0.5


def test_the_last_message_of_a_sweep_names_the_best_so_nothing_else_does(
    session: Callable[..., Session],
) -> None:
    sweep = session("best", "finished", gap_s=600.0)
    with sweep.alerts:
        sweep.alerts.began()
        for job in range(3):
            sweep.ended(job, 0.5 + job / 8)
    assert sweep.titles == ["New best of sweep s1: val_auc 0.5", "Finished: sweep s1, best val_auc 0.75"]


def test_the_last_job_is_told_once(session: Callable[..., Session]) -> None:
    sweep = session("best", "finished")
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(0, 0.7)
        sweep.ended(1, 0.6)
        sweep.ended(2, 0.8)
    assert sweep.titles == ["New best of sweep s1: val_auc 0.7", "Finished: sweep s1, best val_auc 0.8"]


def test_a_best_value_waits_for_the_last_job_only(session: Callable[..., Session]) -> None:
    sweep = session("best", "finished")
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(0, None)
        sweep.ended(1, None)
        sweep.ended(2, 0.8)
        sweep.board.add([PlannedJob(3, point={"x": 3}), PlannedJob(4, point={"x": 4})])  # asked for meanwhile
        sweep.ended(3, None)
    assert sweep.hooks.events == ["best", "finished"]


def test_a_later_session_counts_the_time_of_the_earlier_ones(hooks: Hooks, tmp_path: Path) -> None:
    board = Scoreboard([PlannedJob(0), PlannedJob(1)], (), AUC, slots=1, clock=lambda: 7.0)
    notify = Notify(parse_addresses([hooks.url], "notify.to"), EVERY)
    with SweepAlerts(notify, tmp_path / "s" / "sweeps" / "s1", board, print, earlier_s=60.0) as alerts:
        alerts.began()
        outcome = Outcome(0, JobStatus.COMPLETED, 1.0)
        board.finished(outcome, 0.7)
        alerts.finished(outcome, 0.7)
    assert [post["duration_s"] for post in hooks.posts] == [60.0, 60.0]


def test_a_sweep_that_fails_without_a_failed_job_shows_them_all(session: Callable[..., Session]) -> None:
    sweep = session("failed")
    sweep.alerts.began()
    with pytest.raises(JobsFailedError), sweep.alerts:
        raise JobsFailedError("no job has a finite objective")
    assert "python -m sweeps show s1 --store " in sweep.hooks.posts[0]["text"]


def test_what_is_known_when_a_session_begins_is_no_news(session: Callable[..., Session]) -> None:
    sweep = session("best")
    sweep.board.finished(Outcome(0, JobStatus.COMPLETED, 1.0), 0.9)
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(1, 0.8)
        sweep.ended(2, 0.95, reused=True)
    assert sweep.titles == []


def test_a_sweep_without_jobs_to_run_ends_without_an_alert(session: Callable[..., Session]) -> None:
    sweep = session()
    with sweep.alerts:
        sweep.alerts.ranked(Leaderboard("s1", AUC, ("x",), (), ()))
    with pytest.raises(JobsFailedError), sweep.alerts:
        raise JobsFailedError("again")
    assert sweep.titles == []


def test_a_sweep_that_fails_says_why_and_what_failed_first(session: Callable[..., Session]) -> None:
    sweep = session()
    sweep.alerts.began()
    sweep.ended(1, None, error="ValueError: no luck", reason=Reason.ERROR)
    with pytest.raises(JobsFailedError), sweep.alerts:
        raise JobsFailedError("1 of 3 jobs failed (max_failures=0)")
    (post,) = sweep.hooks.posts
    assert post["event"] == "failed"
    assert "Error: 1 of 3 jobs failed (max_failures=0)\n" in post["text"]
    assert "First failure: job 1: ValueError: no luck\n" in post["text"]
    assert "python -m sweeps jobs s1 --failed --store " in post["text"]


@pytest.mark.parametrize(("number", "events"), [(signal.SIGTERM, ["failed"]), (signal.SIGINT, [])])
def test_a_signal_is_told_unless_it_is_ctrl_c(
    session: Callable[..., Session], number: signal.Signals, events: list[str]
) -> None:
    sweep = session()
    sweep.alerts.began()
    with pytest.raises(SweepInterruptedError), sweep.alerts:
        raise SweepInterruptedError(f"stopped by {number.name}", 128 + number)
    assert sweep.hooks.events == events


def test_ctrl_c_outside_of_the_jobs_is_not_told(session: Callable[..., Session]) -> None:
    sweep = session()
    sweep.alerts.began()
    with pytest.raises(KeyboardInterrupt), sweep.alerts:
        raise KeyboardInterrupt
    assert sweep.titles == []


def test_only_what_is_asked_for_is_sent(session: Callable[..., Session]) -> None:
    sweep = session("promoted")
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(0, 0.7)
        sweep.alerts.decided(Decision("m", False, None, None, ("no",)), None)
    assert sweep.titles == []


def test_an_address_that_fails_changes_nothing(session: Callable[..., Session]) -> None:
    sweep = session("finished")
    sweep.hooks.status = 500
    with sweep.alerts:
        sweep.alerts.began()
    assert sweep.said == [
        f"alert finished to {sweep.hooks.url}/ not sent: the server answered 500 Internal Server Error"
    ]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    tracker = ExperimentTracker(tmp_path / "store")
    for auc in (0.7, 0.8, 0.75):
        with tracker.start_run("e", capture_output=False) as run:
            run.log({"val_auc": auc})
            (run.artifacts_dir / "model.bin").write_bytes(b"weights")
    return ModelRegistry(tmp_path / "store")


def board(run: str, value: float) -> Leaderboard:
    from sweeps.jobs import JobState
    from sweeps.ranking.leaderboard import Row

    row = Row(1, 0, run, {"x": 1}, value, {}, 1, 1.0, JobState.COMPLETED, None)
    return Leaderboard("s1", AUC, ("x",), (), (row,), fingerprints=frozenset([None]))


def test_a_decision_is_sent_with_the_values_that_were_compared(
    session: Callable[..., Session], registry: ModelRegistry, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    (store / "sweeps" / "s1").mkdir(parents=True)
    gate = Promotion("ctr", ("model.bin",), None)
    sweep = session("promoted", "refused")
    with sweep.alerts:
        for run, value in (("run_001", 0.7), ("run_002", 0.8), ("run_003", 0.75)):
            ranked = board(run, value)
            sweep.alerts.ranked(ranked)
            before, decision = kept_decision(ranked, store), promote_winner(ranked, store, gate)
            sweep.alerts.decided(decision, before)
            sweep.alerts.decided(decision, kept_decision(ranked, store))  # as a session that decides again
    first, second, third = sweep.hooks.posts
    assert (first["event"], first["version"], "champion_value" in first) == ("promoted", 1, False)
    assert second["title"] == "New champion of ctr: v2, val_auc 0.8"
    assert "Champion before: v1, val_auc 0.7\nGain: +0.1\n" in second["text"]
    assert f"python -m tracking champion ctr --store {store}\n" in second["text"]
    assert third["title"] == "Not promoted to champion of ctr: val_auc 0.75"
    assert "Champion: v2, val_auc 0.8\nGain: -0.05\n" in third["text"]
    assert "does not beat the champion (version 2), 0.8" in third["text"]


@pytest.mark.parametrize("auc", [0.7, 0.6])
def test_no_best_value_follows_the_decision_about_it(
    session: Callable[..., Session], registry: ModelRegistry, tmp_path: Path, auc: float
) -> None:
    store = tmp_path / "store"
    (store / "sweeps" / "s1").mkdir(parents=True)
    sweep = session("best", "promoted", "refused", gap_s=600.0)
    with sweep.alerts:
        sweep.alerts.began()
        sweep.ended(1, auc - 0.2)
        sweep.ended(2, auc - 0.1)
        sweep.ended(0, auc)
        ranked = board("run_001", auc)
        sweep.alerts.ranked(ranked)
        gate = Promotion("ctr", ("model.bin",), None)
        sweep.alerts.decided(promote_winner(ranked, store, gate), None)
    assert sweep.hooks.events[0] == "best"
    assert sweep.hooks.events[1:] in (["promoted"], ["refused"])


def test_the_decision_of_an_earlier_session_is_known(registry: ModelRegistry, tmp_path: Path) -> None:
    store, gate = tmp_path / "store", Promotion("ctr", ("model.bin",), None)
    folder = store / "sweeps" / "s1"
    folder.mkdir(parents=True)
    ranked = board("run_001", 0.7)
    assert kept_decision(ranked, store) is None
    decision = promote_winner(ranked, store, gate)
    assert decision.promoted
    assert kept_decision(ranked, store) == decision
    assert promote_winner(ranked, store, gate) == decision  # so it is sent once
    write_json(folder / "promotion.json", {"promoted": True})
    assert kept_decision(ranked, store) is None
