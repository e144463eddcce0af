"""Where the reader is when the view changes: at the heading of a new one, and back where they left one."""

from collections.abc import Callable
from typing import Any

import pytest
from filled_stores import FilledStore, run_id
from told import Told

FOCUSED = """() => {
  const held = document.activeElement;
  const grid = held.getAttribute("role") === "grid";
  return grid ? document.getElementById(held.getAttribute("aria-activedescendant")).textContent : held.textContent;
}"""


CHARTS = ("best", "curves", "timeline")  # above the leaderboard
# Sections come into sight when `look()` is called, as where the browser is busy.
BUSY = """(() => {
  const kept = [];
  globalThis.look = () => { while (kept.length) kept.shift()(); };
  globalThis.IntersectionObserver = class extends IntersectionObserver {
    constructor(told, options) { super((...seen) => kept.push(() => told(...seen)), options); }
  };
})()"""
# where the table that has the focus is in the window
WHERE = "() => document.activeElement.closest('[role=grid]').getBoundingClientRect().top"


def focused(page: Any) -> str:
    """Return the text of what has the focus; of a table, that of its active row."""
    return page.page.evaluate(FOCUSED)


def wait_for_focus(page: Any, text: str) -> None:
    page.page.wait_for_function(f"text => ({FOCUSED})().includes(text)", arg=text)


def focus_on_a_row(page: Any) -> tuple[Any, str, float]:
    """Focus the first row of the leaderboard; return it, its text, and where the table is in the window.

    In one go: sections that come into sight are drawn, and may draw the rows anew.
    """
    page.find("[data-section=leaderboard]").scroll_into_view_if_needed()
    row = page.find("[role=grid][aria-label=Leaderboard] .vt-row a").first
    left = row.evaluate(
        "link => { link.scrollIntoView({ block: 'nearest' }); link.focus(); return link.closest('.vt-row').textContent; }"
    )
    return row, left, page.page.evaluate(WHERE)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def test_the_keys_lead_into_a_run_and_back_to_its_row(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(60)[0]).open("runs")
    page.find("[role=grid]").focus()
    press(page, *["ArrowDown"] * 50)
    left = focused(page)
    assert run_id(10) in left
    top = page.find("[role=grid]").evaluate("grid => grid.scrollTop")
    assert top > 0
    press(page, "Enter")
    page.wait("run")
    wait_for_focus(page, run_id(10))
    assert page.find("h1:focus").count() == 1
    assert page.find("#said").inner_text() == run_id(10)
    page.page.go_back()
    page.wait("runs")
    wait_for_focus(page, left)
    assert page.find("[role=grid]:focus").evaluate("grid => grid.scrollTop") == top
    assert page.find("#said").inner_text() == "Runs"
    press(page, "ArrowDown", "Enter")
    page.wait("run").find("h1:focus").filter(has_text=run_id(9)).wait_for()


@pytest.mark.parametrize("times_slower", [1, pytest.param(6, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "device", [{}, {"viewport": {"width": 375, "height": 700}}], ids=["desktop", "phone"]
)
def test_back_on_a_long_page_one_is_where_one_left_it(
    device: dict[str, Any], times_slower: int, filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(60)
    page = visit(served, **device)
    devtools = page.page.context.new_cdp_session(page.page)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": times_slower})
    page.open(f"sweep/{store.sweep}")
    for chart in CHARTS:  # one that is drawn later moves what is below it
        section = page.find(f"[data-section={chart}]")
        section.scroll_into_view_if_needed()
        section.locator("svg").first.wait_for()
    row, left, in_sight = focus_on_a_row(page)
    top = page.page.evaluate("scrollY")
    assert top > 300
    row.press("Enter")
    page.wait("run")
    assert page.page.evaluate("scrollY") == 0
    page.page.go_back()
    page.wait("sweep")
    wait_for_focus(page, left)
    page.page.wait_for_function("top => Math.abs(scrollY - top) < 2", arg=top)
    page.page.wait_for_function(f"left => Math.abs(({WHERE})() - left) < 2", arg=in_sight)
    page.page.go_forward()
    page.wait("run").find("h1:focus").wait_for()


def test_charts_that_are_first_drawn_when_one_is_back_leave_the_row_where_it_was(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(60)
    page = visit(served)
    page.page.add_init_script(BUSY)
    page.open(f"sweep/{store.sweep}")
    row, left, in_sight = focus_on_a_row(page)
    assert not page.find("[data-section=best] svg").count()
    row.press("Enter")
    page.wait("run")
    page.page.go_back()
    page.wait("sweep")
    wait_for_focus(page, left)
    top = page.page.evaluate("scrollY")
    for chart in CHARTS:
        page.page.wait_for_function(
            f"() => {{ look(); return document.querySelector('[data-section={chart}] svg') }}"
        )
    page.page.wait_for_function("top => scrollY > top + 100", arg=top)
    page.page.wait_for_function(f"left => Math.abs(({WHERE})() - left) < 2", arg=in_sight)


def every_view(store: FilledStore) -> list[str]:
    return [
        f"run/{run_id(1)}",
        f"compare?run={run_id(1)}&run={run_id(2)}",
        "sweeps",
        f"sweep/{store.sweep}",
        "models",
        f"model/{store.model}",
    ]


def test_each_view_is_named_and_has_the_focus_at_its_heading(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    served, store = filled(3)
    page = visit(served).open("runs")
    assert page.find("#said").inner_text() == ""
    for address in every_view(store):
        page.page.evaluate("address => { location.hash = address }", f"#/{address}")
        page.find("h1:focus").wait_for()
        page.wait(address.split("/")[0].split("?")[0])
        title = page.page.title().removesuffix(" · podium")
        assert title
        assert page.find("#said").inner_text() == title


def test_a_link_that_was_followed_has_the_focus_again(
    filled: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(filled(3)[0]).open("sweeps")
    link = page.find("main table a").first
    name = link.inner_text()
    link.focus()
    press(page, "Enter")
    page.wait("sweep").find("h1:focus").wait_for()
    page.page.go_back()
    page.wait("sweeps").find("main table a:focus").filter(has_text=name).wait_for()


def test_what_is_not_there_has_the_focus_too(filled: Callable[..., Any], visit: Callable[..., Any]) -> None:
    page = visit(filled(3)[0]).open("runs")
    page.allow("status of 404")
    page.page.evaluate("location.hash = '#/run/run_999'")
    page.wait("failed").find("main:focus").wait_for()


def test_the_focus_stays_while_a_list_is_drawn_anew(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Any
) -> None:
    store = tmp_path / "experiments"
    told = Told(store, total=3)
    told.begin()
    told.job(0, 0.61)
    page = visit(serve(store)).open("sweeps")
    link = page.find("main table a").first
    link.focus()
    name = link.inner_text()
    told.job(1, 0.72, from_s=2.0, to_s=4.0)
    page.find("main table").get_by_text("0.72").wait_for()
    assert focused(page) == name
