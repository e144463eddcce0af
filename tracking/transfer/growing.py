"""Points that another program has written since its run was imported: appended to that run, each once.

What is new is what the run here lacks, so nothing but the run itself remembers how far it was read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tracking.errors import UnknownRunError
from tracking.files import atomic
from tracking.metrics.history import read_history
from tracking.metrics.journal import journal_of
from tracking.metrics.line import Line
from tracking.metrics.sources import History, moment_of
from tracking.process import identity
from tracking.process.signals import guard
from tracking.records import RunStatus
from tracking.store import amend, ending
from tracking.store.store import Store
from tracking.transfer.found_runs import Ready
from tracking.values.jsontext import Number, kept

Key = tuple[str, str, int]


class GrowingRun:
    """A run that is here, while its points are appended to; `held_by` says why it cannot be, if so.

    It is running here from the first new point to `end`, and then has the status that it had before.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id
        self._paths = store.paths.run(run_id)
        self._claim = ending.claimed(store, run_id)
        self._journal = journal_of(self._paths, self._claim)
        self._status = RunStatus.ENDED
        self._finished_at = ""
        self.is_open = False

    @property
    def held_by(self) -> str:
        """Why nobody else may append to the run now: a living process has it open. Empty if none has."""
        entry = self._store.require(self.run_id)
        opener = identity.opener(entry)
        is_held = (
            entry["status"] == RunStatus.RUNNING
            and not self.is_open
            and identity.life(opener, self._store.paths.processes) is identity.Life.ALIVE
        )
        return f"{amend.process_text(opener)} is importing it already" if is_held else ""

    def lacking(self, ready: Ready) -> History:
        """Return the points of a run elsewhere that the one here lacks."""
        return beyond(ready.history, read_history(self._paths))

    def add_params(self, params: Mapping[str, Any]) -> None:
        """Add parameters that the run does not have."""
        known = self._store.scan.params(self.run_id)
        new = {name: value for name, value in params.items() if name not in known}
        if new:
            with self._journal.held():
                atomic.write_json(self._paths.params, kept({**known, **new}))
            self._store.amend(self.run_id, lambda _: {})  # readers that cache look again

    def append(self, history: History, finished_at: str) -> None:
        """Append points, the last of which is of a time. Each log call survives the death of the process."""
        self._finished_at = finished_at
        if not self.is_open and history:
            status = self._store.require(self.run_id)["status"]
            self._status = RunStatus.ENDED if status == RunStatus.RUNNING else RunStatus(status)
            self.is_open = True
        for line in lines_of_history(history):
            self._journal.append(line.encode())

    def end(self) -> None:
        """End the run as it had ended before, at the time of its last point; do nothing for one that was deleted here."""
        if not self.is_open:
            return
        self.is_open = False
        allowed = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.KILLED, RunStatus.PRUNED)
        status = self._status if self._status in allowed else RunStatus.ENDED
        with guard.deferring():
            try:
                self._claim.read()
            except UnknownRunError:
                self._claim.end()
                return
            ending.finish(self._claim, self._journal, status, None)
            self._store.amend(self.run_id, lambda _: {"finished_at": self._finished_at})


def beyond(history: History, known: History) -> History:
    """Return the points of a history that another lacks; of equal points, as many as it has more of."""
    found: History = {}
    for name, points in history.items():
        left = Counter(map(_key, known.get(name, ())))
        for point in points:
            key = _key(point)
            if left[key] > 0:
                left[key] -= 1
            else:
                found.setdefault(name, []).append(point)
    return found


def _key(point: dict[str, object]) -> Key:
    # as text, in which NaN is equal to itself; as a moment, whatever zone the time is written in
    moment = moment_of(point["timestamp"])
    return repr(point["step"]), repr(point["value"]), round(moment.timestamp() * 1000)


def lines_of_history(history: History) -> Iterator[Line]:
    """Yield points as log calls: those of one step and time together, by time."""
    calls: dict[tuple[str, Number | None], list[dict[str, Number]]] = {}
    for name, points in history.items():
        for point in points:
            same = calls.setdefault((point["timestamp"], point["step"]), [{}])
            if name in same[-1]:
                same.append({})  # logged twice at one moment
            same[-1][name] = point["value"]
    ordered = sorted(calls.items(), key=lambda call: moment_of(call[0][0]))
    for (stamp, step), metrics in ordered:
        for each in metrics:
            yield Line(step, stamp, each)
