"""What came of one rule, and the question that the scoring process answers: plain values, which load no library."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tracking.gate.rules import GateSettings, gate_settings
from tracking.objective import Objective

SUPERIORITY, NOT_WORSE, SLICE = "superiority", "not_worse", "slice"
THRESHOLD, ROWS, RERUN = "threshold", "rows", "rerun"
RESULT, SCORES = "result.json", "scores.npz"  # what the scoring process leaves


@dataclass(frozen=True)
class Outcome:
    """What came of one rule. A value that has no meaning for the rule is None."""

    rule: str
    passes: bool
    reason: str
    measure: str | None = None
    asked: str = ""
    slice: tuple[str, str] | None = None
    challenger: float | None = None
    champion: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    level: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    rows: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain data; a value that is not finite is None."""
        plain = {name: _finite(value) for name, value in asdict(self).items()}
        return plain | {"slice": None if self.slice is None else list(self.slice)}


@dataclass(frozen=True)
class Selection:
    """The jobs that a challenger was chosen among: their values by which it was, and those on rows that chose nothing.

    `selected` and `fresh` have a value for each ranked job, in one order; `winner` is the place of the challenger. `fresh`
    is empty where the jobs recorded no such value.
    """

    metric: str
    selected: tuple[float, ...]
    winner: int
    fresh: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the selection as plain data."""
        return asdict(self) | {"selected": list(self.selected), "fresh": list(self.fresh)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Selection":
        """Return the selection that `to_json` wrote."""
        return cls(str(raw["metric"]), tuple(raw["selected"]), int(raw["winner"]), tuple(raw["fresh"]))


@dataclass(frozen=True)
class Entrant:
    """A version as the scoring process needs it: its folder, its number, and the bytes of its files."""

    folder: str
    version: int
    size: int

    @classmethod
    def from_json(cls, raw: Mapping[str, Any] | None) -> "Entrant | None":
        """Return the entrant of plain data, None of None."""
        return None if raw is None else cls(str(raw["folder"]), int(raw["version"]), int(raw["size"]))


@dataclass(frozen=True)
class Question:
    """What the scoring process is asked: which versions to score, and how to judge them."""

    settings: GateSettings
    objective: Objective
    challenger: Entrant
    champion: Entrant | None
    selection: Selection | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the question as plain data."""
        return {
            "settings": self.settings.to_json(),
            "objective": self.objective.named,
            "challenger": asdict(self.challenger),
            "champion": None if self.champion is None else asdict(self.champion),
            "selection": None if self.selection is None else self.selection.to_json(),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Question":
        """Return the question that `to_json` wrote."""
        challenger = Entrant.from_json(raw["challenger"])
        assert challenger is not None  # noqa: S101 - a question is about one
        return cls(
            gate_settings(raw["settings"]),
            Objective.of(raw["objective"]["metric"], raw["objective"]["mode"]),
            challenger,
            Entrant.from_json(raw["champion"]),
            None if raw["selection"] is None else Selection.from_json(raw["selection"]),
        )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
