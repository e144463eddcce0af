"""What the read index costs: to make it, and to look again after runs have changed."""

from benchmarks.contestants import PODIUM
from benchmarks.figures import Chapter, Figure
from benchmarks.plan import Plan, Size, figures_of

NAME = "index"
BUILD_MS = 5000.0


def measure(plan: Plan) -> Chapter:
    """Measure the first question ever, then the next question after 1, 10 and 100 finished runs got a new tag."""
    runs = plan.pick(5, 10_000)
    store = plan.store(PODIUM, runs)
    built = [PODIUM.ask("index", store) for _ in range(min(plan.rounds, 3))]
    figures: list[Figure] = []
    figures += figures_of(
        PODIUM, built, {"first_ms": f"first build, {runs:,} runs"}, targets={"first_ms": BUILD_MS}
    )
    if plan.size is Size.FULL:
        large = [PODIUM.ask("index", plan.store(PODIUM, 100_000))]
        figures += figures_of(PODIUM, large, {"first_ms": "first build, 100,000 runs"})
    for changed in (1, plan.pick(2, 10), plan.pick(3, 100)):
        again = [PODIUM.ask("refresh", store, changed)]
        figures += figures_of(PODIUM, again, {"first_ms": f"best run after {changed} changed, {runs:,} runs"})
    return Chapter(NAME, "the read index, as part of a question", tuple(figures))
