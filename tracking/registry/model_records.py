"""Frozen values that the registry returns: versions, events and verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

VERDICT_FORMAT = 2  # 1 has the challenger and the champion alone
_OWN = ("format", "promote", "sentence", "reasons", "basis")


class EventKind(StrEnum):
    """Kinds of events in a model's history."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    ALIASED = "aliased"
    UNALIASED = "unaliased"
    LOOKED = "looked"  # a challenger is compared with the champion on the rows of a split
    REFUSED = "refused"
    ARCHIVED = "archived"
    UNARCHIVED = "unarchived"
    EXPORTED = "exported"
    IMPORTED = "imported"
    REMOVED = "removed"


@dataclass(frozen=True)
class ModelEvent:
    """One line of a model's history. `version` is the one concerned; after a rollback, the new champion."""

    kind: EventKind
    version: int
    at: datetime
    by: str
    reason: str
    before: int | None  # the champion before the event
    run_id: str | None = None  # of a registration: the run that the version came from
    alias: str | None = None
    split: str | None = None  # of a look: the hash that tells the rows from others
    look: int | None = None  # which look at these rows it is, from 1
    alpha: float | None = (
        None  # of a look: what all looks at these rows may err together; older ones have none
    )
    planned: int | None = None  # how many looks at these rows are planned
    of: str | None = None  # the earlier split that this one shares rows with, whose looks go on here
    overlap: float | None = None  # share of the rows that were looked at before, of the first look at them
    splits: int | None = None  # how many earlier splits they were rows of
    rows: str | None = None  # the sketch of the rows, of the first look at them
    key: str | None = (
        None  # of a judgement: what makes it the same again; of a registration, import or export: the manifest's SHA-256
    )
    verdict: str | None = None  # of a promotion, refusal or import: the SHA-256 of the verdict's file


@dataclass(frozen=True, repr=False)
class ModelVersion:
    """A registered version: its files with their SHA-256, and its origin.

    `objective` is {"metric", "mode", "value", "step"}. `metrics` are of that step; without one they are the last of the run.
    They may hold NaN and infinities. `origin` says where an imported version came from: then `run_id` is a run of another store.
    """

    name: str
    version: int
    path: Path
    run_id: str
    files: dict[str, str]
    objective: dict[str, Any]
    metrics: dict[str, float]
    data: dict[str, Any]
    sweep: dict[str, Any] | None
    loader: str | None
    created_at: datetime
    origin: dict[str, Any] | None = None

    @property
    def metrics_title(self) -> str:
        """What the metrics are, in words; older versions do not say it."""
        if "step" not in self.objective:
            return "Metrics"
        step = self.objective["step"]
        return (
            f"Metrics (at step {step}, else the last value)"
            if step is not None
            else "Metrics (the last values)"
        )

    def __repr__(self) -> str:
        return f"ModelVersion({self.name!r}, {self.version}, run_id={self.run_id!r})"

    def _repr_html_(self) -> str:
        from tracking.values import htmltext  # for those who look at a version

        known = {
            "Run": self.run_id,
            "Objective": f"{self.objective.get('metric')} ({self.objective.get('mode')})",
            "Value": self.objective.get("value"),
            "Registered": self.created_at,
            "Files": ", ".join(self.files),
            "Loader": self.loader,
            "Folder": self.path,
        }
        return htmltext.beside(
            htmltext.facts(known, title=f"{self.name}, version {self.version}"),
            htmltext.facts(self.metrics, title=self.metrics_title) if self.metrics else "",
        )


class RemarkKind(StrEnum):
    """What a remark of a verdict is about."""

    FIRST = "first"  # that there was no champion
    RECORDED = "recorded"  # that recorded values decided
    LOOK = "look"  # which look at the rows it was
    SHARED = "shared"  # which share of the rows was looked at before, as rows of other splits
    ELSEWHERE = "elsewhere"  # looks at the rows that are not counted here
    TRAINED_ON = "trained_on"  # which share of the rows equals training rows
    UNJUDGED = "unjudged"  # slices with too few rows
    WEIGHTS = "weights"  # rows without weight, and weights that are very unequal
    POWER = "power"  # which gain the rows could have shown
    SELECTION = "selection"  # how much better the winner looked where it was chosen


@dataclass(frozen=True)
class Remark:
    """What a verdict says beside its rules: a sentence, and what it is about."""

    kind: RemarkKind
    words: str

    def to_json(self) -> dict[str, str]:
        """Return the remark as plain data, as verdict.json holds it."""
        return {"kind": self.kind.value, "words": self.words}

    @classmethod
    def from_json(cls, raw: Mapping[str, str]) -> "Remark":
        """Return the remark that `to_json` wrote."""
        return cls(RemarkKind(raw["kind"]), raw["words"])


@dataclass(frozen=True)
class Verdict:
    """A decision of the gate: one sentence, every reason for or against, and what it was made from.

    `basis` is "scores" (both versions were scored on the same rows), "recorded" (the values that the runs logged decided)
    or "first" (there was no champion). `facts` are the rest of verdict.json: docs/storage.md lists them. Each of them may be missing.
    """

    promote: bool
    sentence: str
    reasons: tuple[str, ...]
    basis: str = "recorded"
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def challenger(self) -> dict[str, Any]:
        """The version that was judged: its name, number, run, objective, metrics and fingerprint."""
        return dict(self.facts.get("challenger") or {})

    @property
    def champion(self) -> dict[str, Any] | None:
        """The version that it was judged against, as `challenger`; None without."""
        found = self.facts.get("champion")
        return None if found is None else dict(found)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data, as stored in verdict.json."""
        own = {
            "format": VERDICT_FORMAT,
            "promote": self.promote,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "basis": self.basis,
        }
        return {**own, **{name: value for name, value in self.facts.items() if name not in own}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Verdict":
        """Return the verdict of a verdict.json, also of format 1; raise KeyError or TypeError for anything else."""
        promote, reasons = bool(value["promote"]), tuple(str(reason) for reason in value["reasons"])
        facts = {name: each for name, each in value.items() if name not in _OWN}
        for side in ("challenger", "champion"):
            if not isinstance(facts.get(side), Mapping | None):
                raise TypeError(side)
        if value.get("format", 1) == 1:
            basis = "recorded" if value["champion"] else "first"
            return cls(promote, sentence_of(promote, reasons), reasons, basis, facts)
        return cls(promote, str(value["sentence"]), reasons, str(value["basis"]), facts)


@dataclass(frozen=True)
class KeptVerdict:
    """A decision of the gate as a version keeps it. `number` counts them from 1, and `sha256` is of the file.

    `counts` says that it is the one in verdict.json.
    """

    number: int
    path: Path
    sha256: str
    verdict: Verdict
    counts: bool = False

    @property
    def compared(self) -> bool:
        """Whether predictions on rows were compared, which are kept beside it."""
        return any(self.verdict.facts.get(name) for name in ("scores", "scores_sha256"))

    @property
    def scores(self) -> Path:
        """The file of the predictions, where they were compared."""
        return self.path.with_suffix(".npz")


def sentence_of(promote: bool, reasons: tuple[str, ...]) -> str:
    """Return the decision and its reasons as one sentence."""
    return f"{'Promoted' if promote else 'Not promoted'}: {'; '.join(reasons)}."
