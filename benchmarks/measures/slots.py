"""How much of the slots' time goes by without a job: podium fills a slot as soon as it is free, batches wait."""

import random

from benchmarks.figures import Chapter, figure
from benchmarks.plan import Plan
from benchmarks.sweeping import sweep, ways

NAME = "slots"
AT_ONCE = 2
MAX_IDLE = 5.0  # percent
SHORTEST_S, LONGEST_S = 0.05, 1.95


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
    """Lengths that are anything between short and long, all different: of two, the longer one takes 4/3 of the mean."""
    source = random.Random(0)
    return [source.uniform(SHORTEST_S, LONGEST_S) for _ in range(count)]
