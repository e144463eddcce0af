"""What a store must hold after the calls that a process made before it met its end, and what it holds."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tracking import ExperimentTracker

STATUSES = ("completed", "failed")


@dataclass
class Claims:
    """What a run must hold because a call returned, and what it may hold because a call was made."""

    must: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    may: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    statuses: set[str] = field(default_factory=lambda: {"running", "killed"})
    places: set[str] = field(default_factory=lambda: {"runs"})
    is_champion: bool = False

    def add(self, what: str, number: int, *, is_done: bool) -> None:
        if what in STATUSES:
            self.statuses = {what} if is_done else self.statuses | {what}
        elif what in ("delete", "restore"):
            place = "trash" if what == "delete" else "runs"
            self.places = {place} if is_done else self.places | {place}
        elif what == "register":
            self.is_champion = self.is_champion or is_done
        elif what != "read":
            if what == "point":  # which opens a run again that has ended
                self.statuses |= {"running", "killed"}
            self.may[what].add(number)
            self.must[what] |= {number} if is_done else set()


def claims(told: list[list[Any]]) -> dict[str, Claims]:
    """What each run must and may hold after all that a process told."""
    runs: dict[str, Claims] = defaultdict(Claims)
    for words, answer in zip(told, [*told[1:], ["unknown"]], strict=True):
        if words[0] == "try":
            _, run_id, what, number = words
            is_done = answer[0] == "did"
            if what != "create":
                runs[run_id].add(what, number, is_done=is_done)
            elif is_done:
                runs[answer[1]].add("tag", number, is_done=True)
    return dict(runs)


def holdings(tracker: ExperimentTracker, run_id: str) -> dict[str, set[int]]:
    """What a run holds, by the numbers of the calls that put it there."""
    run, record = tracker.get_run(run_id), tracker.record(run_id)
    assert run is not None
    assert record is not None
    points = [(point["step"], point["value"]) for point in run["metrics"].get("n", [])]
    assert points == sorted({(step, step) for step, _ in points}), f"{run_id} holds {points}"
    assert record.summary["n"].count == len(points) if points else not record.summary
    artifacts = (record.run_dir / "artifacts").glob("a*")
    return {
        "point": {step for step, _ in points},
        "param": {value for name, value in run["params"].items() if name == f"p{value}"},
        "tag": {int(value) for name, value in run["tags"].items() if name == f"t{value}"},
        "artifact": {int(path.name[1:]) for path in artifacts if path.read_bytes() == b"weights"},
    }
