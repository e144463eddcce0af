"""The pictures of the docs: a sweep of the default recipe, its dashboard and its report, a verdict, and the simulations of the gate.

python -m benchmarks pictures [--only KIND] [--store DIR] [--sweep NAME] [--to DIR]

It writes docs/pictures, or into DIR, and keeps and uses the store if one is named. The verdict has a store of its own, whose two sweeps
take a minute. An error of a page is an error of the command.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import ROOT
from benchmarks.dashboard.browsing import browser, page, ready
from benchmarks.dashboard.serving import Dashboard
from benchmarks.promotion import pictures as promotion

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PICTURES = ROOT / "docs" / "pictures"
DASHBOARD, VERDICT, PROMOTION = "dashboard", "verdict", "promotion"
MARGIN = 8  # px around a part
COLOURS = 128  # of a picture: enough for charts, and half the size
BELOW_TOP = "section => { section.scrollIntoView(); scrollBy(0, -16); }"
SWEEP = "learning_rate_and_dropout"
SHOWN = "run_id status created_at duration_s val_auc.max test_auc.max learning_rate model.hidden_dims model.dropout"
COLUMNS = "".join(f"&columns={name}" for name in SHOWN.split())
RECIPE = (
    "model.hidden_dims=[64],[128,64],[256,128,64]",
    "training.learning_rate=tag(log,interval(1e-4,5e-3))",
    "model.dropout=interval(0,0.6)",
    "training.epochs=20",
    "data.rows=16000",
    "sweep.mode=random",
    "sweep.n_trials=40",
)
# The winner of the first becomes the champion, and that of the second beats it.
CHAMPION = ("sweep.name=line", "model=logistic", "training.learning_rate=1e-3,1e-2", "training.epochs=5")
CHALLENGER = (
    "sweep.name=perceptron",
    "training.learning_rate=1e-3,3e-3",
    "model.hidden_dims=[64],[128,64]",
    "training.epochs=15",
    "+promotion.rules.not_worse.log_loss=0.01",
)
JUDGED = ("data.rows=40000", "tracking.experiment_name=ctr_model", "sweep.report_html=false")


def main(arguments: Sequence[str]) -> int:
    """Make the pictures, and return the exit code: 1 where a page had an error."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="where the sweep is, or is to be")
    parser.add_argument("--sweep", default=SWEEP, metavar="NAME", help=f"which sweep is shown ({SWEEP})")
    parser.add_argument(
        "--to", type=Path, default=PICTURES, metavar="DIR", help="where the pictures are written"
    )
    parser.add_argument(
        "--only",
        choices=(DASHBOARD, VERDICT, PROMOTION),
        help="the pictures of one kind, not all; promotion needs no browser",
    )
    options = parser.parse_args(arguments)
    options.to.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    if options.only in {None, PROMOTION}:
        promotion.draw(options.to)
    with tempfile.TemporaryDirectory(prefix="podium-pictures-") as scratch:
        if options.only in {None, DASHBOARD}:
            store = (options.store or Path(scratch) / "experiments").absolute()
            if not (store / "sweeps" / options.sweep).exists():
                _run("trainer", "-m", *RECIPE, f"sweep.name={options.sweep}", f"paths.experiments={store}")
            _run("sweeps", "report", options.sweep, "--store", str(store))  # as it is drawn now
            faults += _pictures(store, options.sweep, options.to)
        if options.only in {None, VERDICT}:
            judged = Path(scratch) / "judged"
            for recipe in (CHAMPION, CHALLENGER):
                _run("trainer", "-m", *recipe, *JUDGED, f"paths.experiments={judged}")
            faults += _verdict(judged, options.to)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _pictures(store: Path, sweep: str, to: Path) -> list[str]:
    """Write the pictures, and return what the pages had to complain of."""
    faults: list[str] = []
    report = store / "sweeps" / sweep / "report.html"
    with browser() as started:
        with Dashboard(store) as served, page(started, color_scheme="light") as opened:
            _listen(opened, faults)
            opened.goto(f"{served.address}#/runs?sort=-val_auc.max")
            ready(opened, "runs")
            opened.locator("[role=grid] .vt-body .vt-row a").first.wait_for()
            _take(opened, to / "dashboard-runs.png")
            opened.goto("about:blank")  # a view that one comes to from another has a ring around its heading
            opened.goto(f"{served.origin}#/sweep/{sweep}")
            ready(opened, "sweep")
            opened.locator("[data-section=best] .chart").first.wait_for()
            opened.wait_for_load_state("networkidle")
            _take(opened, to / "dashboard-sweep.png")
        with page(started, color_scheme="light", offline=True) as opened:
            _listen(opened, faults)
            opened.goto(report.as_uri())
            ready(opened, "report")
            opened.locator("[data-section=parallel]").evaluate(BELOW_TOP)
            _take(opened, to / "report.png")
    return faults


def _verdict(store: Path, to: Path) -> list[str]:
    """Write the picture of the verdict on the second version of a store's model, and return what the page had to complain of."""
    faults: list[str] = []
    size = {"width": 1240, "height": 2000}  # high enough to show all of it
    with (
        browser() as started,
        Dashboard(store) as served,
        page(started, color_scheme="light", viewport=size) as opened,
    ):
        _listen(opened, faults)
        opened.goto(f"{served.address}#/model/ctr_model?version=2")
        ready(opened, "model")
        part = opened.locator("details[data-version='2'] .verdict")
        part.locator(".chart-stage").nth(1).wait_for()
        _take(opened, to / "verdict.png", part)
    return faults


def _listen(page: "Page", faults: list[str]) -> None:
    """Note the errors and warnings of a page."""
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: faults.append(f"{page.url}: {said.text}") if said.type in {"error", "warning"} else None,
    )


def _run(program: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", program, *words], cwd=ROOT, check=True)


def _take(page: "Page", path: Path, part: "Locator | None" = None) -> None:
    """Write what a page shows, or a part of it, with few colours."""
    from PIL import Image

    page.evaluate("painted()")
    options: dict[str, Any] = {}
    if part is not None and (box := part.bounding_box()) is not None:
        start = {name: box[name] - MARGIN for name in ("x", "y")}
        size = {name: box[name] + 2 * MARGIN for name in ("width", "height")}
        options = {"clip": {**start, **size}}
    with Image.open(io.BytesIO(page.screenshot(**options))) as taken:
        few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB")
