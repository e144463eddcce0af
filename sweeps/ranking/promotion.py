"""Registers the winner of a sweep and lets the gate decide whether it becomes the champion."""

import contextlib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sweeps.ranking.leaderboard import Leaderboard
from sweeps.settings.sweeper_settings import Promotion
from tracking import CorruptFileError, ModelRegistry, ModelVersion, TrackingError
from tracking.files import read_json, write_json
from tracking.registry import EventKind, judge

NAME = "promotion.json"


@dataclass(frozen=True)
class Decision:
    """The verdict on a sweep's winner; also kept as ``promotion.json`` in the sweep's folder."""

    model_name: str
    promoted: bool
    version: int | None
    run: str | None
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        why = "; ".join(self.reasons)
        if self.promoted:
            return f"Champion of {self.model_name}: v{self.version} ({self.run}): {why}"
        return f"Not promoted to champion of {self.model_name}: {why}"


def decided(folder: Path) -> dict[str, Any] | None:
    """Return the decision on the winner of the sweep in `folder`, as it was kept; None before there is one.

    Raise CorruptFileError for a file that holds anything else.
    """
    path = folder / NAME
    try:
        found = read_json(path)
    except FileNotFoundError:
        return None
    try:
        _check(found)
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is not a decision ({error!r}); remove the file") from None
    return dict(found)


def _check(found: Any) -> None:
    texts = [found["model_name"], *found["reasons"]]
    if type(found["promoted"]) is not bool or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"promoted is {found['promoted']!r:.80}, texts are {texts!r:.80}")


def promote_winner(board: Leaderboard, store: Path, promotion: Promotion) -> Decision:
    """Register the winner of `board`, judge it against the champion, and promote it when the gate says so.

    A missing or unreadable value refuses the promotion, with the reason. The verdict is kept with the model version,
    the decision in the sweep's folder. Repeating it completes what a kill cut off, and registers and promotes nothing
    twice.
    """
    try:
        decision = _decide(board, store, promotion)
    except TrackingError as error:
        winner = board.winner
        decision = Decision(promotion.model_name, False, None, winner.run if winner else None, (str(error),))
    write_json(_place(board, store), {**asdict(decision), "gate": _gate(promotion)})
    return decision


def is_decided(board: Leaderboard, store: Path, promotion: Promotion) -> bool:
    """Return whether ``promotion.json`` holds the verdict of the same gate on the winner of `board`.

    One without a version holds none: the winner could not be registered, so it is tried again.
    """
    known = _kept(board, store)
    if known.get("version") is not None:
        winner, gate = board.winner and board.winner.run, _gate(promotion)
        asked = (known.get("run"), known.get("model_name"), known.get("gate", gate))
        return asked == (winner, promotion.model_name, gate)
    return False


def kept_decision(board: Leaderboard, store: Path) -> Decision | None:
    """Return the decision of ``promotion.json``, by an earlier session of the sweep; None if there is none."""
    known = _kept(board, store)
    names = [each.name for each in fields(Decision)]
    if not all(name in known for name in names) or not isinstance(known["reasons"], list):
        return None
    return Decision(**{name: known[name] for name in names} | {"reasons": tuple(known["reasons"])})


def _kept(board: Leaderboard, store: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, CorruptFileError):
        known = read_json(_place(board, store))
        if isinstance(known, dict):
            return known
    return {}


def _gate(promotion: Promotion) -> dict[str, Any]:
    return {"min_delta": promotion.min_delta, "thresholds": dict(promotion.thresholds)}


def _place(board: Leaderboard, store: Path) -> Path:
    return store / "sweeps" / board.sweep / NAME


def _decide(board: Leaderboard, store: Path, promotion: Promotion) -> Decision:
    name, winner = promotion.model_name, board.winner
    if winner is None or winner.objective is None:
        return Decision(name, False, None, None, ("no job was ranked",))
    if winner.run is None:
        why = f"job {winner.job} opened no tracked run to take a model from"
        return Decision(name, False, None, None, (why,))
    if len(board.fingerprints) > 1:  # then the ranking may order the data instead of the models
        why = "its jobs were scored on different data, so their values cannot be compared; sweep one data set at a time"
        return Decision(name, False, None, winner.run, (why,))
    if Path(winner.run).is_absolute():
        why = (
            f"the run of job {winner.job} lies in another store ({winner.run}), and a model comes from a run of the "
            f"sweep's own; track into {store}, or set hydra.sweeper.store to the store that the task tracks into"
        )
        return Decision(name, False, None, winner.run, (why,))
    if not board.is_of_one_code:  # then it may order the versions of the code
        why = f"its jobs ran on different code, so their values cannot be compared ({'; '.join(board.code_notes)})"
        return Decision(name, False, None, winner.run, (why,))
    registry = ModelRegistry(store)
    objective = _objective(board, winner.objective)
    version = registry.register(
        name,
        winner.run,
        files=promotion.files,
        objective=objective,
        loader=promotion.loader,
    )
    decision = _judge(registry, version, promotion, by=f"sweep {board.sweep}")
    if board.others:
        among = f"the best by {board.objective.label} of {board.front} on the Pareto front by {' and '.join(board.labels)}"
        decision = replace(decision, reasons=(*decision.reasons, among))
    return decision


def _objective(board: Leaderboard, own: float) -> dict[str, Any]:
    """Return what the winner competes with: its own value, or the mean over its folds and their runs."""
    if board.averaged is None:
        return {**board.objective.ranked_by, "value": own}
    mean, rows = board.averaged
    return {**board.objective.ranked_by, "value": mean, "runs": sorted(str(row.run) for row in rows)}


def _judge(registry: ModelRegistry, version: ModelVersion, promotion: Promotion, *, by: str) -> Decision:
    name, number = version.name, version.version
    for event in registry.history(name):
        if (event.kind, event.version, event.by) == (EventKind.PROMOTED, number, by):
            # Before it could keep its decision the sweep was killed.
            known = registry.verdict(name, number)
            return Decision(name, True, number, version.run_id, known.reasons if known else (event.reason,))
    champion = registry.champion(name)
    if champion is not None and champion.version == number:
        return Decision(name, False, number, version.run_id, (f"v{number} already is the champion",))
    verdict = judge(version, champion, thresholds=promotion.thresholds, min_delta=promotion.min_delta)
    registry.record_verdict(name, number, verdict)
    if verdict.promote:
        registry.promote(name, number, reason="; ".join(verdict.reasons), by=by)
    return Decision(name, verdict.promote, number, version.run_id, tuple(verdict.reasons))
