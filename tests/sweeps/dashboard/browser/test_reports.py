"""The report as its reader has it: a file, no network, no podium; with scripts and without; for few jobs and for many."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled_stores import RATE, SWEEP, FilledStore, fill_store, run_id

from sweeps.dashboard.report.report import write_report

SIZES = (3, 60, pytest.param(500, marks=pytest.mark.slow))
SECTIONS = (
    "best",
    "curves",
    "parallel",
    "importance",
    "slices",
    "timeline",
    "failures",
    "leaderboard",
    "repeat",
)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], tuple[FilledStore, Path]]:
    """A store whose sweep has so many jobs, and its report, moved away from it."""
    known: dict[int, tuple[FilledStore, Path]] = {}

    def reported(jobs: int) -> tuple[FilledStore, Path]:
        if jobs not in known:
            store = fill_store(tmp_path_factory.mktemp("reported") / "experiments", jobs)
            page = write_report(store.sweep_folder).html
            known[jobs] = store, page.rename(tmp_path_factory.mktemp("mailed") / "report.html")
        return known[jobs]

    return reported


def opened(page: Any, report: Path) -> Any:
    page.page.goto(report.as_uri())
    return page


@pytest.mark.parametrize("jobs", SIZES)
def test_a_report_is_one_small_file_that_asks_nobody(
    jobs: int, reported: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    _, report = reported(jobs)
    assert report.stat().st_size < 500_000
    page = opened(visit(offline=True), report).wait("report")
    for name in SECTIONS:
        section = page.find(f"[data-section={name}]")
        section.scroll_into_view_if_needed()
        assert section.inner_text().strip()
    assert page.requests == [report.as_uri()]
    assert page.find(".chart canvas").count() >= 4
    winner = page.find("[data-section=leaderboard] tr.is-winner")
    assert winner.locator("td").first.inner_text() == "1"


@pytest.mark.parametrize("jobs", SIZES)
def test_a_report_fits_a_phone_in_the_dark(
    jobs: int, reported: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    phone = {"viewport": {"width": 375, "height": 800}, "color_scheme": "dark"}
    page = opened(visit(offline=True, **phone), reported(jobs)[1]).wait("report")
    assert not page.too_wide()


@pytest.mark.parametrize("jobs", SIZES)
def test_without_scripts_a_report_shows_its_pictures_and_its_leaderboard(
    jobs: int, reported: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    store, report = reported(jobs)
    page = opened(visit(offline=True, java_script_enabled=False), report)
    rows = page.find(".static-report table tbody tr")
    assert rows.count() == min(50, store.runs)
    assert rows.first.locator("td").first.inner_text() == "1"
    pictures = page.find(".static-report img")
    assert pictures.count() >= 4
    assert page.find(".static-report img[alt^='The settings of each job']").count() == 1
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 100
        assert picture.get_attribute("alt")
    assert page.find(".static-report").get_by_text("How to repeat it").is_visible()


def test_ranges_of_a_report_pick_jobs(reported: Callable[..., Any], visit: Callable[..., Any]) -> None:
    page = opened(visit(offline=True), reported(60)[1]).wait("report")
    axis = page.find(f"[data-section=parallel] .brush[data-key='{RATE}']")
    axis.focus()
    page.page.keyboard.press("ArrowUp")
    note = page.find("[data-section=parallel] .chart-note").filter(has_text="picked")
    found = re.match(r"(\d+) of 60 jobs picked", note.inner_text())
    assert found
    assert page.find("[data-section=leaderboard] tbody tr").count() == int(found[1])


def test_a_report_is_printed_whole(reported: Callable[..., Any], visit: Callable[..., Any]) -> None:
    page = opened(visit(offline=True, color_scheme="dark"), reported(60)[1]).wait("report")
    printed = page.page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20
    page.page.emulate_media(media="print")
    for name in SECTIONS:
        assert page.find(f"[data-section={name}]").is_visible()
    assert not page.find(".no-print").first.is_visible()


def test_a_report_names_its_sweep_and_runs_without_links(
    reported: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = opened(visit(offline=True), reported(3)[1]).wait("report")
    assert page.page.title() == f"Sweep {SWEEP}"
    page.find("[data-section=leaderboard]").get_by_text(run_id(1)).wait_for()
    assert page.find("a[href^='#/']").count() == 0
