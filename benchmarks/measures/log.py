"""What one step of three metrics costs, with the closing of the run shared out among its steps."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.contestants import BARE, MLFLOW, MLFLOW_BATCHED, PODIUM, TENSORBOARD, TRACKIO, WANDB
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, figures_of

NAME = "log"
CASE = "step of 3 metrics, close included"
MAX_RATIO = 3.0  # to the bare write of the same bytes


def measure(plan: Plan) -> Chapter:
    """Everybody in turn; who is slow gets fewer steps, and the figures are per step."""
    steps, some, few = plan.pick(200, 100_000), plan.pick(20, 20_000), plan.pick(5, 200)
    work = [
        (PODIUM, plan.place(PODIUM), steps),
        (BARE, plan.place(BARE), steps),
        *((who, plan.place(who), some) for who in plan.peers(TRACKIO, TENSORBOARD, WANDB)),
        *((who, plan.place(who), some // 4) for who in plan.peers(MLFLOW_BATCHED)),
        *((who, plan.place(who), few) for who in plan.peers(MLFLOW)),
    ]
    counts = {who: count for who, _, count in work}
    answers = dict(plan.side_by_side("log", work))
    figures: list[Figure] = []
    for who, answer in answers.items():
        figures += figures_of(who, answer, {"us_per_step": CASE}, note=_note(answer, counts[who]))
    figures += figures_of(
        PODIUM, answers[PODIUM], {"us_per_call": "the call alone", "close_ms": "the close alone"}
    )
    figures += _ratio(answers[PODIUM], answers[BARE])
    return Chapter(NAME, f"{steps:,} steps x 3 metrics", tuple(figures))


def _ratio(
    own: Sequence[Mapping[str, Any]] | str, bare: Sequence[Mapping[str, Any]] | str
) -> Iterator[Figure]:
    if isinstance(own, str) or isinstance(bare, str):
        return
    mine, theirs = ([answer["us_per_step"] for answer in answers] for answers in (own, bare))
    yield Figure(
        "podium / bare write",
        PODIUM.title,
        "x",
        min(mine) / min(theirs),
        statistics.median(mine) / statistics.median(theirs),
        MAX_RATIO,
        f"{own[0]['bytes'] / bare[0]['bytes']:.2f} times its bytes",
    )


def _note(answers: Sequence[Mapping[str, Any]] | str, steps: int) -> str:
    lost = [steps - answer.get("kept", steps) for answer in answers] if not isinstance(answers, str) else []
    return f"{steps:,} steps" + (f", {max(lost):,} of them lost" if any(lost) else "")
