"""docs/results.md and the table on the terminal, from the figures."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.figures import as_markdown

PAGE = ROOT / "docs" / "results.md"
TEMPLATE = ROOT / "benchmarks" / "tables" / "page.md"
DEFAULT, SWEEP = "podium, default run", "podium, best of 12 jobs"
LINEAR, PERCEPTRON, TREES = "linear", "MLP", "HistGradientBoosting"
WHO = (LINEAR, PERCEPTRON, TREES, DEFAULT, SWEEP)
ALLOWED = 0.01  # behind the peers
METRICS = {"binary": "AUC", "multiclass": "macro AUC", "regression": "R2"}

ANCHORS = (  # of the standard split of Adult: scikit-learn's as measured elsewhere, then published ones
    ("LogisticRegression", "-", "0.8530", "0.9055", "scikit-learn, an earlier measurement"),
    ("MLPClassifier", "-", "0.8561", "0.9088", "the same"),
    ("HistGradientBoostingClassifier", "-", "0.8730", "0.9272", "the same"),
    ("MLP", "-", "0.852", "-", "Gorishniy et al. 2021, arXiv:2106.11959"),
    ("FT-Transformer", "-", "0.859", "-", "the same paper"),
)

Row = Mapping[str, Any]


def markdown(results: Mapping[str, Any]) -> str:
    """Return the table of all scores: mean and standard deviation over the seeds."""
    who, scores = _present(results), results["scores"]
    pairs = [(DEFAULT, (LINEAR, PERCEPTRON)), (SWEEP, (TREES,))]
    gaps = [(own, peers) for own, peers in pairs if own in who]
    heads = {DEFAULT: "default - better of linear, MLP", SWEEP: "sweep - trees"}
    lines = []
    for name, facts in results["tables"].items():
        cells = [_spread(_values(name, scores, each)) for each in who]
        behind = [_gap(name, scores, own, peers) for own, peers in gaps]
        signed = ["-" if each is None else f"{each:+.4f}" for each in behind]
        lines.append([name, f"{sum(facts['rows']):,}", METRICS[facts["task"]], *cells, *signed])
    return as_markdown(("table", "rows", "metric", *who, *(heads[own] for own, _ in gaps)), lines)


def verdicts(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the table comes to, in sentences."""
    for who, peers, title in (
        (DEFAULT, (LINEAR, PERCEPTRON), "The default run is within .01 of the better of linear and MLP"),
        (SWEEP, (TREES,), "The best of 12 jobs is within .01 of HistGradientBoosting"),
    ):
        gaps = [_gap(name, results["scores"], who, peers) for name in results["tables"]]
        known = [each for each in gaps if each is not None]
        if known:
            good = sum(each >= -ALLOWED for each in known)
            yield f"{title}, or better, on {good} of {len(known)} tables."


def write(results: Mapping[str, Any], page: Path = PAGE) -> None:
    """Write the page."""
    facts = as_markdown(("measured on", ""), results["machine"].items())
    who = _present(results)
    seconds = as_markdown(("table", *who), [_seconds(name, who, results) for name in results["tables"]])
    adult = as_markdown(("model", "seeds", "accuracy", "AUC", "from"), _adult(results.get("recipes", [])))
    text = TEMPLATE.read_text().format(
        table=markdown(results), verdicts="\n".join(f"- {each}" for each in verdicts(results)),
        facts=facts, seconds=seconds, adult=adult,
    )  # fmt: skip
    page.write_text(text)
    print(f"wrote {page}")


def _present(results: Mapping[str, Any]) -> list[str]:
    """Return those who have a score, in order."""
    known = {each["who"] for each in results["scores"]}
    return [each for each in WHO if each in known]


def _adult(scores: Sequence[Row]) -> list[Sequence[str]]:
    """Return the recipes' means and deviations below the anchors."""
    lines: list[Sequence[str]] = [*ANCHORS]
    for name in dict.fromkeys(each["recipe"] for each in scores):
        runs = [each for each in scores if each["recipe"] == name]
        cells = [_spread({each["seed"]: each[key] for each in runs}) for key in ("accuracy", "auc")]
        lines.append((f"podium, `experiment={name}`", str(len(runs)), *cells, "measured here"))
    return lines


def _values(name: str, scores: Sequence[Row], who: str, key: str = "test") -> dict[int, float]:
    return {each["seed"]: each[key] for each in scores if (each["table"], each["who"]) == (name, who)}


def _gap(name: str, scores: Sequence[Row], who: str, peers: Sequence[str]) -> float | None:
    """Return by how much one is better than the best of the peers, over the seeds that all have."""
    own, theirs = _values(name, scores, who), [_values(name, scores, each) for each in peers]
    seeds = [seed for seed in own if all(seed in each for each in theirs)]
    if not seeds:
        return None
    best = max(statistics.mean(each[seed] for seed in seeds) for each in theirs)
    return statistics.mean(own[seed] for seed in seeds) - best


def _spread(values: Mapping[int, float]) -> str:
    if not values:
        return "-"
    mean = statistics.mean(values.values())
    if len(values) == 1:
        return f"{mean:.4f} (1 seed)"
    return f"{mean:.4f} ± {statistics.stdev(values.values()):.4f} ({len(values)})"


def _seconds(name: str, who: Sequence[str], results: Mapping[str, Any]) -> list[str]:
    found = [_values(name, results["scores"], each, "seconds") for each in who]
    return [name, *(f"{statistics.mean(each.values()):.1f}" if each else "-" for each in found)]
