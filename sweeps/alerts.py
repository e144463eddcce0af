"""The alerts of a sweep: which of its events are sent, with which facts.

A sweep tells it what happens, as it tells its display. Nothing here can stop a sweep, change its exit code, or hold it up
for more than a few seconds at its end.
"""

import math
import shlex
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from sweeps.display.scoreboard import FAILED, Scoreboard
from sweeps.jobs import JobState, JobStatus, Outcome
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.ranking.promotion import Decision
from tracking import ModelRegistry, TrackingError
from tracking.notify import Alert, AlertEvent, Notify, Outbox, Paced
from tracking.objective import Objective
from tracking.process.program import command

CTRL_C = 130  # the exit code of a sweep that its user stopped, who needs no alert


class SweepAlerts:
    """Sends the alerts that `notify` asks for; used as a context around one session of the sweep in `folder`."""

    def __init__(
        self,
        notify: Notify,
        folder: Path,
        board: Scoreboard,
        say: Callable[[str], None],
        *,
        gap_s: float = 60.0,
        earlier_s: float = 0.0,
    ) -> None:
        """`earlier_s` is how long the sweep's earlier sessions took."""
        self._on = notify.on if notify.to else frozenset()
        self._folder = folder
        self._board = board
        self._outbox = Outbox(notify.to, say)
        self._best = Paced(self._send_best, gap_s)
        self._lock = threading.Lock()
        self._before: float | None = None  # the best value that was sent, or known when the session began
        self._value: float | None = None  # the best value now
        self._is_new = False  # a best value that no alert has told yet
        self._earlier_s = earlier_s
        self._is_running = False  # jobs were left to run
        self._ranked: Leaderboard | None = None

    def __enter__(self) -> "SweepAlerts":
        """Return itself."""
        return self

    def began(self) -> None:
        """Note that jobs are about to run; what earlier sessions found is no news."""
        self._is_running = True
        best = self._board.best
        self._before = self._value = best.objective if best else None

    def finished(self, outcome: Outcome, value: float | None) -> None:
        """Note the end of a job: its value may be the best so far."""
        if AlertEvent.BEST not in self._on:
            return
        counts = outcome.status in {JobStatus.COMPLETED, JobStatus.PRUNED}
        with self._lock:
            if counts and self._board.objective.better(value, self._value):
                self._value, self._is_new = value, not outcome.reused
                if outcome.reused:
                    self._before = value
            # What the last job found is told by the last message.
            is_to_send = self._is_new and len(self._board) > len(self._board.ended)
            self._is_new = self._is_new and not is_to_send
        if is_to_send:
            self._best.note()

    def ranked(self, board: Leaderboard) -> None:
        """Note the leaderboard: all jobs have ended in order."""
        self._ranked = board

    def decided(self, decision: Decision, before: Decision | None) -> None:
        """Send a decision of the gate, unless an earlier session had come to the same."""
        event = AlertEvent.PROMOTED if decision.promoted else AlertEvent.REFUSED
        if event in self._on and decision != before:
            facts = {**self._sweep(), **self._winner(), **self._verdict(decision)}
            self._send(
                event,
                model=decision.model_name,
                version=decision.version,
                why=list(decision.reasons),
                **facts,
            )
            if facts.get("value") is not None:
                self._drop_best()

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Send how the session ended, and wait a moment for what has not gone out."""
        is_by_hand = isinstance(error, KeyboardInterrupt) or getattr(error, "exit_code", 0) == CTRL_C
        event = AlertEvent.FINISHED if error is None else AlertEvent.FAILED
        has_best = self._drop_best()
        # The last message names the best value itself.
        if has_best and self._is_running and event not in self._on and not is_by_hand:
            self._send_best()
        if self._is_running and event in self._on and not is_by_hand and isinstance(error, Exception | None):
            facts = {**self._sweep(), **self._winner(), "first_failure": self._first_failure()}
            self._send(event, error=None if error is None else str(error) or type(error).__name__, **facts)
        if is_by_hand:
            self._outbox.close(0.0)
        else:
            self._outbox.close()

    def _send(self, event: AlertEvent, **facts: Any) -> None:
        closer = self._closer(event, facts.get("model"))
        self._outbox.send(Alert.of(event, **{"metric": self._objective.label, **facts, **closer}))

    def _drop_best(self) -> bool:
        """Forget the best value that waits to be sent; return whether there was one."""
        with self._lock:
            is_new, self._is_new = self._is_new, False
        return self._best.drop() or is_new

    def _send_best(self) -> None:
        best = self._board.best
        if best is None:
            return
        with self._lock:
            before, self._before = self._before, best.objective
        where = {"run": best.run, "job": best.number, "params": dict(best.point)}
        self._send(AlertEvent.BEST, **self._sweep(), value=best.objective, before=before, **where)

    @property
    def _objective(self) -> Objective:
        return self._ranked.objective if self._ranked else self._board.objective

    def _sweep(self) -> dict[str, Any]:
        """Return what is known of the sweep as a whole."""
        name = self._folder.name
        ended = Counter(line.state for line in self._board.ended)
        usage = self._ranked.usage if self._ranked else None
        wall_s = usage.wall_s if usage else self._earlier_s + self._board.elapsed_s
        return {
            "subject": f"sweep {name}",
            "sweep": name,
            "jobs": {str(state): ended[state] for state in JobState if ended[state]} or None,
            "total": len(self._board),
            "duration_s": float(wall_s),
        }

    def _winner(self) -> dict[str, Any]:
        """Return the best job: the first of the leaderboard, while there is none the best so far."""
        if self._ranked is None:
            best = self._board.best
            return {} if best is None else {"run": best.run, "job": best.number, "value": best.objective}
        winner = self._ranked.winner
        if winner is None:
            return {}
        candidate = next((each for each in self._ranked.candidates if winner.job in each.jobs), None)
        value = candidate.objective if candidate else winner.objective
        return {"run": winner.run, "job": winner.job, "params": dict(winner.point), "value": value}

    def _verdict(self, decision: Decision) -> dict[str, Any]:
        """Return the values that the gate compared, and of which metric they are."""
        if decision.version is None:
            return {}
        try:
            verdict = ModelRegistry(self._folder.parent.parent).verdict(decision.model_name, decision.version)
        except (TrackingError, OSError):
            return {}
        scored = _scored(verdict.facts.get("rules") or ()) if verdict else None
        if verdict is not None and scored is not None:
            number = (verdict.champion or {}).get("version")
            return {"champion_version": number, **scored}
        value = _value(verdict.challenger) if verdict else None
        if verdict is None or verdict.champion is None or value is None:
            return {}
        champion = _value(verdict.champion)
        gain = None if champion is None else self._objective.gain(value, champion)
        return {
            "value": value,
            "champion_version": verdict.champion.get("version"),
            "champion_value": champion,
            "margin": gain,
        }

    def _first_failure(self) -> str | None:
        failed = (line for line in self._board.ended if line.state in FAILED)
        first = next(failed, None)
        return None if first is None else f"job {first.number}: {first.error or first.state}"

    def _closer(self, event: AlertEvent, model: str | None) -> dict[str, str]:
        """Return where and how to look closer."""
        package, words = "sweeps", f"show {self._folder.name}"
        if event is AlertEvent.FAILED and self._board.failed:
            words = f"jobs {self._folder.name} --failed"
        elif event is AlertEvent.PROMOTED:
            package, words = "tracking", f"champion {shlex.quote(str(model))}"
        look = command(f"{words} --store {shlex.quote(str(self._folder.parent.parent))}", package)
        return {"host": socket.gethostname(), "look": look}


def _scored(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what the versions came to on the same rows; None where no rows decided."""
    for rule in rules:
        if rule.get("rule") == "superiority" and rule.get("rows") and rule.get("champion") is not None:
            return {
                "metric": rule["measure"],
                "value": rule["challenger"],
                "champion_value": rule["champion"],
                "margin": rule["gain"],
            }
    return None


def _value(facts: Mapping[str, Any]) -> float | None:
    value = (facts.get("objective") or {}).get("value")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
