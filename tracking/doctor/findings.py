"""Findings of the doctor, and the checks that apply to any file: a fault, its place, its repair and the outcome."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tracking.errors import CorruptFileError, StoreUnwritableError, TrackingError, UnreadableFileError
from tracking.files import append, regular
from tracking.store.store import Store
from tracking.values import jsontext


class Fault(StrEnum):
    """What can be wrong with a store."""

    DEAD_RUN = "dead run"  # running, but its process is gone
    SILENT_RUN = "silent run"  # running on another host, and wrote nothing for long
    NO_RUN = "no run"  # a folder that was claimed and never became a run
    TORN_LINE = "torn line"
    UNFINISHED = "unfinished journal"  # of a run that has ended
    OLD_VIEW = "old view"  # metadata.json, metrics.json, summary.json, aliases.json
    DAMAGED = "damaged file"
    CONFLICT = "conflict copy"  # a sync program kept two versions of a file
    LOST = "lost file"  # missing, and another file says what it held
    LEFTOVER = "leftover"  # a temporary file of a killed process
    HALF_VERSION = "half version"  # of a model: files without a manifest
    NO_EVENT = "no event"  # a version whose registration is not in the history
    CHANGED_MODEL = "changed model"  # a file is not the one that was registered
    OLD_INDEX = "old index"


class Outcome(StrEnum):
    """What was done about a finding."""

    REPAIRED = "repaired"
    REPAIRABLE = "repairable"  # found by a dry run
    OPEN = "open"  # a person has to decide


@dataclass(frozen=True)
class Finding:
    """One thing that is or was wrong; `place` is a path below the store, `remedy` what was done or has to be done."""

    fault: Fault
    place: str
    what: str
    remedy: str
    outcome: Outcome


@dataclass
class Examination:
    """What was examined in a store, and what was found."""

    store: Store
    repairs: bool = True
    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    versions: int = 0

    @property
    def is_well(self) -> bool:
        """Whether no fault remains."""
        return all(finding.outcome is Outcome.REPAIRED for finding in self.findings)

    def repair(self, fault: Fault, path: Path, what: str, remedy: str, act: Callable[[], object]) -> None:
        """Record a fault and repair it, unless this is a dry run; a repair that fails leaves it open.

        Text that `act` returns is recorded as what came of it.
        """
        if not self.repairs:
            self._note(fault, path, what, remedy, Outcome.REPAIRABLE)
            return
        try:
            result = act()
        except (TrackingError, OSError) as error:
            self._note(fault, path, what, f"{remedy}: failed, {error}", Outcome.OPEN)
        else:
            done = f"{remedy}: {result}" if isinstance(result, str) else remedy
            self._note(fault, path, what, done, Outcome.REPAIRED)

    def leave(self, fault: Fault, path: Path, what: str, advice: str) -> None:
        """Record a fault that a person has to decide about."""
        self._note(fault, path, what, advice, Outcome.OPEN)

    @contextmanager
    def naming_damage(self, path: Path) -> Iterator[None]:
        """Record a CorruptFileError of the block as a damaged file, which is never changed; the block reads `path`.

        An item that the system refuses is damaged too, and costs no other item its examination.
        """
        try:
            yield
        except CorruptFileError as error:
            place = error.path if isinstance(error, UnreadableFileError) else path
            what, _, advice = str(error).partition("; ")
            what = what.removeprefix(f"{place} ")
            if not any(
                (each.fault, each.place) == (Fault.DAMAGED, self._place(place)) for each in self.findings
            ):
                self.leave(Fault.DAMAGED, place, what, advice or "repair the file")
        except StoreUnwritableError:
            raise
        except OSError as error:
            self.leave(
                Fault.DAMAGED, path, f"cannot be read: {error}", "repair it, or move it out of the store"
            )

    def check_lines(self, path: Path) -> bool:
        """Cut the torn end of a file of JSON lines, report damaged lines, and return whether all whole lines are readable.

        A missing file is fine.
        """
        torn, damaged = _faulty_lines(path)
        if append.is_object(torn):
            what = "its last line has no newline"
            self.repair(Fault.TORN_LINE, path, what, "add it", lambda: append.end_lines(path))
        elif torn:
            what = f"its last {len(torn)} bytes are of a line that was never finished"
            self.repair(Fault.TORN_LINE, path, what, "cut them", lambda: append.end_lines(path))
        if damaged:
            more = f", and {len(damaged) - 1} more" if damaged[1:] else ""
            what = f"line {damaged[0]} is not JSON{more}"
            self.leave(Fault.DAMAGED, path, what, "repair the line, or remove it")
        return not damaged

    def _note(self, fault: Fault, path: Path, what: str, remedy: str, outcome: Outcome) -> None:
        self.findings.append(Finding(fault, self._place(path), what, remedy, outcome))

    def _place(self, path: Path) -> str:
        base = self.store.paths.base
        return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def _faulty_lines(path: Path) -> tuple[bytes, list[int]]:
    """Return an unfinished last line, and the numbers of the lines that are not JSON."""
    torn, damaged = b"", []
    try:
        file = regular.open_file(path)
    except FileNotFoundError:
        return b"", []
    with file:
        for number, line in enumerate(regular.lines_of(file), 1):
            if not line.endswith(b"\n"):
                torn = line
            elif line.strip():
                try:
                    jsontext.decode(line)
                except ValueError:
                    damaged.append(number)
    return torn, damaged
