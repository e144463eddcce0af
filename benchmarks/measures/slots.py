"""How much of the slots' time goes by without a job: podium fills a slot as soon as it is free, batches wait."""

import random

from benchmarks.figures import Chapter, figure
from benchmarks.plan import Plan
from benchmarks.sweeping import sweep, ways

NAME = "slots"
AT_ONCE = 2
MAX_IDLE = 5.0  # percent
MEAN_S, SPREAD = 0.5, 0.8


def measure(plan: Plan) -> Chapter:
    """Jobs of mixed length, the same for all, in the same order; nobody knows beforehand how long each takes."""
    jobs = plan.pick(6, 100)
    lengths = _lengths(jobs)
    axis = f"seconds={','.join(f'{length:.3f}' for length in lengths)}"
    who = ("podium", *(("batches", "joblib batches") if plan.with_peers else ()))
    idle: dict[str, list[float]] = {name: [] for name in who}
    known = ways(AT_ONCE)
    for _ in range(plan.pick(1, 2)):
        for name in who:
            times = sweep(plan.folder, known[name], [axis], notes=True)
            idle[name].append(100 * times.idle(AT_ONCE))
    title = f"{jobs} jobs of {min(lengths):.2f} to {max(lengths):.2f} s, {sum(lengths):.0f} s in all, {AT_ONCE} at once"
    figures = [
        figure(
            "slots without a job",
            known[name].title,
            "%",
            rounds,
            target=MAX_IDLE if name == "podium" else None,
            note=f"busy {100 - min(rounds):.1f} %",
        )
        for name, rounds in idle.items()
    ]
    return Chapter(NAME, title, tuple(figures))


def _lengths(count: int) -> list[float]:
    """Lengths of a log-normal distribution, as of trainings of which some stop early; all different."""
    source = random.Random(0)
    drawn = [source.lognormvariate(0.0, SPREAD) for _ in range(count)]
    return [max(0.02, each * MEAN_S * count / sum(drawn)) for each in drawn]
