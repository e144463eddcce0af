"""How a run ends: finished through a handle, left open by a process that ends, or stopped early by its sweep.

The request of a sweep is the file `stop` of the run's folder, as that of a user is; what it holds tells the two apart. So
it reaches a run in any process, and outlives that.
"""

import contextlib
import logging

from tracking.errors import TrackingError
from tracking.files import atomic, regular
from tracking.metrics.journal import Journal, journal_of
from tracking.paths import RunPaths
from tracking.process import identity, presence
from tracking.process.hooks import call_at_exit
from tracking.process.signals import Terminated, cause_of_exit
from tracking.records import RunStatus
from tracking.store.ownership import Claim, claim_of, leave, open_claims
from tracking.store.published import Entry
from tracking.store.store import Store
from tracking.values import timestamps

log = logging.getLogger("tracking")

PRUNED = b"pruned\n"  # the content of the request of a sweep; that of a user is empty

_left: set[Journal] = set()  # of runs that went on; kept for the end of the process, which puts them in order


def claimed(store: Store, run_id: str) -> Claim:
    """Return the claim of this process on a run, which is ended with the process at the latest."""
    call_at_exit(end_what_is_open)
    return claim_of(store, run_id)


def status_after(error: BaseException | None) -> RunStatus:
    """Return the status of a run whose block was left by an error.

    A generator that is closed before its end did not fail, and its run is `ended`.
    """
    if isinstance(error, GeneratorExit):
        return RunStatus.ENDED
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return RunStatus.COMPLETED
    return RunStatus.KILLED if isinstance(error, KeyboardInterrupt | Terminated) else RunStatus.FAILED


def ask(paths: RunPaths) -> None:
    """Ask a run, for its sweep, to stop early; a request that is there already stays as it is."""
    atomic.create_bytes(paths.stop, PRUNED)


def is_asked(paths: RunPaths) -> bool:
    """Return whether the run was asked to stop by its sweep."""
    try:
        with regular.open_file(paths.stop) as file:
            return file.read(len(PRUNED) + 1) == PRUNED
    except (OSError, TrackingError):
        return False


def prune(claim: Claim) -> None:
    """Note that a run of this process was told to stop; other processes that take part in it hear of it."""
    if not claim.is_pruned:
        claim.is_pruned = True
        with contextlib.suppress(TrackingError, OSError):  # a full disk: this process knows
            ask(claim.paths)


def settled(claim: Claim, status: RunStatus) -> RunStatus:
    """Return the status that a run ends with: `pruned` where it ends because its sweep said so, and not by a fault.

    That is so if the process has heard of the request, or was terminated; one that never asked has completed its work.
    """
    has_heard = claim.was_stopped and status in (RunStatus.COMPLETED, RunStatus.ENDED)
    if (has_heard or status is RunStatus.KILLED) and (claim.is_pruned or is_asked(claim.paths)):
        return RunStatus.PRUNED
    return status


def finish(claim: Claim, journal: Journal, status: str, error: str | BaseException | None) -> None:
    """Finish a run so that it survives a power loss, or only the part of a process that does not end it.

    The caller delays signals.
    """
    final = RunStatus.ENDED if status is RunStatus.ENDED else RunStatus.final(status)
    final = settled(claim, final)
    is_described = error is not None and final is not RunStatus.PRUNED
    text, line = _described(error) if error is not None and is_described else ("", None)
    with journal.held():
        if (
            final in (RunStatus.COMPLETED, RunStatus.PRUNED)
            and not claim.ends_it
            and claim.only_takes_part(claim.read())
        ):
            journal.finish()
        else:
            if text:
                claim.keep_text(claim.read(), text)
            _end(claim, journal, final, line, is_durable=True)
            claim.store.publisher.publish()
        claim.end()


def leave_part(claim: Claim, journal: Journal) -> None:
    """Leave a run that another process ends, or has ended meanwhile; then its files get their final form."""
    try:
        with journal.held():
            if claim.read()["status"] == RunStatus.RUNNING:
                journal.close()
                _left.add(journal)
            else:
                journal.finish()
    except (OSError, TrackingError) as error:  # the points are in the journal
        log.warning("the journal of %s stays as it is: %s", claim.paths.folder, error)
        journal.close()
    claim.end()


def note_failure(claim: Claim, error: BaseException) -> None:
    """Write down that this process failed in a run that another one, or another block, ends."""
    text, line = _described(error)
    claim.note_failure(line, text)


def end_what_is_open() -> None:
    """End the runs that this process has left open: by the error that it ends with, else as they had ended before.

    A run that had not ended before is `ended`, as no call said that it is completed.
    """
    error, is_clean = cause_of_exit(), True
    leave()
    stores: dict[int, Store] = {}
    for claim in open_claims():
        if not claim.paths.folder.is_dir():
            continue  # it was deleted
        try:
            _end_with_process(claim, error)
            stores[id(claim.store)] = claim.store
        except (OSError, TrackingError):  # nobody hears of it; the run is shown as killed
            is_clean = False
    for store in stores.values():
        store.publisher.catch_up()
    if is_clean:
        presence.leave(identity.owner()["token"])


def _end_with_process(claim: Claim, error: BaseException | None) -> None:
    journal = journal_of(claim.paths, claim)
    with journal.held():
        entry = claim.read()
        is_over = entry["status"] != RunStatus.RUNNING
        if not is_over and claim.ends_it and not claim.only_takes_part(entry):
            before = claim.before or {}
            status, line = RunStatus(before.get("status", RunStatus.ENDED)), before.get("error")
            status = settled(claim, status if error is None else status_after(error))
            if error is not None and status is not RunStatus.PRUNED:
                text, line = _described(error)
                claim.keep_text(entry, text)
            _end(claim, journal, status, line)
        elif error is not None and status_after(error) is RunStatus.FAILED and not claim.ends_it:
            note_failure(claim, error)
        claim.end()


def _end(
    claim: Claim, journal: Journal, status: RunStatus, error: str | None, *, is_durable: bool = False
) -> None:
    def complete() -> None:
        journal.finish()
        if is_durable:
            atomic.sync(claim.paths.params)

    def changes(entry: Entry) -> Entry:
        final, line = claim.outcome(entry, status, error)
        return {"status": final, "finished_at": timestamps.now(), "error": line}

    # the status comes last: a finished run has all its other files on disk
    claim.store.amend(claim.run_id, changes, durable=is_durable, before=complete)
    if is_durable:
        atomic.sync_dir(claim.paths.folder.parent)


def _described(error: str | BaseException) -> tuple[str, str]:
    from tracking.process import traceback_text  # most runs do not fail

    return traceback_text.describe(error)
