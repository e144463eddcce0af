"""What a sweep costs beside its jobs: jobs that do nothing, run by podium and by what Hydra has."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.figures import Chapter, Figure, figure
from benchmarks.plan import Plan
from benchmarks.sweeping import first_job, sweep, ways

NAME = "jobs"
AT_ONCE = 2
MAX_RATIO = {"podium": 1 / 3, "reuse": 1 / 10}  # to the joblib launcher
FIRST_MS = 1_000.0


def measure(plan: Plan) -> Chapter:
    """Measure the whole command shared out among its jobs, one more job, and how long the first of many jobs is waited for."""
    jobs, many = plan.pick(4, 200), plan.pick(20, 1_000)
    who = ("podium", "reuse", *(("joblib", "basic") if plan.with_peers else ()))
    known = ways(AT_ONCE)
    whole: dict[str, list[float]] = {name: [] for name in who}
    further: dict[str, list[float]] = {name: [] for name in who}
    for _ in range(plan.pick(1, 3)):
        for name in who:
            alone_s = sweep(plan.folder, known[name], ["x=range(1)"]).wall_s
            all_s = sweep(plan.folder, known[name], [f"x=range({jobs})"]).wall_s
            whole[name].append(all_s / jobs * 1e3)
            further[name].append((all_s - alone_s) / (jobs - 1) * 1e3)
    cases = {f"the command, per job of {jobs:,}": whole, "each further job": further}
    figures = [
        figure(case, known[name].title, "ms", rounds)
        for case, times in cases.items()
        for name, rounds in times.items()
    ]
    for case, times in cases.items():
        figures += _ratios(case, times)
    figures += _first(plan, many)
    return Chapter(NAME, f"jobs that do nothing, {AT_ONCE} at once", tuple(figures))


def _ratios(case: str, times: Mapping[str, Sequence[float]]) -> Iterator[Figure]:
    if "joblib" not in times:
        return
    theirs, known = times["joblib"], ways(AT_ONCE)
    for name, most in MAX_RATIO.items():
        yield Figure(
            f"{case}: podium / joblib launcher",
            known[name].title,
            "x",
            min(times[name]) / min(theirs),
            statistics.median(times[name]) / statistics.median(theirs),
            most,
        )


def _first(plan: Plan, many: int) -> Iterator[Figure]:
    """From when the app alone would have begun its job to when the first job of a sweep begins."""
    known = ways(AT_ONCE)
    who = ("podium", *(("joblib",) if plan.with_peers else ()))
    waits: dict[str, list[float]] = {name: [] for name in who}
    for _ in range(plan.pick(1, 3)):
        ready_s = first_job(plan.folder, known["basic"], [])
        for name in who:
            took_s = first_job(plan.folder, known[name], ["-m", f"x=range({many})"])
            waits[name].append((took_s - ready_s) * 1e3)
    for name, rounds in waits.items():
        target = FIRST_MS if name == "podium" else None
        yield figure(
            f"the first job of {many:,} begins after", known[name].title, "ms", rounds, target=target
        )
