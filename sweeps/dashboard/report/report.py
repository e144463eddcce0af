"""The report of a sweep: ``report.html`` for readers, ``report.md`` for pull requests, both in the folder of the sweep."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from sweeps.dashboard.facts.sweep_facts import facts_of, readable_sweep
from sweeps.dashboard.report.bundle import bundle
from sweeps.dashboard.report.curves import curves_of
from sweeps.dashboard.report.markdown import markdown
from sweeps.dashboard.report.page import ENTRY, page
from sweeps.dashboard.report.pictures import draw_pictures, load_matplotlib
from sweeps.dashboard.report.winner_pictures import winner_pictures
from sweeps.dashboard.report.writer import HTML, MARKDOWN
from sweeps.ranking.beliefs import what_decides
from sweeps.ranking.importance import LEAST_JOBS, why_not_loaded
from sweeps.ranking.status import SweepStatus, sweep_status
from tracking.files import write_bytes

LARGEST = 490_000  # bytes of a page; pictures of the winner fill what is left
DIGITS = 6  # of further metrics


class Report(NamedTuple):
    """The files of a report."""

    html: Path
    markdown: Path


def write_report(folder: Path, *, has_ended: bool = False) -> Report:
    """Write the report of the sweep in `folder` as it is now, finished or not; raise as `rank` does.

    With `has_ended` the process of the sweep asks for it, which has no more to do.
    Each file is replaced as a whole. Loads matplotlib where it is installed, and scikit-learn if there are enough jobs.
    """
    html_text, markdown_text = report_of(folder, has_ended=has_ended)
    report = Report(folder / HTML, folder / MARKDOWN)
    write_bytes(report.html, html_text)
    write_bytes(report.markdown, markdown_text)
    return report


def warm_up(jobs: int) -> None:
    """Load what the report of a sweep with so many jobs needs."""
    bundle(ENTRY)
    load_matplotlib()
    if jobs >= LEAST_JOBS and find_spec("sklearn") is not None:
        why_not_loaded()  # the forest is grown later, and says what is wrong


def report_of(folder: Path, *, has_ended: bool = False) -> tuple[bytes, bytes]:
    """Return the page and the Markdown of a report; write nothing."""
    with readable_sweep(folder):
        return _report_of(sweep_status(folder, is_running=False if has_ended else None))


def _report_of(found: SweepStatus) -> tuple[bytes, bytes]:
    facts = facts_of(found, what_decides(found.board, found.history.reached))
    facts["curves"] = curves_of(found)
    facts["pictures"] = []
    facts = _small(facts)
    pictures = draw_pictures(facts)
    html_text = page(facts, pictures).encode()
    known, left = [], LARGEST - len(html_text)
    for picture in winner_pictures(found):
        cost = 2 * len(picture["src"])  # once for each kind of reader
        if cost < left:
            known.append(picture)
            left -= cost
    if known:
        facts["pictures"] = known
        html_text = page(facts, pictures).encode()
    return html_text, markdown(facts).encode()


def _small(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with as many digits of further metrics, and as many points of curves, as a reader needs."""
    jobs = dict(facts["jobs"])
    jobs["metrics"] = {name: [_short(value) for value in column] for name, column in jobs["metrics"].items()}
    return {**facts, "jobs": jobs, "verdict": facts["verdict"] and _thinned(facts["verdict"])}


def _thinned(verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict whose ROC curves have half of their points, which the eye does not miss."""
    curves = [
        {**each, **{name: [*each[name][:-1:2], each[name][-1]] for name in ("fpr", "tpr")}}
        for each in verdict["pictures"].get("curves", ())
    ]
    return {**verdict, "pictures": {**verdict["pictures"], **({"curves": curves} if curves else {})}}


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
