"""The runs of a sweep's jobs with a memory: a page asks for the same sweep again and again, and what has ended stays as it is."""

from dataclasses import replace
from pathlib import Path

from sweeps.state.job_runs import FoundRun, JobRuns

MOST = 20_000  # runs that are remembered; some kilobytes each

Stamp = tuple[int, int, int]


class KnownRuns(JobRuns):
    """Remembers the runs that have finished, without their parameters, until their files change."""

    def read(self, name: str) -> FoundRun:
        """Return a run with its record, whatever job it is of, or the reason why it cannot be read."""
        stamp = _stamp(self.folder(name) / "run.json")
        known = _MEMORY.get((self._store, name))
        if stamp is not None and known is not None and known[0] == stamp:
            return known[1]
        found = super().read(name)
        if stamp is not None and found.record is not None and found.record.finished_at is not None:
            found = found._replace(record=replace(found.record, params={}))
            if len(_MEMORY) >= MOST:
                _MEMORY.clear()
            _MEMORY[self._store, name] = (stamp, found)
        return found


_MEMORY: dict[tuple[Path, str], tuple[Stamp, FoundRun]] = {}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
