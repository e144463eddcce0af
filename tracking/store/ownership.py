"""What this process is to a run: the one that ends it, or one that only takes part.

run.json names the run's owner, who writes metrics.jsonl, and where it is another the process that opened the run last
(`continued_by`). That process, the opener, ends the run. Whoever writes beside a living opener takes part: leaving ends
nothing, and a failure is noted for the opener. A run that has ended, or whose opener is gone, is opened anew by the next
process that logs into it. docs/decisions/0012-who-ends-a-run.md says why.
"""

import os
import weakref
from typing import Any

from tracking.files import atomic, locks, regular
from tracking.process import identity
from tracking.process.hooks import renew_in_children
from tracking.process.identity import Life
from tracking.records import RunStatus
from tracking.store.edit_log import record_edit
from tracking.store.published import Entry
from tracking.store.store import Store

BAD = (RunStatus.FAILED, RunStatus.KILLED)

_claims: "weakref.WeakValueDictionary[str, Claim]" = weakref.WeakValueDictionary()
_open: "dict[int, Claim]" = {}  # those of runs that are to be ended with the process, which need no handle
_is_leaving = False  # the process has ended its runs: what a daemon thread still logs opens none again


class Claim:
    """The claim of this process on one run; one for all its handles (`claim_of`), and none in a forked child.

    `is_open` while this process has the run open, `ends_it` if it is the one that ends it. `ended` counts how often this
    process ended the run. `before` is how the run had ended when this process opened it again. `is_guest` where the run
    is that of the process around this one, which never becomes its opener. `was_stopped` once the run has heard in this
    process that it is to stop, `is_pruned` if it was told so by its sweep.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self.store = store
        self.run_id = run_id
        self.paths = store.paths.run(run_id)
        self.is_guest = False
        self._may_be_remembered = False
        self._reset()
        renew_in_children(self._reset)  # the parent's runs are not the child's to end

    def _reset(self) -> None:
        _open.pop(id(self), None)
        self.is_open = self.ends_it = False
        self.was_stopped = self.is_pruned = False
        self.before: Entry | None = None
        self.ended = self._blocks = 0

    @property
    def takes_part(self) -> bool:
        """Whether this process has the run open, and another one ends it."""
        return self.is_open and not self.ends_it

    def read(self) -> Entry:
        """Return the content of run.json."""
        return self.store.require(self.run_id)

    def begin(self) -> None:
        """Note that this process has just made the run, or opened again one that was pruned."""
        self.was_stopped = self.is_pruned = False
        self._hold(ends_it=True)

    def enter(self) -> None:
        """Count one more block or handle that keeps the run open; a run that has not ended is opened at once."""
        self._blocks += 1
        if not self.is_open and self.read()["status"] == RunStatus.RUNNING:
            self.take()

    def leave(self) -> bool:
        """Count one less; return whether that was the last."""
        self._blocks = max(0, self._blocks - 1)
        return not self._blocks

    def take(self, *, reopens: bool = True) -> bool:
        """Open the run unless a living process has; return whether this process is the owner, who writes metrics.jsonl.

        Without `reopens` a run that has ended stays so.
        """
        identity.announce(self.paths.processes)
        with locks.lock_folder(self.paths.folder):
            entry = self.read()
            is_running = entry["status"] == RunStatus.RUNNING
            is_owner = identity.is_own(entry)
            reopens = reopens and not _is_leaving
            self._may_be_remembered = not (is_owner and is_running)
            may_adopt = not (is_owner or self.is_guest or self.takes_part)
            adopts = may_adopt and self._is_free(entry)
            me = {**identity.owner(), "rank": identity.rank()}
            changes = me.copy() if adopts else {}
            is_owner = is_owner or adopts
            # who has the run open stays what it is, also where another process has ended it meanwhile
            if not self.is_open and (is_running or reopens):
                ends_it = self._ends(entry) if is_running else not self.is_guest
                if ends_it and not (is_running and identity.is_own(identity.opener(entry))):
                    changes |= {"status": RunStatus.RUNNING, "finished_at": None, "error": None}
                    changes |= {"continued_by": None if is_owner else me}
                self.before = None if is_running else entry
                self._hold(ends_it=ends_it)
            if changes or not regular.exists(self.paths.run):
                self.store.change(self.run_id, **changes)
            return is_owner

    def tell(self) -> None:
        """After a write, make readers that cached the run read it again."""
        if self._may_be_remembered:
            record_edit(self.store.paths, self.run_id)

    def only_takes_part(self, entry: Entry) -> bool:
        """Return whether another process ends the run of this run.json, or has ended it for this one too."""
        if entry["status"] == RunStatus.RUNNING:
            return not self._ends(entry)
        return self.takes_part

    def note_failure(self, line: str, text: str) -> None:
        """Write down that this process failed, so that the run cannot end as completed."""
        with locks.lock_folder(self.paths.folder):
            entry = self.read()
            self.keep_text(entry, text)
            if entry["status"] == RunStatus.RUNNING:
                self.store.change(self.run_id, error=entry.get("error") or line)
            elif entry["status"] not in BAD:
                self.store.change(self.run_id, status=RunStatus.FAILED, error=line)

    def outcome(self, entry: Entry, status: RunStatus, error: str | None) -> tuple[RunStatus, str | None]:
        """Return the status and the error that the run ends with: a failure of another process outweighs `completed`.

        What this process itself has said before does not.
        """
        noted = entry.get("error")
        if entry["status"] == RunStatus.RUNNING and noted:
            # an interrupt often follows from the failure
            return (status, error) if status is RunStatus.FAILED else (RunStatus.FAILED, noted)
        if self.is_open and entry["status"] in BAD and status not in BAD:
            return RunStatus(entry["status"]), noted
        return status, error

    def keep_text(self, entry: Entry, text: str) -> None:
        """Write error.txt, after what another process has noted there since the run was opened."""
        path = self.paths.error
        earlier = entry["status"] == RunStatus.RUNNING and entry.get("error") and path.is_file()
        before = f"{path.read_text(errors='replace').rstrip()}\n\n" if earlier else ""
        atomic.write_bytes(path, f"{before}{text}".encode(), durable=False)
        atomic.sync(path)

    def end(self) -> None:
        """Note that this process has ended the run, or its part in it."""
        self.is_open = self.ends_it = self.was_stopped = False
        self.before = None
        self.ended += 1
        self._blocks = 0
        _open.pop(id(self), None)

    def _hold(self, *, ends_it: bool) -> None:
        self.is_open, self.ends_it = True, ends_it
        _open[id(self)] = self

    def _is_free(self, process: Any) -> bool:
        """Return whether nobody is named, as in a run of other code, or the process is gone."""
        return process.get("pid") is None or identity.is_gone(process, self.paths.processes)

    def _ends(self, entry: Entry) -> bool:
        """Return whether this process ends a running run: it opened it, or the opener is gone or out of sight.

        Out of sight is another machine. A job that was requeued goes on for it, and a further rank takes part.
        """
        opener = identity.opener(entry)
        if identity.is_own(opener):
            return True
        if self.is_guest:
            return False
        if self._is_free(opener):
            return True
        if identity.life(opener, self.paths.processes) is Life.ALIVE:
            return False
        return identity.rank() in (None, "0", opener.get("rank"))


def claim_of(store: Store, run_id: str) -> Claim:
    """Return the one claim that this process has on a run, whatever the number of trackers and handles."""
    folder = os.path.realpath(store.paths.run(run_id).folder)
    # of two threads that ask at once, both get what the first one put in
    return _claims.get(folder) or _claims.setdefault(folder, Claim(store, run_id))


def open_claims() -> list[Claim]:
    """Return the claims of this process on runs that it has open."""
    return list(_open.values())


def leave() -> None:
    """Note that this process ends: it opens no run again that has ended."""
    global _is_leaving
    _is_leaving = True
    renew_in_children(_stay)


def _stay() -> None:
    global _is_leaving
    _is_leaving = False
