"""A store before, during and after the doctor's examination."""

from pathlib import Path

from tracking.doctor import Examination, Finding, Outcome, examine
from tracking.store.store import Store

Tree = dict[str, tuple[bytes | None, int]]


def tree(base: Path) -> Tree:
    """Every file and folder with its content and the time of its last change."""
    return {
        str(path.relative_to(base)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in base.rglob("*")
    }


def examined(base: Path) -> Examination:
    """A dry run, a repair that does what that said, and a second examination that finds what stays open."""
    before = tree(base)
    planned = examine(Store(base), repair=False)
    assert tree(base) == before
    done = examine(Store(base))
    assert [(finding.fault, finding.place) for finding in planned.findings] == [
        (finding.fault, finding.place) for finding in done.findings
    ]
    assert not any(finding.outcome is Outcome.REPAIRED for finding in planned.findings)
    assert not any(finding.outcome is Outcome.REPAIRABLE for finding in done.findings)
    left = [finding for finding in done.findings if finding.outcome is Outcome.OPEN]
    assert examine(Store(base)).findings == left
    assert planned.is_well == (not planned.findings)
    assert done.is_well == (not left)
    return done


def only(seen: Examination) -> Finding:
    """Return the one finding."""
    (finding,) = seen.findings
    return finding
