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

ANCHORS = (  # of the standard split of Adult
    ("LogisticRegression", "1", "0.8530", "0.9055", "scikit-learn, default settings"),
    ("MLPClassifier", "1", "0.8561", "0.9088", "scikit-learn, early stopping"),
    ("HistGradientBoostingClassifier", "1", "0.8730", "0.9272", "scikit-learn, default settings"),
    ("MLP", "15", "0.852", "-", "Gorishniy et al. 2021, arXiv:2106.11959"),
    ("FT-Transformer", "15", "0.859", "-", "the same"),
)

Row = Mapping[str, Any]


def markdown(results: Mapping[str, Any]) -> str:
    """Return the table of all scores: mean and standard deviation over the seeds."""
    lines = [_line(name, facts, results["scores"]) for name, facts in results["tables"].items()]
    title = ("table", "rows", "metric", *WHO, "default - better of linear, MLP", "sweep - trees")
    return as_markdown(title, lines)


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
    seconds = as_markdown(("table", *WHO), [_seconds(name, results) for name in results["tables"]])
    adult = as_markdown(("model", "seeds", "accuracy", "AUC", "from"), _adult(results.get("recipes", [])))
    text = TEMPLATE.read_text().format(
        table=markdown(results), verdicts="\n".join(f"- {each}" for each in verdicts(results)),
        facts=facts, seconds=seconds, adult=adult,
    )  # fmt: skip
    page.write_text(text)
    print(f"wrote {page}")


def _line(name: str, facts: Row, scores: Sequence[Row]) -> list[str]:
    cells = [_spread(_values(name, scores, who)) for who in WHO]
    gaps = (_gap(name, scores, DEFAULT, (LINEAR, PERCEPTRON)), _gap(name, scores, SWEEP, (TREES,)))
    signed = ["-" if each is None else f"{each:+.4f}" for each in gaps]
    return [name, f"{sum(facts['rows']):,}", METRICS[facts["task"]], *cells, *signed]


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
    return f"{mean:.4f}" if len(values) == 1 else f"{mean:.4f} ± {statistics.stdev(values.values()):.4f}"


def _seconds(name: str, results: Mapping[str, Any]) -> list[str]:
    found = [_values(name, results["scores"], who, "seconds") for who in WHO]
    return [name, *(f"{statistics.mean(each.values()):.1f}" if each else "-" for each in found)]
