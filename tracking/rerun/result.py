"""What a re-made run has shown, and the results that a run keeps, a line each in reruns.jsonl."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tracking.files import append, locks
from tracking.paths import RunPaths
from tracking.values import jsontext, timestamps

log = logging.getLogger("tracking")

FORMAT = 1


class Likeness(StrEnum):
    """How a re-made run compares to the first: equal to the last digit, within the noise of other seeds, or different."""

    IDENTICAL = "identical"
    WITHIN_NOISE = "within_noise"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Noise:
    """The objective of further runs with other seeds, and between which values one more such run lies in 95 % of cases."""

    metric: str
    first: float
    values: tuple[float, ...]
    low: float
    high: float
    runs: tuple[str, ...]
    seeds: tuple[int | None, ...]

    @property
    def holds(self) -> bool:
        """Whether the first run lies there."""
        return self.low <= self.first <= self.high


@dataclass(frozen=True)
class MetricDifference:
    """A metric whose points differ: last values, the first step where they do, and the greatest distance."""

    metric: str
    first: Any
    again: Any
    at_step: Any
    distance: float | None
    points: tuple[int, int]


@dataclass(frozen=True)
class RerunResult:
    """The comparison of a run with the same run made again, `new_run`.

    `sentence` is one plain sentence without a full stop. `environment` and `code` name what differs, each with the value of
    the first run and the present one, or a sentence; `config` the keys whose recorded value was taken in place of the one that
    the code composes now. `data` are both fingerprints. `not_compared` are metrics of time.
    """

    run_id: str
    new_run: str
    verdict: Likeness
    sentence: str
    at: datetime
    by: str
    took_s: float
    points: int = 0
    metrics: tuple[MetricDifference, ...] = ()
    not_compared: tuple[str, ...] = ()
    noise: Noise | None = None
    data: tuple[str | None, str | None] = (None, None)
    code: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    environment: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    made_from: str | None = None

    @property
    def is_reproduced(self) -> bool:
        """Whether the run is identical or within noise."""
        return self.verdict is not Likeness.DIFFERENT

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as reruns.jsonl keeps it."""
        return {"format": FORMAT, **asdict(self), "at": self.at.isoformat(timespec="milliseconds")}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "RerunResult":
        """Return what `to_json` wrote; raise ValueError, KeyError or TypeError for anything else."""
        noise = raw.get("noise")
        if noise is not None:
            lists = {name: tuple(noise[name]) for name in ("values", "runs", "seeds")}
            noise = Noise(**{**{name: noise[name] for name in ("metric", "first", "low", "high")}, **lists})
        first, again = raw.get("data") or (None, None)
        return cls(
            run_id=str(raw["run_id"]),
            new_run=str(raw["new_run"]),
            verdict=Likeness(raw["verdict"]),
            sentence=str(raw["sentence"]),
            at=timestamps.parse(raw["at"]),
            by=str(raw["by"]),
            took_s=float(raw["took_s"]),
            points=int(raw.get("points") or 0),
            metrics=tuple(
                MetricDifference(**{**each, "points": tuple(each["points"])})
                for each in raw.get("metrics") or ()
            ),
            not_compared=tuple(raw.get("not_compared") or ()),
            noise=noise,
            data=(first, again),
            code=tuple(raw.get("code") or ()),
            config=tuple(raw.get("config") or ()),
            environment={name: tuple(pair) for name, pair in (raw.get("environment") or {}).items()},
            made_from=None if raw.get("made_from") is None else str(raw["made_from"]),
        )


def keep(paths: RunPaths, result: RerunResult) -> None:
    """Append a result to those of the run that was made again; its other files stay as they are."""
    with locks.lock_folder(paths.folder):
        append.append_line(paths.reruns, jsontext.readable(result.to_json()), durable=True)


def results_of(paths: RunPaths) -> list[RerunResult]:
    """Return the results that a run keeps, oldest first; lines that cannot be read are left out."""
    found = []
    for line in append.read_lines(paths.reruns):
        try:
            found.append(RerunResult.from_json(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            log.warning("left out: %s: a result that cannot be read", paths.reruns)
    return found
