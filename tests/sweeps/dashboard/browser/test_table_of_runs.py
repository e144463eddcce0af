"""What one does in the table of runs: filter, sort, group, choose columns, select, compare; with a mouse or with keys alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from filled_stores import DROPOUT, RATE, auc, params_of, run_id, write_run

RUNS = 60
FILTER = "input[aria-label='Filter of runs']"
GRID = "[role=grid][aria-label=Runs]"
ROW = f"{GRID} .vt-body .vt-row"


@pytest.fixture
def runs(filled: Callable[..., Any], visit: Callable[..., Any]) -> Any:
    """The table of 60 runs."""
    page = visit(filled(RUNS)[0]).open("runs")
    page.find(ROW).first.wait_for()
    return page


def shown(page: Any) -> list[str]:
    """Return the runs in view, from the top."""
    return page.page.evaluate(
        """() => [...document.querySelectorAll("[role=grid] .vt-body .vt-row")]
          .sort((one, other) => one.dataset.index - other.dataset.index)
          .map((row) => row.querySelector("a")?.textContent)"""
    )


def settled(page: Any, *parts: str) -> None:
    """Wait until the table shows the answer to a question in whose words the parts stand."""
    for part in parts:
        page.find(f".runs-place[data-shown*='{part}']").wait_for()


def asked_filter(answer: Any) -> str | None:
    """Return the filter that an answer is about."""
    return parse_qs(urlsplit(answer.url).query).get("filter", [None])[0]


def column(page: Any, name: str) -> Any:
    return page.find(f"{GRID} [role=columnheader]").filter(has_text=re.compile(f"^{re.escape(name)}"))


def test_the_newest_runs_come_first_and_scrolling_brings_the_others(runs: Any) -> None:
    assert shown(runs)[0] == run_id(RUNS)
    runs.find(GRID).evaluate("grid => { grid.scrollTop = grid.scrollHeight }")
    runs.find(ROW).filter(has_text=re.compile("^run_001")).wait_for()
    assert runs.find(GRID).get_attribute("aria-rowcount") == str(RUNS + 1)


def test_a_filter_leaves_what_passes_it_and_stands_in_the_address(runs: Any) -> None:
    expected = [number for number in range(RUNS, 0, -1) if params_of(number)[DROPOUT] < 0.1]
    runs.find(FILTER).fill(f"{DROPOUT} < 0.1")
    settled(runs, "< 0.1")
    runs.find("main [role=status]").filter(has_text=f"{len(expected)} of {RUNS} runs").wait_for()
    assert shown(runs) == [run_id(number) for number in expected]
    assert "filter=model.dropout" in runs.address
    runs.find("[aria-label='Clear the filter']").click()
    runs.find("main [role=status]").filter(has_text=f"{RUNS} runs").wait_for()
    assert "filter" not in runs.address


def test_a_mistake_in_a_filter_is_shown_with_its_place_and_the_table_stays(runs: Any) -> None:
    before = shown(runs)[:10]
    runs.find(FILTER).fill("val_auc >> 3")
    runs.find(FILTER).press("Enter")
    carets = runs.find("pre.carets")
    carets.filter(has_text="^").wait_for()
    marked, place = next(
        (above, below)
        for above, below in zip(
            carets.inner_text().splitlines(), carets.inner_text().splitlines()[1:], strict=False
        )
        if set(below) <= {" ", "^"} and "^" in below
    )
    assert marked[place.index("^")] == ">"
    assert runs.find(FILTER).get_attribute("aria-invalid") == "true"
    assert shown(runs)[:10] == before
    runs.find(FILTER).fill("val_auc > 0")
    runs.find(FILTER).press("Enter")
    carets.wait_for(state="hidden")


def test_names_are_offered_while_one_types(runs: Any) -> None:
    runs.find(FILTER).press_sequentially("learn")
    offered = runs.find(".words [role=option]").filter(has_text="learning_rate").first
    offered.wait_for()
    runs.find(FILTER).press("ArrowDown")
    runs.find(FILTER).press("Enter")
    assert "learning_rate" in runs.find(FILTER).input_value()
    runs.find(FILTER).press_sequentially(" < 0.001")
    expected = [number for number in range(RUNS, 0, -1) if params_of(number)[RATE] < 0.001]
    settled(runs, "< 0.001")
    assert shown(runs)[0] == run_id(expected[0])


def test_a_click_on_a_column_sorts_and_shift_adds_a_second_key(runs: Any) -> None:
    best = sorted(range(1, RUNS + 1), key=auc, reverse=True)
    column(runs, "val_auc").get_by_role("button").click()
    settled(runs, "-val_auc")
    assert shown(runs)[:5] == [run_id(number) for number in best[:5]]
    assert column(runs, "val_auc").get_attribute("aria-sort") == "descending"
    column(runs, "val_auc").get_by_role("button").click()
    column(runs, "val_auc").and_(runs.find("[aria-sort=ascending]")).wait_for()
    settled(runs, '["val_auc')
    assert shown(runs)[0] == run_id(best[-1])
    column(runs, "experiment").get_by_role("button").click(modifiers=["Shift"])
    settled(runs, '"experiment"')
    assert len(re.findall("sort=", runs.address)) == 2


def test_runs_that_differ_in_their_seed_become_one_row(runs: Any) -> None:
    runs.find("label.toggle").filter(has_text="Group seeds").click()
    runs.find("main [role=status]").filter(has_text=re.compile("group")).wait_for()
    assert "seeds=1" in runs.address


def test_columns_are_chosen_by_name_and_stand_in_the_address(runs: Any) -> None:
    runs.find("button").filter(has_text=re.compile("^Columns$")).click()
    runs.find(".panel input[type=search]").fill("team")
    runs.find(".pick-line").filter(has_text="team").first.click()
    column(runs, "team").wait_for()
    assert "team" in runs.address
    runs.page.keyboard.press("Escape")
    runs.find(".panel .pick").wait_for(state="detached")
    assert runs.find("button:focus").inner_text() == "Columns"


def test_an_experiment_is_chosen_and_stands_in_the_address(runs: Any) -> None:
    runs.find("button").filter(has_text="All experiments").click()
    runs.find(".pick-line").filter(has_text="baseline").click()
    runs.find("main [role=status]").filter(has_text=f"{RUNS // 3} runs").wait_for()
    assert "experiment=baseline" in runs.address


def test_chosen_runs_are_compared(runs: Any) -> None:
    boxes = runs.find(f"{ROW} .vt-check")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    runs.find("button").filter(has_text="Compare 3 runs").click()
    runs.wait("compare")
    runs.find("h1").filter(has_text="Compare 3 runs").wait_for()
    assert re.findall("run=(run_[0-9]+)", runs.address) == [run_id(RUNS - place) for place in range(3)]
    runs.page.go_back()
    runs.wait("runs")
    runs.find("button").filter(has_text="Compare 3 runs").wait_for()


def test_a_run_opens_with_a_click_on_its_name(runs: Any) -> None:
    runs.find(ROW).first.get_by_role("link").first.click()
    runs.wait("run")
    assert runs.address == f"run/{run_id(RUNS)}"


def test_keys_alone_are_enough(runs: Any) -> None:
    press = runs.page.keyboard.press
    runs.find("body").press("Tab")
    assert runs.find(":focus").inner_text() == "Skip to the content"
    for _ in range(40):
        press("Tab")
        if runs.find(f"{GRID}:focus").count():
            break
    assert runs.find(f"{GRID}:focus").count() == 1
    press("ArrowDown")
    press("ArrowDown")
    press("Space")
    press("Shift+ArrowDown")
    runs.find("button").filter(has_text="Compare 2 runs").wait_for()
    press("Escape")
    runs.find("button").filter(has_text="Compare all shown").wait_for()
    press("End")
    runs.find(f"{ROW}.active").filter(has_text="run_001").wait_for()
    active = runs.find(GRID).get_attribute("aria-activedescendant")
    assert runs.find(f"#{active}").inner_text().startswith("run_001")
    press("Home")
    press("ArrowDown")
    press("Enter")
    runs.wait("run")
    assert runs.address == f"run/{run_id(RUNS - 1)}"


def test_a_mean_says_of_how_many_runs_of_its_group_it_is(
    tmp_path: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    store = tmp_path / "experiments"
    for number, (epochs, status) in enumerate(
        [(599.0, "completed"), (399.5, "completed"), (317.0, "killed")], 1
    ):
        facts: dict[str, Any] = {"status": status, "experiment_name": "x"}
        write_run(store, number, params={"lr": 1, "seed": number}, metrics={"epochs": [epochs]}, **facts)
    page = visit(serve(store)).open("runs?seeds=1&columns=epochs&columns=seed")
    row = page.find(ROW).first
    row.get_by_text("2 of 3", exact=True).wait_for()
    words = row.inner_text()
    assert "499" in words
    assert "e+" not in words
    assert "1, 2, 3" in words


def test_each_key_of_a_filter_is_applied_and_the_way_back_leads_before_it(runs: Any) -> None:
    before = shown(runs)
    runs.find(FILTER).press_sequentially("seed == 1")
    settled(runs, "seed == 1")
    assert shown(runs) == [run_id(number) for number in range(RUNS, 0, -1) if number % 5 == 1]
    runs.page.go_back()
    runs.find(".runs-place:not([data-shown*='seed'])").wait_for()
    assert shown(runs) == before


def test_a_filter_that_is_half_typed_leaves_the_console_empty(runs: Any) -> None:
    words = "val_auc.max > 0.9"
    answers = []
    for end, key in enumerate(words, 1):
        if key == " ":  # what is asked stays the same
            runs.find(FILTER).press(key)
            continue
        with runs.page.expect_response(lambda answer: asked_filter(answer) == words[:end]) as answer:  # noqa: B023 - awaited here
            runs.find(FILTER).press(key)
        answers.append(answer.value)
    settled(runs, "> 0.9")
    assert {answer.status for answer in answers} == {200}
    assert any("refused" in answer.json() for answer in answers)
    assert runs.faults == []


def test_a_filter_that_no_run_passes_shows_so_when_typing_pauses_or_at_enter(runs: Any) -> None:
    empty = runs.find(".runs-place .state").filter(has_text="No run passes")
    runs.find(FILTER).fill(f"{DROPOUT} < 0")
    empty.wait_for()
    runs.find(FILTER).fill(f"{DROPOUT} < 0.1")
    runs.find(ROW).first.wait_for()
    runs.find(FILTER).fill(f"{DROPOUT} < -1")
    runs.find(FILTER).press("Enter")
    empty.wait_for()


@pytest.mark.parametrize("late", [False, True])
def test_half_a_filter_does_not_blank_the_table(late: bool, runs: Any) -> None:
    runs.find(FILTER).focus()
    runs.page.evaluate(
        """([half, whole, late]) => {
          const [field, place, ask] = [document.activeElement, document.querySelector(".runs-place"), window.fetch];
          window.blanked = 0;
          new MutationObserver(() => { blanked += !place.querySelector(".vt"); }).observe(place, { childList: true });
          const type = (words) => {
            field.value = words;
            field.dispatchEvent(new Event("input", { bubbles: true }));
          };
          window.fetch = async (...asked) => {  // the next key comes when the answer to the half is there, or just after
            const answer = await ask(...asked);
            if (!asked[0].includes("%3C+0&")) return answer;
            answer.json = async () => {
              const found = JSON.parse(await answer.text());
              if (late) setTimeout(type, 0, whole);
              else type(whole);
              return found;
            };
            return answer;
          };
          type(half);
        }""",
        [f"{DROPOUT} < 0", f"{DROPOUT} < 0.1", late],
    )
    settled(runs, "< 0.1")
    assert runs.page.evaluate("blanked") == 0
