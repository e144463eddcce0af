"""What the doctor found: a fault, where, what is done about it, and whether it was done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tracking.errors import CorruptFileError, TrackingError
from tracking.store.store import Store


class Fault(StrEnum):
    """What can be wrong with a store."""

    DEAD_RUN = "dead run"  # running, and its process is gone
    SILENT_RUN = "silent run"  # running on another host, and nothing was heard of it for long
    NO_RUN = "no run"  # a folder that was claimed and never became a run
    TORN_LINE = "torn line"
    UNFINISHED = "unfinished journal"  # of a run that is over
    OLD_VIEW = "old view"  # metadata.json, metrics.json, summary.json, aliases.json
    DAMAGED = "damaged file"
    LOST = "lost file"  # and another one tells that it held something
    LEFTOVER = "leftover"  # a temporary file of a killed process
    HALF_VERSION = "half version"  # of a model: files without a manifest
    NO_EVENT = "no event"  # a version whose registration is not in the history
    CHANGED_MODEL = "changed model"  # a file is not the one that was registered
    OLD_INDEX = "old index"


class Outcome(StrEnum):
    """What became of a finding."""

    REPAIRED = "repaired"
    REPAIRABLE = "repairable"  # found by a dry run
    OPEN = "open"  # a person has to decide


@dataclass(frozen=True)
class Finding:
    """One thing that is or was wrong; `place` is below the store, `remedy` what was done or is to be done."""

    fault: Fault
    place: str
    what: str
    remedy: str
    outcome: Outcome


@dataclass
class Examination:
    """The state of a look through a store: what was looked at, and what was found."""

    store: Store
    repairs: bool = True
    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    versions: int = 0

    @property
    def is_well(self) -> bool:
        """Whether nothing is left wrong."""
        return all(finding.outcome is Outcome.REPAIRED for finding in self.findings)

    def repair(self, fault: Fault, path: Path, what: str, remedy: str, act: Callable[[], object]) -> None:
        """Note what can be repaired, and repair it unless this is a dry run; one that fails stays open."""
        if not self.repairs:
            self._note(fault, path, what, remedy, Outcome.REPAIRABLE)
            return
        try:
            act()
        except (TrackingError, OSError) as error:
            self._note(fault, path, what, f"{remedy}: failed, {error}", Outcome.OPEN)
        else:
            self._note(fault, path, what, remedy, Outcome.REPAIRED)

    def leave(self, fault: Fault, path: Path, what: str, advice: str) -> None:
        """Note what a person has to decide."""
        self._note(fault, path, what, advice, Outcome.OPEN)

    @contextmanager
    def naming_damage(self, path: Path) -> Iterator[None]:
        """Note a file that turns out to be damaged, which is never changed; `path` is where it was met."""
        try:
            yield
        except CorruptFileError as error:
            what, _, advice = str(error).partition("; ")
            what = what.removeprefix(f"{path} ")
            self.leave(Fault.DAMAGED, path, what, advice or "repair the file")

    def _note(self, fault: Fault, path: Path, what: str, remedy: str, outcome: Outcome) -> None:
        base = self.store.paths.base
        place = str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
        self.findings.append(Finding(fault, place, what, remedy, outcome))
