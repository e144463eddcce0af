"""The pictures of the docs: a sweep of the default recipe, its dashboard and its report.

python -m benchmarks pictures [--store DIR]   (writes docs/pictures; keeps and uses the store if one is named)
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contestants import ROOT
from benchmarks.dashboard.browsing import browser, page, ready
from benchmarks.dashboard.serving import Dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = ROOT / "docs" / "pictures"
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
    f"sweep.name={SWEEP}",
)


def main(arguments: Sequence[str]) -> int:
    """Make the pictures, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks pictures", description=__doc__)
    parser.add_argument("--store", type=Path, metavar="DIR", help="where the sweep is, or is to be")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="podium-pictures-") as scratch:
        store = (options.store or Path(scratch) / "experiments").absolute()
        report = store / "sweeps" / SWEEP / "report.html"
        if not report.parent.exists():
            _run("trainer", "-m", *RECIPE, f"paths.experiments={store}")
        _run("sweeps", "report", SWEEP, "--store", str(store))  # as it is drawn now
        PICTURES.mkdir(parents=True, exist_ok=True)
        with browser() as started:
            with Dashboard(store) as served, page(started, color_scheme="light") as opened:
                opened.goto(f"{served.address}#/runs?sort=-val_auc.max")
                ready(opened, "runs")
                opened.locator("[role=grid] .vt-body .vt-row a").first.wait_for()
                _take(opened, "dashboard-runs")
                opened.goto(f"{served.origin}#/sweep/{SWEEP}")
                ready(opened, "sweep")
                opened.locator("[data-section=best] .chart").first.wait_for()
                opened.wait_for_load_state("networkidle")
                _take(opened, "dashboard-sweep")
            with page(started, color_scheme="light", offline=True) as opened:
                opened.goto(report.as_uri())
                ready(opened, "report")
                opened.locator("[data-section=parallel]").evaluate(BELOW_TOP)
                _take(opened, "report")
    return 0


def _run(program: str, *words: str) -> None:
    subprocess.run([sys.executable, "-m", program, *words], cwd=ROOT, check=True)


def _take(page: "Page", name: str) -> None:
    """Write what a page shows, with few colours."""
    from PIL import Image

    page.evaluate("painted()")
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    path = PICTURES / f"{name}.png"
    few.save(path, optimize=True)
    print(f"wrote {path.relative_to(ROOT)}, {path.stat().st_size / 1000:.0f} kB")
