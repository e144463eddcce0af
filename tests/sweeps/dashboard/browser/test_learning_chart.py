"""The chart of learning curves by itself: what lies outside of its bounds is not drawn as if it lay on them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.dashboard.report.bundle import ASSETS, bundle

CURVES = 40
MAIN = """
import { learningChart } from "./learning_chart.js";
const mode = location.hash.slice(1);
const sign = mode === "min" ? -1 : 1;
const steps = Array.from({ length: 20 }, (_, step) => step);
const curves = Array.from({ length: 40 }, (_, index) => ({
  label: `job ${index}`, result: sign * (0.8 + index / 4000), x: steps, y: steps.map((step) => sign * (step < 10 ? 0.8 + index / 4000 : index < 20 ? 0.1 : 0.8)),
}));
learningChart(document.getElementById("host"), { metric: "auc", x: "step", curves, best: -1, bands: null, left_out: 0 }, { mode });
"""
# How much of the row of pixels at an edge of the plot is painted, right of the middle.
PAINTED = """
(share) => {
  const canvas = document.querySelector("canvas");
  const [top, bottom] = [26, canvas.clientHeight - 40];
  const ratio = canvas.width / canvas.clientWidth;
  const left = Math.round(canvas.width * 0.6);
  const row = Math.round((top + (bottom - top) * share) * ratio);
  const { data } = canvas.getContext("2d").getImageData(left, row - 2, canvas.width - left - 20 * ratio, 5);
  let count = 0;
  for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
  return count / (data.length / 4);
}
"""


@pytest.fixture
def page(tmp_path: Path, visit: Callable[..., Any]) -> Callable[[str], Any]:
    """Open a page with the chart alone."""
    folder = tmp_path / "assets"
    shutil.copytree(ASSETS, folder)
    (folder / "alone_main.js").write_text(MAIN)
    (tmp_path / "page.html").write_text(
        f"<body><div id=host style='width: 700px'></div><script>{bundle('alone_main.js', folder)}</script>"
    )

    def page(mode: str) -> Any:
        found = visit()
        found.allow("willReadFrequently")  # the test reads the canvas, no page does
        found.page.goto(f"{(tmp_path / 'page.html').as_uri()}#{mode}")
        found.find(".chart-learning canvas").wait_for()
        return found

    return page


@pytest.mark.parametrize(("mode", "worst"), [("max", 1.0), ("min", 0.0)])
def test_curves_far_worse_than_most_leave_the_plot(
    page: Callable[[str], Any], mode: str, worst: float
) -> None:
    chart = page(mode)
    assert "lie outside" in chart.find(".chart-note").inner_text()
    assert chart.page.evaluate(PAINTED, worst) < 0.05
    assert sum(chart.page.evaluate(PAINTED, each / 20) for each in range(2, 19)) > 0.1
