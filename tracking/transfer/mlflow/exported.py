"""What an export to MLflow did."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tracking.values.units import counted, format_size

SHOWN = 5  # names in a note


@dataclass
class Exported:
    """The result of an export: the id in MLflow of each run, what was sent, and what MLflow could not hold."""

    created: dict[str, str] = field(default_factory=dict)
    updated: dict[str, str] = field(default_factory=dict)
    unchanged: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    points: int = 0
    files: int = 0
    bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)  # "ctr 3" here -> "ctr 2" in MLflow
    notes: dict[str, list[str]] = field(
        default_factory=dict
    )  # what MLflow cannot hold, and of which runs or models

    @property
    def ids(self) -> dict[str, str]:
        """The id in MLflow of every run that is there."""
        return {**self.unchanged, **self.updated, **self.created}

    def note(self, of: str, text: str, names: Sequence[str] = ()) -> None:
        """Note what MLflow cannot hold of a run or a model; names are cut after the first few."""
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        whole = f"{text}: {', '.join(names[:SHOWN])}{more}" if names else text
        self.notes.setdefault(whole, []).append(of)

    def sentence(self, *, dry_run: bool) -> str:
        """Return what the export did as one sentence."""
        runs = [counted(len(self.created), "new run")]
        runs += [counted(len(self.updated), "changed run")] if self.updated else []
        sent = (
            f"{counted(self.points, 'point')} and {counted(self.files, 'file')} ({format_size(self.bytes)})"
        )
        return f"{'Would send' if dry_run else 'Sent'} {' and '.join(runs)} with {sent}"
