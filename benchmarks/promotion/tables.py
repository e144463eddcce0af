"""The tables of the simulations, in docs/promotion.md and docs/benchmarks.md, made of the figures that are kept."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.contestants import ROOT
from benchmarks.figures import as_markdown
from benchmarks.promotion.simulations import WEEKS
from tracking.statistics.levels import look_level

RESULTS = ROOT / "benchmarks" / "promotion" / "results.json"
PAGES = (ROOT / "docs" / "promotion.md", ROOT / "docs" / "benchmarks.md")
SHOWN_LOOKS = (1, 2, 3, 5, 10, 26, 52)

Results = Mapping[str, Any]


def kept() -> dict[str, Any]:
    """Return the figures that were measured last."""
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def chance(results: Results) -> str:
    """Return how often the best of 16 equal models is promoted, by each way to decide."""
    shares = results["best"]["shares"]
    lines = [
        [who, percent(shares[f"{way}_chosen"]), percent(shares[f"{way}_fresh"])]
        for way, who in (("numbers", "the larger of two numbers"), ("bound", "the bound of the gain at 5 %"))
    ]
    return as_markdown(("decided by", "on the rows that chose the winner", "on fresh rows"), lines)


def looks(results: Results) -> str:
    """Return the level of some looks, and in which share of years anything was promoted by then."""
    shares = results["looks"]["shares"]
    lines = [
        [
            str(look),
            f"{100 * look_level(look):.3g} %",
            percent(shares["counted"][look - 1]),
            percent(shares["planned"][look - 1]),
            percent(shares["each"][look - 1]),
        ]
        for look in SHOWN_LOOKS
    ]
    heads = ("look", "its level", "counted", f"`looks: {WEEKS}`", "each at 5 %")
    return as_markdown(heads, lines)


def rows(results: Results) -> str:
    """Return the smallest gain that a split shows, by its rows."""
    found = results["rows"]
    lines = [
        [f"{line['rows']:,}"]
        + [f"{each:.2g}" for name in ("alike", "unlike") for each in line["gains"][name]]
        + [f"{line['gains']['accuracy'][0]:.2g}"]
        for line in found["lines"]
    ]
    auc = [f"{kind}, look {look}" for kind in ("alike", "unlike") for look in found["looks"]]
    return as_markdown(("rows", *auc, "accuracy, unlike, look 1"), lines)


def coverage(results: Results) -> str:
    """Return how often an interval holds the truth."""
    lines = [
        [
            each["measure"] + (" (drawn by user)" if each["clustered"] else ""),
            each["of"],
            f"{each['rows']:,}",
            percent(each["held"]),
        ]
        for each in results["coverage"]
    ]
    return as_markdown(("measure", "of", "rows", "holds the true gain"), lines)


def checked(results: Results) -> str:
    """Return how often gains that are said to be promoted 8 times in 10 were."""
    lines = [
        [f"{each['rows']:,}", f"{each['gain']:.2g}", f"{each['times']:,}", percent(each["share"])]
        for each in results["rows"]["checked"]
    ]
    return as_markdown(("rows", "true gain", "splits", "promoted"), lines)


TABLES = {"chance": chance, "looks": looks, "rows": rows, "coverage": coverage, "checked": checked}


def with_tables(text: str, results: Results) -> str:
    """Return a page with its tables, which stand between `<!-- promotion: NAME -->` and `<!-- /promotion -->`, made anew."""

    def table(found: re.Match[str]) -> str:
        return f"{found[1]}\n{TABLES[found[2]](results)}\n{found[3]}"

    return re.sub(r"(<!-- promotion: (\w+) -->)\n.*?(<!-- /promotion -->)", table, text, flags=re.DOTALL)


def write(results: Results, pages: tuple[Path, ...] = PAGES) -> Iterator[Path]:
    """Make the tables of the pages anew, and yield each page."""
    for page in pages:
        page.write_text(with_tables(page.read_text(), results))
        yield page


def percent(share: float) -> str:
    """Return a share as text: 0.307 is 30.7 %."""
    value = 100 * share
    return f"{value:.1f} %" if value >= 1 else f"{value:.2g} %" if value > 0 else "0 %"
