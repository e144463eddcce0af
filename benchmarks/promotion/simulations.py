"""What is simulated: whom chance promotes, how often an interval holds the truth, and which gain some rows show.

Each simulation draws from a seed of its own, so that it gives the same figures alone and beside the others. They call the
statistics that the gate calls. No model is better than the champion unless it is said.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.promotion.models import SIGNAL, Array, Split, chances, more_for, true_auc
from tracking.statistics.compare import compare
from tracking.statistics.difference import Difference
from tracking.statistics.levels import look_level
from tracking.statistics.measures import Measure, measure_of
from tracking.statistics.power import detectable

AUC = measure_of("auc", "binary")
LEVEL = 0.05
CANDIDATES, WEEKS = 16, 52
SIZES = (300, 1_000, 2_000, 5_000, 10_000, 30_000, 100_000)
# Noise of two models whose gain in AUC has an error as on the census: two perceptrons, a perceptron and a logistic regression.
ALIKE, UNLIKE = 0.1, 0.25
LOOKS = (1, 2, 10)

Figures = dict[str, Any]


def best_of_16(times: int, *, rows: int = 1_000) -> Figures:
    """Return how often the best of 16 models that are as good as the champion is promoted, by each way to decide.

    The winner is the one with the best AUC on the rows that chose. `chosen` decides on these, `fresh` on others.
    """
    stream = np.random.default_rng(16)
    counts = dict.fromkeys(("numbers_chosen", "numbers_fresh", "bound_chosen", "bound_fresh"), 0)
    for _ in range(times):
        chosen, fresh = Split.drawn(stream, rows), Split.drawn(stream, rows)
        candidates = chosen.predictions(CANDIDATES)
        winner = max(candidates, key=lambda each: AUC.value(chosen.target, each, None))
        for name, split, challenger in (
            ("chosen", chosen, winner),
            ("fresh", fresh, fresh.predictions()[0]),  # a model's noise on other rows is another
        ):
            found = compare(AUC, split.target, challenger, split.predictions()[0])
            counts[f"numbers_{name}"] += found.gain > 0
            counts[f"bound_{name}"] += found.lower(LEVEL) > 0
    return {"times": times, "rows": rows, "shares": {name: count / times for name, count in counts.items()}}


def a_year(years: int, *, rows: int = 300) -> Figures:
    """Return in which share of years a model that is no better was promoted, after each of 52 weekly sweeps on one split.

    `each` judges every look at 5 %, `counted` at the level of its number, `planned` at 5 % / 52.
    """
    stream = np.random.default_rng(52)
    levels = {
        "each": [LEVEL] * WEEKS,
        "counted": [look_level(look) for look in range(1, WEEKS + 1)],
        "planned": [look_level(look, planned=WEEKS) for look in range(1, WEEKS + 1)],
    }
    promoted = {name: np.zeros(WEEKS) for name in levels}
    for _ in range(years):
        split = Split.drawn(stream, rows)
        champion, *challengers = split.predictions(1 + WEEKS)
        p = np.array([compare(AUC, split.target, each, champion).p_value() for each in challengers])
        for name, allowed in levels.items():
            promoted[name] += np.logical_or.accumulate(p < np.array(allowed))
    return {
        "years": years,
        "rows": rows,
        "shares": {name: np.round(each / years, 4).tolist() for name, each in promoted.items()},
    }


def coverage(times: int) -> list[Figures]:
    """Return how often a 95 % interval holds the true gain, for each kind of measure."""
    found = []
    for place, (name, rows, is_clustered, draw) in enumerate(CASES):
        measure = measure_of(name, "regression" if name == "rmse" else "binary")
        truth = _true_gain(measure, draw)
        stream, held = np.random.default_rng([95, place]), 0
        for seed in range(times):
            target, ours, theirs, cluster = draw(stream, rows)
            gain = compare(
                measure,
                target,
                ours,
                theirs,
                cluster=cluster if is_clustered else None,
                draws=1000,
                seed=seed,
            )
            low, high = gain.interval()
            held += low <= truth <= high
        found.append(
            {
                "measure": name,
                "rows": rows,
                "of": KINDS[draw],
                "clustered": is_clustered,
                "times": times,
                "held": held / times,
            }
        )
    return found


def rows_needed(times: int) -> Figures:
    """Return for sizes of a split the smallest true gain in AUC and accuracy that is promoted 8 times in 10.

    `checked` is the share of `times` splits in which a challenger of that true gain was promoted.
    """
    stream = np.random.default_rng(80)
    lines: list[Figures] = []
    accuracy = measure_of("accuracy", "binary")
    for rows in SIZES:
        found: dict[str, list[Difference]] = {"alike": [], "unlike": [], "accuracy": []}
        for _ in range(20 if rows > 2_000 else 60):
            split = Split.drawn(stream, rows)
            for name, noise in (("alike", ALIKE), ("unlike", UNLIKE)):
                ours, theirs = split.predictions(2, noise)
                found[name].append(compare(AUC, split.target, ours, theirs))
            labels = [chances(2 * (each - 1.2)) for each in (ours, theirs)]
            found["accuracy"].append(compare(accuracy, split.target, *labels))
        gains = {
            name: [float(np.mean([detectable(one, look_level(look)) for one in each])) for look in LOOKS]
            for name, each in found.items()
        }
        lines.append({"rows": rows, "gains": gains})
    return {
        "looks": LOOKS,
        "auc": true_auc(UNLIKE),
        "lines": lines,
        "checked": [_checked(stream, line["rows"], line["gains"]["unlike"][0], times) for line in lines[:4]],
    }


def _checked(stream: np.random.Generator, rows: int, gain: float, times: int) -> Figures:
    more, promoted = more_for(gain, UNLIKE), 0
    for _ in range(times):
        split = Split.drawn(stream, rows)
        ours, theirs = split.predictions(2, UNLIKE)
        promoted += compare(AUC, split.target, ours + more * split.target, theirs).lower(look_level(1)) > 0
    return {"rows": rows, "gain": gain, "times": times, "share": promoted / times}


Case = tuple[Array, Array, Array, Array | None]  # target, challenger, champion, cluster


def two_classes(stream: np.random.Generator, rows: int) -> Case:
    """Draw two models of two classes; the challenger is a little better."""
    split = Split.drawn(stream, rows)
    ours, theirs = split.predictions(noise=0.3)[0], split.predictions(noise=0.5)[0]
    return split.target, chances(1.4 * (ours - 1.2)), chances(1.4 * (theirs - 1.2)), None


def numbers(stream: np.random.Generator, rows: int) -> Case:
    """Draw two models of a number with heavy tails; the challenger is a little better."""
    truth = stream.normal(size=rows)
    target = truth + 0.5 * stream.standard_t(5, size=rows)
    ours, theirs = (
        0.95 * truth + 0.2 * stream.normal(size=rows),
        0.9 * truth + 0.25 * stream.normal(size=rows),
    )
    return target, ours, theirs, None


def users(stream: np.random.Generator, rows: int) -> Case:
    """Draw ten rows of each user, whose faults both models make alike; neither is better."""
    user = np.repeat(np.arange(rows // 10), 10)
    own, ours, theirs = stream.normal(size=(3, rows // 10))[:, user]
    target = (stream.random(rows) < chances(SIGNAL * own)).astype(np.int64)
    return target, chances(SIGNAL * own + 0.8 * ours), chances(SIGNAL * own + 0.8 * theirs), user


Draw = Callable[[np.random.Generator, int], Case]
KINDS: dict[Draw, str] = {two_classes: "two classes", numbers: "a number", users: "ten rows of each user"}
CASES: tuple[tuple[str, int, bool, Draw], ...] = (
    ("auc", 300, False, two_classes),
    ("accuracy", 300, False, two_classes),
    ("log_loss", 300, False, two_classes),
    ("brier", 300, False, two_classes),
    ("rmse", 300, False, numbers),
    ("log_loss", 1_000, True, users),
    ("log_loss", 1_000, False, users),
)


def _true_gain(measure: Measure, draw: Draw) -> float:
    stream, gains = np.random.default_rng(0), []
    for _ in range(20):
        target, ours, theirs, _ = draw(stream, 100_000)
        gains.append(measure.value(target, ours, None) - measure.value(target, theirs, None))
    return float(np.mean(gains)) * (1 if measure.mode == "max" else -1)
