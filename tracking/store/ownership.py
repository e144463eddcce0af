"""The owner of a run: the process that run.json names. Other processes may write beside a living owner.

The first process that writes to a run of other code, or to one whose owner is gone, becomes its owner. That happens
under the lock of the run's folder, so a run has one owner at any time.
"""

from tracking.files import locks
from tracking.process import identity
from tracking.records import RunStatus
from tracking.store.edit_log import record_edit
from tracking.store.store import Store


class Claim:
    """The claim of this process on one run; created per handle, decided at the first write."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._may_be_remembered = False

    def take(self) -> bool:
        """Become the owner unless a living process is; return whether this process owns the run."""
        paths = self._store.paths.run(self._run_id)
        with locks.lock_folder(paths.folder):
            entry = self._store.require(self._run_id)
            is_running = entry.get("status") == RunStatus.RUNNING
            is_owner = identity.is_own(entry)
            self._may_be_remembered = not (is_owner and is_running)
            if not is_owner and (entry.get("pid") is None or identity.is_gone(entry)):
                self._store.change(self._run_id, **identity.owner())
                return True
            if not paths.run.exists():
                self._store.change(self._run_id)
            return is_owner

    def tell(self) -> None:
        """After a write, make readers that cached the run read it again."""
        if self._may_be_remembered:
            record_edit(self._store.paths, self._run_id)
