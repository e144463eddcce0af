"""Names and texts that would be code, or would break a page, are text everywhere: nothing runs, and nothing is asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled_stores import run_id, write_run
from told import NAME, Told

from sweeps.dashboard.report.report import write_report
from tracking import ModelRegistry

PHONE = {"viewport": {"width": 375, "height": 800}}
NO_PICTURE = r"status of 400 .*onerror.*\.png"  # a picture that is none is not shown
MARKUP = '<img src=x onerror="window.ran=1">'
HOSTILE = (
    MARKUP,
    "</script><script>window.ran=1</script>",
    "<svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "${window.ran=1}{{window.ran=1}}",
    "__proto__",
    "constructor",
    "toString",
    "quotes ' \" `",
    "a\nnew line\ttab",
    "x" * 2000,
    "many words " * 100,
    "\u202eright to left",
    "NaN",
    "null",
    "a&amp;b",
    "über/..%2f..\\",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which all that others choose is hostile."""
    store = tmp_path_factory.mktemp("hostile") / "experiments"
    names = dict.fromkeys(HOSTILE, 0.5)
    for number, text in enumerate(HOSTILE, 1):
        folder = write_run(
            store,
            number,
            params={**{f"p {other}": other for other in HOSTILE}, "__proto__": text, "n": number},
            metrics={**{name: [0.1, 0.1 * number] for name in names}, "val_auc": [0.1, 0.5 + number / 100]},
            experiment_name=text,
            tags={text: MARKUP, "__proto__": text},
            description=text,
            status="failed" if number % 2 else "completed",
            error=text,
        )
        (folder / "error.txt").write_text(f"Traceback\n{text}\n")
        (folder / "stdout.log").write_text(f"\x1b[31m{text}\x1b[0m\r{MARKUP}\n" * 3)
        (folder / "git.patch").write_text(f"+{text}\n")
        (folder / "config.yaml").write_text(json.dumps({"a": text}))
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        (artifacts / "page.html").write_text("<script>window.ran=1</script>")
        (artifacts / "<img src=x onerror=window.ran=1>.png").write_text("<script>window.ran=1</script>")
        (artifacts / "drawing.svg").write_text(
            "<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran=1'/>"
        )
    told = Told(store, total=len(HOSTILE), swept=("a", MARKUP, "__proto__"), command=("python", MARKUP))
    told.begin()
    for job, text in enumerate(HOSTILE):
        told.ask(job, **{"a": text, MARKUP: job, "__proto__": text})
        told.start(job, 1.0)
        if job % 3:
            run = told.run_of(job, [0.1, 0.5 + job / 100])
            run.finish()
            told.finish(job, 2.0, runs=[run.run_id])
        else:
            (told.folder / "jobs" / str(job)).mkdir(parents=True)
            (told.folder / "jobs" / str(job) / "output.log").write_text(f"{text}\n{MARKUP}\n")
            told.finish(job, 2.0, "failed", error=text, reason="error")
    told.tell(3.0, "ended")
    objective = {"metric": "val_auc", "mode": "max", "value": 0.51}
    registry = ModelRegistry(store)
    version = registry.register("m", run_id(1), files=["page.html"], objective=objective)
    registry.promote("m", version.version, reason=MARKUP)
    return store


@pytest.mark.parametrize("device", [{}, PHONE], ids=["desktop", "phone"])
def test_nothing_of_a_hostile_store_runs_on_any_page(
    device: dict[str, Any], hostile: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(hostile), **device)
    page.allow(NO_PICTURE)
    some = "&".join(f"run={run_id(number)}" for number in range(1, len(HOSTILE) + 1))
    for address in (
        "runs",
        f"run/{run_id(1)}",
        f"run/{run_id(2)}",
        f"compare?{some}&same=1",
        "compare?all=1",
        "sweeps",
        f"sweep/{NAME}",
        "models",
        "model/m",
    ):
        page.open(address)
        for place in page.find("main section:visible").all():
            place.scroll_into_view_if_needed()
        assert not page.too_wide(), address
        assert page.page.evaluate("window.ran") is None, address
        assert page.page.evaluate("({}).polluted === undefined && Object.keys(Object.prototype).length === 0")
        assert not page.find("img:not([src^='api/']):not([src^='assets/']):not([src^='data:'])").count(), (
            address
        )
        assert not page.find("a[href^='javascript']").count(), address
        assert not page.faults, (address, page.faults)


def test_hostile_texts_are_shown_as_they_are(
    hostile: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(hostile))
    page.allow(NO_PICTURE)
    page.open(f"run/{run_id(1)}")
    page.find(".output").filter(has_text=MARKUP).wait_for()
    page.find("main").get_by_text("Traceback").first.wait_for()
    assert MARKUP in page.find("main").inner_text()
    page.open(f"sweep/{NAME}")
    page.find("[data-section=failures]").get_by_text(MARKUP).first.wait_for()


def test_names_of_a_hostile_store_can_be_chosen_and_searched_for(
    hostile: Path, serve: Callable[..., Any], visit: Callable[..., Any]
) -> None:
    page = visit(serve(hostile)).open("runs")
    page.find("button").filter(has_text="All experiments").click()
    page.find(".pick-line").filter(has_text="__proto__").click()
    page.find(".vt-body .vt-row").filter(has_text=run_id(HOSTILE.index("__proto__") + 1)).wait_for()
    page.page.reload()
    page.wait("runs")
    assert page.find(".vt-body .vt-row").count() == 1
    page.find("button").filter(has_text="Columns").click()
    page.find(".panel input[type=search]").fill("onerror")
    page.find(".pick-line").filter(has_text="parameter").click()
    page.find("[role=columnheader]").filter(has_text="p <img").wait_for()
    assert page.page.evaluate("window.ran") is None


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_nothing_of_a_hostile_sweep_runs_in_its_report(
    scripts: bool, hostile: Path, visit: Callable[..., Any], tmp_path: Path
) -> None:
    report = write_report(hostile / "sweeps" / NAME).html.rename(tmp_path / "report.html")
    page = visit(offline=True, java_script_enabled=scripts)
    page.page.goto(report.as_uri())
    if scripts:
        page.wait("report")
        assert page.page.evaluate("window.ran") is None
    page.find("main").get_by_text(MARKUP).filter(visible=True).first.wait_for()
    assert not page.find("img:not([src^='data:'])").count()
    assert not page.find("main script").count()
    assert not page.too_wide()
