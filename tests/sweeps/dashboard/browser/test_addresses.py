"""What a view shows is in its address: the way back, a reload, and a colleague's browser show the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled_stores import RATE, SWEEP, params_of, run_id, write_run
from served import Served

RUNS = 60
FILTER = "input[aria-label='Filter of runs']"


def rows(page: Any) -> list[str]:
    """Return the texts of the rows in view, from the top."""
    return page.page.evaluate(
        """() => [...document.querySelectorAll("[role=grid] .vt-body .vt-row")]
          .sort((one, other) => one.dataset.index - other.dataset.index).slice(0, 8).map((row) => row.textContent)"""
    )


def settled(page: Any, part: str) -> list[str]:
    page.find(f".runs-place[data-shown*='{part}']").wait_for()
    return rows(page)


def test_back_and_forward_go_through_what_was_asked(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0]).open("runs")
    first = settled(page, "[]")
    page.find(FILTER).fill("model.kind == 'mlp'")
    second = settled(page, "mlp")
    page.find("[role=columnheader]").filter(has_text="val_auc").get_by_role("button").click()
    third = settled(page, "-val_auc")
    assert len({*map(tuple, (first, second, third))}) == 3
    page.page.go_back()
    page.find(".runs-place:not([data-shown*='val_auc'])").wait_for()
    assert settled(page, "mlp") == second
    page.page.go_back()
    page.find(".runs-place:not([data-shown*='mlp'])").wait_for()
    assert (rows(page), page.find(FILTER).input_value()) == (first, "")
    page.page.go_forward()
    page.page.go_forward()
    assert settled(page, "-val_auc") == third
    assert page.find(FILTER).input_value() == "model.kind == 'mlp'"


@pytest.mark.parametrize("way", ["reload", "share"])
def test_a_reload_and_another_browser_show_the_same_table(
    way: str, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, _ = filled(RUNS)
    page = visit(served).open("runs")
    page.find(FILTER).fill(f"{RATE} > 0.001 and tags.team == 'ads'")
    settled(page, "ads")
    page.find("[role=columnheader]").filter(has_text="duration").get_by_role("button").click()
    before = settled(page, "duration")
    expected = {run_id(number) for number in range(1, RUNS + 1, 2) if params_of(number)[RATE] > 0.001}
    assert before
    assert all(any(one in row for one in expected) for row in before)
    if way == "reload":
        page.page.reload()
        other = page.wait("runs")
    else:
        other = visit(served).open(page.address)
    assert settled(other, "duration") == before
    assert other.find(FILTER).input_value() == f"{RATE} > 0.001 and tags.team == 'ads'"
    sorted_by = other.find(
        "[role=columnheader][aria-sort=descending], [role=columnheader][aria-sort=ascending]"
    )
    assert sorted_by.all_inner_texts()[0].startswith("duration")


def test_what_is_drawn_how_is_in_the_address_of_a_comparison(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, _ = filled(RUNS)
    page = visit(served).open(f"compare?run={run_id(1)}&run={run_id(2)}&run={run_id(3)}")
    page.find("label").filter(has_text="log y").click()
    page.find("label").filter(has_text="Only differences").click()
    page.find("select").first.select_option("time")
    page.find("input[type=range]").fill("0.6")
    page.find(".curve-plot").first.wait_for()
    for part in ("log=y", "same=1", "x=time", "smooth=0.60", f"run={run_id(3)}"):
        assert part in page.address, (part, page.address)
    other = visit(served).open(page.address)
    assert other.find("label").filter(has_text="log y").locator("input").is_checked()
    assert not other.find("label").filter(has_text="Only differences").locator("input").is_checked()
    assert other.find("select").first.input_value() == "time"
    assert other.find("input[type=range]").input_value() == "0.6"


def test_the_menu_and_the_links_lead_through_all_pages(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(RUNS)[0]).open("runs")
    page.find("nav a").filter(has_text="Sweeps").click()
    page.wait("sweeps").find("main a").filter(has_text=SWEEP).first.click()
    page.wait("sweep").find("a").filter(has_text="Its runs").click()
    page.wait("runs")
    assert settled(page, SWEEP)
    page.find("[role=grid] .vt-body a").first.click()
    page.wait("run").find("a").filter(has_text="Its sweep").click()
    page.wait("sweep")
    page.find("nav a").filter(has_text="Models").click()
    page.wait("models").find("main a").filter(has_text="ctr").first.click()
    page.wait("model").find("main a").filter(has_text=run_id(2)).first.click()
    page.wait("run")
    assert page.find("nav a[aria-current=page]").all_inner_texts() == ["Runs"]
    assert page.page.title() == f"{run_id(2)} · podium"


def test_colours_follow_the_machine_until_the_reader_chooses(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, _ = filled(3)

    def paper(page: Any) -> str:
        return page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    page = visit(served, color_scheme="dark").open("runs")
    dark = paper(page)
    page.page.emulate_media(color_scheme="light")
    light = paper(page)
    assert light != dark
    choose = page.find("button[title^=Colours]")
    choose.click()
    choose.click()
    assert choose.get_attribute("title") == "Colours: dark"
    assert paper(page) == dark
    page.page.reload()
    page.wait("runs")
    assert paper(page) == dark


def test_each_of_several_stores_has_addresses_of_its_own(visit: Callable[..., Any], tmp_path: Path) -> None:
    for name, number in (("one", 1), ("two", 2)):
        write_run(tmp_path / name, number)
    with Served("--port", 0, "--store", tmp_path / "one", "--store", tmp_path / "two") as served:
        page = visit(served).open("runs")
        page.find("[role=grid]").get_by_text(run_id(1)).wait_for()
        page.find("select").select_option(label="two")
        page.find("[role=grid]").get_by_text(run_id(2)).wait_for()
        assert "store=1" in page.address
        page.find("[role=grid] .vt-body a").first.click()
        page.wait("run").find("h1").filter(has_text=run_id(2)).wait_for()
        page.page.go_back()
        page.page.go_back()
        page.find("[role=grid]").get_by_text(run_id(1)).wait_for()


def test_a_browser_without_the_key_is_told_where_to_find_it(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(3)[0])
    page.allow("status of 403")
    page.key = ""
    page.page.goto(page.base)
    page.find("body").get_by_text("podium dashboard").first.wait_for()
    assert not page.find("[role=grid]").count()
