"""Registers the winner of a sweep and lets the gate decide whether it becomes the champion."""

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sweeps.ranking.aggregate import on_test
from sweeps.ranking.leaderboard import Leaderboard
from sweeps.settings.sweeper_settings import Promotion
from tracking import CorruptFileError, ModelRegistry, ModelVersion, TrackingError
from tracking.files import read_json, write_json
from tracking.gate import Gate, Selection
from tracking.process.program import command
from tracking.registry import EventKind

NAME = "promotion.json"
ONE_LINE = 160  # characters of reasons that are printed in one line
SHOWN = 6  # reasons that are printed otherwise
Say = Callable[[str], None]


@dataclass(frozen=True)
class Decision:
    """The verdict on a sweep's winner; also kept as ``promotion.json`` in the sweep's folder."""

    model_name: str
    promoted: bool
    version: int | None
    run: str | None
    reasons: tuple[str, ...]
    sentence: str | None = None  # the decision in one sentence, as the verdict has it
    verdict: str | None = None  # the file of the verdict, from the folder of the store

    def __str__(self) -> str:
        """Return the decision and its reasons: in one line if they are short, else a line each."""
        what = f"v{self.version} ({self.run})" if self.promoted else None
        head = (
            f"Champion of {self.model_name}: {what}"
            if what
            else f"Not promoted to champion of {self.model_name}"
        )
        why = "; ".join(self.reasons)
        if len(why) <= ONE_LINE or len(self.reasons) < 2:
            return f"{head}: {why}"
        further = len(self.reasons) - SHOWN
        lines = [*self.reasons[:SHOWN], *([f"and {further} more"] if further > 0 else [])]
        return "\n  - ".join([f"{head}:", *lines])

    def look(self, store: Path) -> str | None:
        """Return the command that shows the whole verdict; None where there is no more to see."""
        if self.verdict is None or "\n" not in str(self):
            return None
        name = shlex.quote(self.model_name)
        return command(f"verdict {name}@{self.version} --store {shlex.quote(str(store))}")


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


def promote_winner(board: Leaderboard, store: Path, promotion: Promotion, say: Say | None = None) -> Decision:
    """Register the winner of `board`, judge it against the champion, and promote it when the gate says so.

    `say` is told what takes long, in a line.

    A missing or unreadable value refuses the promotion, with the reason. The verdict is kept with the model version,
    the decision in the sweep's folder. Repeating it completes what a kill cut off, and registers and promotes nothing
    twice.
    """
    try:
        decision = _decide(board, store, promotion, say)
    except TrackingError as error:
        winner = board.winner
        decision = Decision(promotion.model_name, False, None, winner.run if winner else None, (str(error),))
    write_json(_place(board, store), {**asdict(decision), "gate": _gate(promotion)})
    return decision


def is_decided(board: Leaderboard, store: Path, promotion: Promotion) -> bool:
    """Return whether ``promotion.json`` holds the verdict of the same gate on the winner of `board`.

    One without a version holds none: the winner could not be registered, or its scorer not imported, so it is tried again.
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
    return promotion.gate.to_json()


def _place(board: Leaderboard, store: Path) -> Path:
    return store / "sweeps" / board.sweep / NAME


def _decide(board: Leaderboard, store: Path, promotion: Promotion, say: Say | None) -> Decision:
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
    gate = Gate(registry, promotion.gate, say=say)
    decision = _judge(registry, gate, version, board)
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


def _judge(registry: ModelRegistry, gate: Gate, version: ModelVersion, board: Leaderboard) -> Decision:
    name, number, by = version.name, version.version, f"sweep {board.sweep}"
    for event in registry.history(name):
        if (event.kind, event.version, event.by) == (EventKind.PROMOTED, number, by):
            # Before it could keep its decision the sweep was killed.
            known = registry.verdict(name, number)
            break
    else:
        champion = registry.aliases(name).get("champion")
        if champion == number:
            return Decision(name, False, number, version.run_id, (f"v{number} already is the champion",))
        known, event = gate.judge(name, number, by=by, selection=_selection(board)), None
    if known is None:
        return Decision(name, True, number, version.run_id, (event.reason if event else "",))
    file = f"models/{name}/v{number}/verdict.json"
    return Decision(name, known.promote, number, version.run_id, known.reasons, known.sentence, file)


def _selection(board: Leaderboard) -> Selection | None:
    """Return the values of the ranked jobs, the winner first: by which it was chosen, and on the test rows where all have one."""
    rows = [row for row in board.rows if row.rank is not None and row.objective is not None]
    metric = board.objective.label
    fresh = [row.metrics.get(on_test(metric) or "") for row in rows]
    return Selection(
        metric,
        tuple(row.objective for row in rows if row.objective is not None),
        0,
        tuple(value for value in fresh if value is not None) if None not in fresh else (),
    )
