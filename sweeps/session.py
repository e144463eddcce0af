"""One session of a sweep: its jobs run, every event goes into the ledger, and the completed jobs are ranked.

`sweeps.sweeper` plans it.
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sweeps.alerts import SweepAlerts
from sweeps.dashboard.report.writer import ReportWriter
from sweeps.display.progress import Progress
from sweeps.display.scoreboard import Scoreboard
from sweeps.driving.driver import Driver, Guide
from sweeps.driving.objective_values import ObjectiveValues
from sweeps.errors import SweepError
from sweeps.executor.contract import Executor
from sweeps.jobs import Event, EventKind, Job, JobStatus, Outcome, PlannedJob, Reason
from sweeps.paths import shown
from sweeps.plan.plan import Plan
from sweeps.plan.planner import Planner
from sweeps.ranking.aggregate import aggregate, read_value
from sweeps.ranking.exit_errors import (
    empty_columns,
    reporting,
    require_few_failures,
    require_ranked,
    require_uninterrupted,
    telling_how_to_resume,
)
from sweeps.ranking.leaderboard import Leaderboard, code_note
from sweeps.ranking.promotion import is_decided, kept_decision, promote_winner
from sweeps.ranking.winner import Show, showing
from sweeps.search.decisions import Arrival, NewJob
from sweeps.settings.sweeper_settings import SweeperSettings
from sweeps.state.code import changed_in
from sweeps.state.durations import Durations
from sweeps.state.job_runs import JobRuns, unlogged
from sweeps.state.ledger import Ledger, replay
from sweeps.state.resume import NOTHING, Resumed
from sweeps.state.reuse import Reusable
from sweeps.stop_signals import Interruptions
from tracking import TrackingError
from tracking.values.units import counted


class Session:
    """One session of a sweep: run the jobs that are left, record every event in the ledger, rank at the end.

    The executor calls `_hear` from its own threads and asks for jobs there; everything else runs in the thread of the
    sweep. With a `guide`, a search decides which jobs there are and how far they go (`sweeps.driving.driver.Driven`).
    """

    def __init__(
        self,
        settings: SweeperSettings,
        plan: Plan,
        planner: Planner,
        *,
        executor: Executor,
        progress: Progress,
        board: Scoreboard,
        earlier: Resumed,
        slots: int,
        guide: Guide | None = None,
    ) -> None:
        self._settings = settings
        self._dir = sweep_dir = settings.store.absolute() / "sweeps" / plan.sweep
        self._planner = planner
        self._earlier = earlier
        jobs = [job for job in planner.planned() if job.number in planner.points]
        order = Durations.of_store(settings.store).longest_first(jobs)
        self._order = [number for number in order if number not in earlier.kept]
        self._executor = executor
        self._runs = JobRuns(settings.store, plan.sweep)
        self._reusable = Reusable({}, None)
        if settings.reuse:
            self._reusable = Reusable.of_store(self._runs.tracker, plan, jobs, settings.objective)
            progress.say(self._reusable.covers(jobs))
        self._ledger = Ledger(sweep_dir / "jobs.jsonl")
        self._progress = progress
        self._board = board
        self.alerts = SweepAlerts(settings.notify, sweep_dir, board, progress.say, earlier_s=earlier.wall_s)
        self._driver = None if guide is None else self._driven(guide, slots)
        self._report = ReportWriter(sweep_dir, is_off=not settings.report_html)
        self._slots = slots if self._driver is not None else max(1, min(slots, len(self._order)))
        self._past = {number: (known.attempts, known.runs) for number, known in earlier.again.items()}
        self._lock = threading.Lock()
        self._interruptions = Interruptions(executor.stop, progress.say)
        self._failed = 0
        self._stopped_for_failures = False
        self._other_code = False
        self._fault: TrackingError | None = None
        self._lost_search: Exception | None = None
        self._told_unlogged = False

    def _driven(self, guide: Guide, slots: int) -> Driver:
        values = ObjectiveValues(self._runs, self._settings.objectives, self._settings.constraints)
        pending = sorted(self._order)
        return Driver(guide, self, self._planner, self._ledger, values, pending=pending, slots=slots)

    @property
    def has_jobs(self) -> bool:
        """Return whether a job is left to run."""
        return bool(self._order) if self._driver is None else self._driver.has_jobs

    def tell_notes(self) -> None:
        """Say what the check of configs has noted; jobs that warn of the same say nothing new."""
        for note in self._planner.new_notes():
            self._board.warned.know([note])
            self._progress.say(note)

    def take_note(self) -> None:
        """Record what earlier sessions left: outcomes on the board, missing ends in the ledger and in the runs."""
        with self.recording():
            unrecorded = [job for job in self._planner.planned() if job.number not in self._earlier.jobs]
            if unrecorded:
                self._ledger.ask(unrecorded)
            if self.has_jobs or self._earlier.found:
                again = sorted(self._earlier.again.keys() & set(self._order))
                told = {"again": again, "lived_until": self._earlier.lived_until}
                known = {name: value for name, value in told.items() if value}
                self._ledger.mark(EventKind.BEGAN, slots=self._slots, **known)
        for outcome in self._earlier.found:
            self._record(outcome)
        for number, past in self._earlier.again.items():
            self._runs.close(number, past.runs, JobStatus.KILLED, "the sweep ended before it did")
        for outcome in self._earlier.kept.values():
            self._board.finished(outcome, self._value(outcome))
            self._remember(outcome)

    def conclude(self) -> Leaderboard:
        """End a sweep without jobs left to run as it would have ended after them."""
        if self._driver is not None and not replay(self._ledger.path).is_over:
            with self.recording():  # the session before died before it could
                if not self._earlier.found:
                    self._ledger.mark(EventKind.BEGAN, slots=self._slots)
                self._ledger.mark(EventKind.ENDED, over=True, why=self._driver.ending)
        why = (
            "all of its jobs have ended"
            if self._driver is None
            else f"its search is over: {self._driver.ending}"
        )
        self._progress.say(f"Sweep {self._dir.name}: nothing to do, {why}")
        board = aggregate(self._dir)
        self._progress.ranked(board)
        with self._report:
            return self._end(board, None)

    def run(self) -> Leaderboard:
        """Run the jobs, rank them and promote the winner; raise as `sweeps.sweeper.run` does."""
        with showing(self._settings.winner) as show, self._report:
            with self._interruptions.heard():
                with telling_how_to_resume(self._dir):
                    self._run_jobs()
                self._runs.tracker.publish()
                board = aggregate(self._dir)
                self._tell_why_over()
                self._progress.ranked(board)
            require_uninterrupted(board, self._interruptions.last, self._dir)
            return self._end(board, show)

    def _end(self, board: Leaderboard, show: Show | None) -> Leaderboard:
        """End the sweep, and write its report whatever its end is."""
        fault = None
        try:
            self._decide(board, show)
            require_few_failures(board, self._settings, self._dir)
        except SweepError as error:
            fault = error
        if show is not None or not self._report.is_current:
            with reporting(self._dir):
                line = self._report.write(len(board.rows))
            if line is not None:
                self._progress.say(line)
        if fault is not None:
            raise fault
        return board

    def _decide(self, board: Leaderboard, show: Show | None) -> None:
        """Promote the winner if it is worth it; the app is shown the winner of a sweep that has run jobs."""
        promotion, store = self._settings.promotion, self._settings.store.absolute()
        self.alerts.ranked(board)
        for note in (empty_columns(board), require_ranked(board, promotes=promotion is not None)):
            if note is not None:
                self._progress.say(note)
        run = board.winner.run if show is not None and board.winner is not None else None
        if show is not None and run is not None and (fault := show(self._runs.folder(run))):
            self._progress.say(fault)
        if promotion is not None and (show is not None or not is_decided(board, store, promotion)):
            before, decision = (
                kept_decision(board, store),
                promote_winner(board, store, promotion, self._progress.say),
            )
            self._progress.decided(decision)
            if look := decision.look(self._settings.store):
                self._progress.say(f"All of it: {look}")
            self.alerts.decided(decision, before)

    def _run_jobs(self) -> None:
        try:
            self._progress.began(shown(self._dir))
            self.alerts.began()
            if self._earlier is not NOTHING:
                done = f"{len(self._earlier.kept)} of {counted(len(self._board), 'job')}"
                left = f"{len(self._order)} to run" if self._driver is None else "the search goes on"
                self._progress.say(f"resumed: {done} had ended, {left}")
            with self._progress.drawing():
                for outcome in self._outcomes():
                    self._finish(outcome)
            with self.recording():
                self._ledger.mark(EventKind.ENDED, **self._how_far())
            if self._fault is not None:
                raise SweepError(
                    f"stopped, because the sweep's records cannot be kept: {self._fault}"
                ) from self._fault
            if self._lost_search is not None:
                fault = self._lost_search
                what = " ".join(f"{type(fault).__name__}: {fault}".split())
                raise SweepError(f"stopped, because the search cannot suggest a point: {what}") from fault
        except BaseException:
            self._executor.stop()
            with contextlib.suppress(
                TrackingError, OSError
            ):  # the error that ended the sweep is the one to report
                aggregate(self._dir)
            raise
        finally:
            if self._driver is not None:
                self._driver.close()

    def _how_far(self) -> dict[str, Any]:
        """Return what the ledger keeps of a search when a session ends: whether it is over, and why."""
        if self._driver is None:
            return {}
        return {"over": True, "why": self._driver.ending} if not self._driver.has_jobs else {"over": False}

    def _tell_why_over(self) -> None:
        """Say why a search was over before it had as many jobs as it might have, and which of its settings came to nothing."""
        search, jobs = self._settings.search, len(self._planner)
        if search is None or self._driver is None:
            return
        is_over = not self._driver.has_jobs
        if is_over and jobs != search.n_trials:
            self._progress.say(f"the search is over after {counted(jobs, 'job')}: {self._driver.ending}")
        for note in (self._driver.unused if is_over else None, self._driver.misfit):
            if note is not None:
                self._progress.say(note)

    def _outcomes(self) -> Iterator[Outcome]:
        if self._driver is None:
            jobs = map(self.built, self._order)
            return self._executor.run((job for job in jobs if job is not None), self._hear)
        return self._executor.run(
            self._driver, self._hear, self._driver.judge if self._driver.judges else None
        )

    def built(self, number: int, until: int | None = None) -> Job | None:
        """Return a job when the executor asks for it; None for one that has an outcome, as when its config cannot work."""
        try:
            job = self._planner.job(number)
            self.tell_notes()
        except Exception as error:  # noqa: BLE001 - a check or a resolver of the user's may raise anything
            text = " ".join(str(error).split())
            self._finish(Outcome(number, JobStatus.FAILED, 0.0, error=text, reason=Reason.REFUSED))
            return None
        known = self._reusable.outcome(job)
        if known is not None:
            self._finish(known)
            return None
        attempts, runs = self._past.get(number, (0, ()))
        folders = tuple(map(self._runs.folder, runs))
        if self._driver is not None:
            self._driver.follow(number, folders)
        return replace(job, attempt=attempts + 1, previous=tuple(map(str, folders)), until=until)

    def is_stopped(self) -> bool:
        """Return whether no further job may begin."""
        return bool(
            self._interruptions.last or self._stopped_for_failures or self._fault or self._lost_search
        )

    def cannot_decide(self, error: Exception) -> None:
        """Stop in order: the search has failed."""
        if self._lost_search is None:
            self._lost_search = error
            self._executor.stop()

    def begins(self, job: PlannedJob, decision: NewJob) -> None:
        """Put a job that the search has decided on on the board."""
        self._board.add([job])
        asked = {"point": job.point, "until": decision.until, "repeats": decision.repeats}
        self._progress.heard(Event(EventKind.ASKED, job.number, asked))

    def judged(self, arrival: Arrival, go_on: Mapping[int, int | None]) -> None:
        """Show how a job was judged."""
        goes_on, until = arrival.job in go_on, go_on.get(arrival.job)
        verdict = {"level": arrival.level, "values": arrival.values, "goes_on": goes_on, "until": until}
        self._progress.heard(Event(EventKind.RUNG, arrival.job, verdict))

    def goes_on(self, number: int, until: int | None, *, was_lost: bool) -> None:
        """Take a job that was paused or lost back on the board."""
        self._progress.heard(Event(EventKind.RESUMED, number, {"until": until, "was_lost": was_lost}))

    def _hear(self, event: Event) -> None:
        if event.kind is EventKind.WARNING:
            self._progress.heard(event)
            return
        event = self._runs.named(event)
        if event.kind is EventKind.RETRY:
            told = event.data
            if told.get("cut_off"):
                again = "the job runs again" if "lost_node" in told else "the job runs again alone"
                self._runs.cut_off(event.job, told["runs"], told["attempt"], f"{told['error']}; {again}")
            self._runs.close(event.job, told["runs"], told["status"], told["error"])
        if event.kind is not EventKind.ENDING:
            with self.recording():
                self._ledger.note(event)
        self._progress.heard(event)
        if event.kind is EventKind.STARTED:
            self._prepare_report()

    def _finish(self, outcome: Outcome) -> None:
        outcome = replace(outcome, runs=tuple(map(self._runs.name, outcome.runs)))
        self._runs.close(outcome.job, outcome.runs, outcome.status, outcome.error)
        self._runs.supersede(outcome, self._settings.objective.metric)
        outcome = replace(outcome, code=changed_in(self._dir, outcome.job) or None)
        if outcome.code and not self._other_code:  # the leaderboard names them all
            self._other_code = True
            self._progress.say(f"job {outcome.job} {code_note(outcome.code)}")
        value = self._value(outcome)
        self._record(outcome, lambda: self._show(outcome, value))
        self.alerts.finished(outcome, value)
        self._tell_unlogged(outcome)
        with self._lock:
            self._failed += outcome.status not in {JobStatus.COMPLETED, JobStatus.PRUNED}
            too_many = not self._settings.tolerates(self._failed, len(self._planner))
        if self._settings.fail_fast and too_many and outcome.reason is not Reason.STOPPED:
            self._stop_for_failures()

    def _prepare_report(self) -> None:
        """Let the process of the report load what it needs while the last jobs run."""
        search = self._settings.search if self._driver is not None else None
        begun = len(self._planner)
        if not self._board.queued and (search is None or (search.n_trials or math.inf) <= begun):
            self._report.start(begun)

    def _tell_unlogged(self, outcome: Outcome) -> None:
        """Say of the first job of a search that lacks an objective what it logged: its search may never learn or judge."""
        if self._driver is None or self._told_unlogged or outcome.status is not JobStatus.COMPLETED:
            return
        objectives = self._settings.objectives
        found = unlogged(objectives, outcome, self._runs.of_outcome(outcome, objectives[0].metric))
        if found is None:
            return
        self._told_unlogged = True
        missing, logged = (", ".join(names) or "nothing" for names in found)
        verdict = "not judged before it ends and not ranked" if self._driver.judges else "not ranked"
        self._progress.say(f"job {outcome.job} logged {logged}, not {missing}: a job without it is {verdict}")

    def _value(self, outcome: Outcome) -> float | None:
        judged = None if self._driver is None else self._driver.value_at_judgement(outcome)
        return judged[0] if judged else read_value(self._runs, self._settings.objective, outcome)

    def _record(self, outcome: Outcome, tell: Callable[[], object] = lambda: None) -> None:
        """Record the end of a job and call `tell`, before a search lets the job go on."""
        if self._driver is not None:
            self._driver.ended(outcome, tell)
            return
        with self.recording():
            self._ledger.finish(outcome)
        tell()

    def _show(self, outcome: Outcome, value: float | None) -> None:
        self._progress.finished(outcome, value)
        self._remember(outcome)

    def _remember(self, outcome: Outcome) -> None:
        """Keep what a job that may go on needs to know of its earlier attempts."""
        if self._driver is not None and outcome.status is not JobStatus.COMPLETED:
            self._past[outcome.job] = (outcome.attempt, outcome.runs)

    def _stop_for_failures(self) -> None:
        if not self._stopped_for_failures and not self._interruptions.last:
            self._stopped_for_failures = True
            self._progress.say(f"stopping: {counted(self._failed, 'job')} failed (fail_fast=true)")
            self._executor.stop()

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Stop the sweep in order if its ledger cannot be written: an error must not end a thread of the executor."""
        try:
            yield
        except TrackingError as error:
            if self._fault is None:
                self._fault = error
                self._executor.stop()
