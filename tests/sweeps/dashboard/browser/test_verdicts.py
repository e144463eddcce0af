"""Verdicts in a browser: every kind on the page of its version and in a report, whole, labelled, and as text."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aria import NAMELESS, WRONG
from filled_stores import run_id
from told import NAME, Told
from verdicts_made import HASH, KINDS, MODEL, hostile, judge_winner, judged_store, many_guards, scored

from sweeps.dashboard.report.report import write_report
from tracking import ModelRegistry, Verdict
from tracking.paths import StorePaths
from tracking.rerun.result import Likeness, RerunResult, keep

PHONE = {"viewport": {"width": 375, "height": 800}, "color_scheme": "dark"}
MARKUP = '<img src=x onerror="window.ran=1">'
HOSTILE = f"{MARKUP}</script><script>window.ran=1</script>\u202e{'word ' * 60}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model for each kind of verdict, and a hostile one."""
    path = tmp_path_factory.mktemp("judged") / "experiments"
    for place, (name, verdict) in enumerate({**KINDS, "hostile": hostile(HOSTILE)}.items()):
        judged_store(path, verdict, name=name, runs=not place)
    return path


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_every_kind_of_verdict_is_shown_whole(
    device: dict[str, Any], store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store), **device)
    for name in [*KINDS, "hostile"]:
        page.open(f"model/{name}?version=2")
        verdict = page.find("details[data-version='2'] .verdict")
        verdict.wait_for()
        promoted = KINDS.get(name, {"promote": True})["promote"]
        assert verdict.locator(".badge").inner_text() == ("✓ promoted" if promoted else "✗ not promoted")
        assert (
            verdict.locator("table.rules tbody tr").count() == len(KINDS.get(name, {}).get("rules") or [])
            or name == "hostile"
        )
        page.page.wait_for_function(
            "() => [...document.querySelectorAll('main .chart-stage')].every((one) => one.ariaLabel)"
        )
        assert NAMELESS.findall(page.find("body").aria_snapshot()) == [], name
        assert page.page.evaluate(WRONG) == [], name
        assert not page.too_wide(), name
        assert page.page.evaluate("window.ran") is None
        assert not page.find("main img").count()


def test_a_verdict_says_the_look_the_rows_the_choice_and_draws_each_gain(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("model/refused?version=2")
    verdict = page.find("details[data-version='2'] .verdict")
    words = verdict.inner_text()
    for each in (
        "look 2 at these rows, judged at 0.76 % so that all looks together stay at 5 %",
        "about 4,200 further rows would tell",
        "chosen as the best of 16 jobs by val_auc, 0.7803: 0.0061 better than on these rows (0.7742); about 0.004",
        HASH[:12],
    ):
        assert each in words
    bars = verdict.locator(".interval")
    assert bars.count() == 3
    assert (
        bars.first.get_attribute("aria-label")
        == "a gain of 0.0123, between -0.0013 and 0.0259; more than 0 is asked"
    )
    assert bars.nth(2).get_attribute("aria-label").startswith("a gain of 0.2 ms, between -0.4 ms and 0.7 ms")
    assert "is-bad" in str(bars.first.get_attribute("class"))
    charts = verdict.locator(".chart-stage")
    assert charts.count() == 2
    charts.first.focus()
    page.page.keyboard.press("End")
    assert verdict.locator(".chart-tip").first.inner_text().startswith("v1, champion")
    verdict.locator(".chart-gains .chart-table > summary").click()
    verdict.locator(".chart-gains tbody tr").nth(39).wait_for()
    verdict.get_by_text("Versions and hashes").click()
    assert HASH in verdict.locator(".hashes").inner_text()


def test_the_history_tells_of_promotions_refusals_and_looks_and_leads_to_each_version(
    store: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(store)).open("model/refused")
    what = page.find(".history tbody tr td:nth-child(2)").all_inner_texts()
    assert [words.strip("✓✗· ") for words in what] == [
        "v2 was refused",
        "v2 was compared with the champion (look 1)",
        "v2 registered",
        "v1 became champion",
        "v1 registered",
    ]
    assert page.find("details[data-version='2']").get_attribute("open") is None
    page.find(".history a").filter(has_text="v2").first.click()
    page.find("details[data-version='2'][open] .verdict").wait_for()
    assert page.address == "model/refused?version=2"
    page.open("models")
    page.find("tr").filter(has_text="many_guards").get_by_role("link", name="v2").last.click()
    page.find("details[data-version='2'][open] .verdict").wait_for()
    assert page.address == "model/many_guards?version=2"


def test_a_verdict_is_asked_for_when_its_version_opens_and_again_when_it_is_another(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored())
    page = visit(serve()).open(f"model/{MODEL}")
    asked = [url for url in page.requests if "/version/" in url]
    assert [url.rpartition("/")[2] for url in asked] == ["2"]
    page.find("details[data-version='1'] > summary").click()
    page.find("details[data-version='1']").get_by_text("The gate has not judged it.").wait_for()
    registry.record_verdict(MODEL, 2, Verdict.from_json({**many_guards(), "at": "2026-02-01T00:00:00+00:00"}))
    page.find("details[data-version='2'] .badge.is-bad").first.wait_for()
    assert page.find("details[data-version='2'] table.rules").count() == 1  # the old one stays meanwhile
    page.find("details[data-version='2'] table.rules tbody tr").nth(12).wait_for()


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_every_verdict_that_a_version_keeps_has_an_address_and_the_one_that_counts_is_marked(
    device: dict[str, Any], serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored(promote=False))
    registry.record_verdict(MODEL, 2, Verdict.from_json({**many_guards(), "by": MARKUP}))
    registry.record_verdict(MODEL, 2, Verdict(False, HOSTILE, ("x",), "scores"))
    page = visit(serve(), **device).open(f"model/{MODEL}?version=2")
    part = page.find("details[data-version='2']")
    part.locator("table.rules tbody tr").nth(12).wait_for()
    part.get_by_text("All 3 decisions on this version").click()
    rows = part.locator(".kept-verdicts tbody tr")
    assert rows.locator("th").all_inner_texts() == ["3", "2", "1"]
    assert [rows.nth(place).locator(".tag").count() for place in range(3)] == [0, 1, 0]
    assert part.get_by_text("This is decision").count() == 0
    part.get_by_role("link", name="decision 1").click()
    part.get_by_text("This is decision 1. What counts is decision 2.").wait_for()
    assert page.address == f"model/{MODEL}?version=2&verdict=1"
    assert part.locator("table.rules tbody tr").count() == 5
    assert part.locator("[aria-current=true]").inner_text() == "1"
    assert NAMELESS.findall(page.find("body").aria_snapshot()) == []
    assert page.page.evaluate(WRONG) == []
    assert not page.too_wide()
    page.page.go_back()
    part.locator("table.rules tbody tr").nth(12).wait_for()
    assert part.get_by_text("This is decision").count() == 0
    page.open(f"model/{MODEL}?version=2&verdict=3")
    part.get_by_text("This is decision 3").wait_for()
    assert part.locator("table.rules").count() == 0
    assert page.page.evaluate("window.ran") is None


OUTSIDE = """() => [...document.querySelectorAll(".grid-box:has(.stacked)")].flatMap((box) => {
  const { left, right } = box.getBoundingClientRect();
  return [...box.querySelectorAll("tbody *")]
    .map((each) => [each.getBoundingClientRect(), each])
    .filter(([at]) => at.width && (at.left < left || at.right > right))
    .map(([, each]) => `${each.tagName} ${each.textContent}`);
})"""
UNNAMED = """() => [...document.querySelectorAll(".rules td.n")]
  .filter((each) => each.textContent && getComputedStyle(each, "::before").content === "none").length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_no_cell_lies_outside_of_the_screen_and_each_figure_is_named(
    scheme: str, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored(promote=False))
    registry.record_verdict(MODEL, 2, Verdict.from_json(many_guards()))
    registry.refuse(MODEL, 2, reason="the objective is not enough, " * 9, by="sweep 20260131-093000-a-name")
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    page = visit(serve(), **phone).open(f"model/{MODEL}?version=2")
    page.find("table.rules tbody tr").nth(12).wait_for()
    page.find("body").get_by_text("All 2 decisions on this version").click()
    assert page.find(".stacked").count() == 3
    assert page.page.evaluate(OUTSIDE) == []
    assert page.page.evaluate(UNNAMED) == 0
    refused = page.find(".history tbody tr").first
    assert refused.bounding_box()["height"] < 180
    assert "the objective is not enough" in refused.inner_text()
    assert page.find(".rules thead").bounding_box()["height"] <= 1
    page.open("models").find(".stacked").wait_for()
    assert page.page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_a_former_champion_that_was_judged_again_says_what_promoted_it(
    device: dict[str, Any], serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored(promote=False))
    kept = registry.record_verdict(MODEL, 2, Verdict.from_json(scored()))
    registry.promote(MODEL, 2, reason=kept.verdict.sentence, by="sweep s", verdict=kept.sha256)
    page = visit(serve(), **device).open(f"model/{MODEL}?version=2")
    part = page.find("details[data-version='2']")
    part.locator("table.rules").wait_for()
    assert "promoted it" not in part.inner_text()
    registry.promote(MODEL, 1, reason=HOSTILE, by=MARKUP)
    again = {**many_guards(), "at": "2026-02-01T00:00:00+00:00"}
    registry.record_verdict(MODEL, 2, Verdict.from_json(again))
    part.locator("summary").first.get_by_text("(another verdict promoted it)").wait_for()
    part.locator("table.rules tbody tr").nth(12).wait_for()
    part.locator(".note").get_by_text("Another verdict promoted it").wait_for()
    part.locator(".note").get_by_role("link", name="decision 2").click()
    part.get_by_text("This is decision 2. What counts is decision 3.").wait_for()
    assert page.address == f"model/{MODEL}?version=2&verdict=2"
    assert part.locator(".note").count() == 1  # what promoted it is what is shown
    registry.record_verdict(MODEL, 1, Verdict.from_json(again))
    other = page.find("details[data-version='1']")
    other.locator("summary").first.get_by_text(f"(promoted by {MARKUP})").wait_for()
    assert NAMELESS.findall(page.find("body").aria_snapshot()) == []
    assert page.page.evaluate(WRONG) == []
    assert not page.too_wide()
    assert page.page.evaluate("window.ran") is None


def test_a_verdict_that_is_not_kept_is_said_to_be_missing(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    judged_store(tmp_path / "experiments", scored())
    page = visit(serve())
    page.allow("404")
    page.open(f"model/{MODEL}?version=2&verdict=9")
    page.find("details[data-version='2']").get_by_text("has no verdict 9").wait_for()


def test_an_archived_version_is_shown_with_why_and_is_not_counted_as_one_in_use(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored(promote=False))
    registry.archive(MODEL, 2, reason=f"too slow {MARKUP}", by="ana")
    page = visit(serve()).open(f"model/{MODEL}")
    page.find("h2").filter(has_text="2 versions, 1 archived").wait_for()
    part = page.find("details.is-archived[data-version='2']")
    assert part.locator("summary .tag").first.inner_text() == "archived"
    part.locator("summary").first.click()
    part.get_by_text(f"by ana: too slow {MARKUP}").wait_for()
    part.locator("table.rules").wait_for()
    assert page.find("details.version:not(.is-archived)").count() == 1


def test_a_damaged_verdict_is_said_and_the_rest_is_shown(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    registry = judged_store(tmp_path / "experiments", scored())
    (registry.version(MODEL, 2).path / "verdict.json").write_text("{")
    page = visit(serve()).open(f"model/{MODEL}?version=2")
    part = page.find("details[data-version='2']")
    part.get_by_text("The gate has not judged it.").wait_for()
    assert "verdict.json" in part.locator(".warn").inner_text()
    assert run_id(2) in part.inner_text()


@pytest.mark.parametrize(
    ("likeness", "mark"), [(Likeness.IDENTICAL, "✓ identical"), (Likeness.DIFFERENT, "✗ different")]
)
def test_a_run_that_was_made_again_says_so_and_so_does_its_version(
    likeness: Likeness, mark: str, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    store = tmp_path / "experiments"
    judged_store(store, scored())
    result = RerunResult(
        run_id(2), run_id(1), likeness, f"val_auc of {MARKUP}", datetime.now(UTC), "ana", 1.5
    )
    keep(StorePaths(store).run(run_id(2)), result)
    page = visit(serve()).open(f"model/{MODEL}?version=2")
    made = page.find("details[data-version='2'] dd").filter(has_text=mark)
    assert f"val_auc of {MARKUP}" in made.inner_text()
    page.open(f"run/{run_id(2)}")
    words = page.find("main p").filter(has_text="Made again")
    assert f"{mark}: val_auc of {MARKUP} ({run_id(1)}, just now)" in words.inner_text()
    words.get_by_role("link", name=run_id(1)).click()
    page.find("h1").filter(has_text=run_id(1)).wait_for()


def told_sweep(path: Path, verdict: dict[str, Any]) -> Told:
    """Return a sweep of three jobs whose winner was judged."""
    told = Told(path, total=3)
    told.begin()
    runs = [told.job(job, 0.6 + job / 10) for job in range(3)]
    told.tell(9.0, "ended")
    judge_winner(told.folder, runs[2], 0.8, verdict)
    return told


@pytest.mark.parametrize("kind", ["promoted", "refused", "residuals", "reliability"])
def test_the_page_of_a_sweep_and_its_report_have_the_same_verdict(
    kind: str, serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    told = told_sweep(tmp_path / "experiments", KINDS[kind])
    page = visit(serve()).open(f"sweep/{NAME}")
    section = page.find("[data-section=verdict]")
    section.scroll_into_view_if_needed()
    section.locator("table.rules").wait_for()
    report = visit(offline=True, **PHONE)
    report.page.goto(write_report(told.folder).html.as_uri())
    report.wait("report")
    same = report.find("[data-section=verdict]")
    for part in (section, same):
        part.locator(".chart-stage").nth(1).wait_for()
        assert part.locator(".interval").count() == 3
    assert section.locator(".verdict dl").first.inner_text() == same.locator(".verdict dl").first.inner_text()
    assert not page.too_wide()
    assert not report.too_wide()
    section.get_by_role("link", name=MODEL).click()
    page.find("details[data-version='1'][open] .verdict").wait_for()


@pytest.mark.parametrize("verdict", [scored(promote=False), hostile(HOSTILE)], ids=["refused", "hostile"])
def test_a_report_without_scripts_shows_the_verdict_and_its_pictures(
    verdict: dict[str, Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    report = write_report(told_sweep(tmp_path / "experiments", verdict).folder).html
    page = visit(offline=True, java_script_enabled=False, **PHONE)
    page.page.goto(report.as_uri())
    main = page.find("main.static-report")
    main.get_by_role("heading", name="Verdict on the winner").wait_for()
    assert main.get_by_role("img", name="The gain of each rule").count() == 1
    assert main.get_by_role("img", name="The challenger and the champion").count() == 1
    assert not page.find("img:not([src^='data:'])").count()
    assert not page.too_wide()
    assert report.stat().st_size < 500_000


def test_a_sweep_whose_version_is_gone_shows_what_it_kept(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    told = told_sweep(tmp_path / "experiments", KINDS["refused"])
    ModelRegistry(told.store).remove(MODEL, 1)
    section = visit(serve()).open(f"sweep/{NAME}").find("[data-section=verdict]")
    section.scroll_into_view_if_needed()
    section.get_by_text("✗ not promoted").wait_for()
    assert "a gain of 0.0123" in section.inner_text()
