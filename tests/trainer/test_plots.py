"""Three plots, drawn fast and without matplotlib's global state."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer.plots import calibration, draw, quantile_bins, wilson
from trainer.scoring import Scores

HISTORY = [
    {"train_loss": 1 / n, "val_loss": 1.1 / n, "train_acc": 0.5, "val_acc": 0.5, "val_auc": 0.6}
    for n in range(1, 6)
]


def scored(rows: int) -> Scores:
    probabilities = np.random.default_rng(0).random(rows)
    target = (np.arange(rows) % 2).astype(np.float32)
    return Scores(0.5, 0.5, 0.5, probabilities, target)


@pytest.mark.parametrize("rows", [2, 7, 12000])
@pytest.mark.parametrize("epochs", [1, 5])
def test_it_draws_three_png_files_of_any_run(tmp_path: Path, rows: int, epochs: int) -> None:
    paths = draw(tmp_path / "plots", HISTORY[:epochs], 1, scored(rows))
    assert sorted(each.name for each in paths) == ["calibration.png", "curves.png", "roc.png"]
    assert all(each.read_bytes().startswith(b"\x89PNG") for each in paths)


def test_it_leaves_pyplot_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import test_plots; "
        "test_plots.draw(Path(sys.argv[1]), test_plots.HISTORY, 1, test_plots.scored(9)); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    root, here = Path(__file__).resolve().parents[2], Path(__file__).parent
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONPATH": f"{root}:{here}"}
    )


def narrow(rows: int) -> Scores:
    """Return predictions near the base rate, as after few epochs."""
    draw = np.random.default_rng(0)
    probabilities = 0.17 + 0.01 * draw.normal(size=rows)
    return Scores(0.5, 0.5, 0.5, probabilities, (draw.random(rows) < probabilities).astype(np.float32))


@pytest.mark.parametrize("scores", [narrow(3000), scored(3000)])
def test_the_calibration_spreads_the_bins_over_the_axes(scores: Scores) -> None:
    (axes,) = calibration(scores).axes
    x = axes.containers[0].lines[0].get_xdata()
    left, right = axes.get_xlim()
    assert len(x) == 10
    assert (x.max() - x.min()) / (right - left) > 0.8
    assert axes.get_legend() is None  # it is below the axes


def test_equal_predictions_share_a_bin() -> None:
    values = np.array([0.2] * 50 + [0.7] * 50 + [0.9])
    bins = quantile_bins(values)
    assert sorted(row for each in bins for row in each) == list(range(101))
    for each in bins[:1]:
        assert set(values[each]) == {0.2}
    assert [len(each) for each in quantile_bins(np.full(7, 0.5))] == [7]


def test_the_interval_of_a_share_has_a_width_at_the_ends() -> None:
    low, high = wilson(np.array([0.0, 0.5, 1.0]), np.array([10, 10, 10]))
    assert low[0] == pytest.approx(0, abs=1e-12)
    assert high[0] == pytest.approx(0.2775, abs=1e-3)
    assert (low[1], high[1]) == pytest.approx((0.2366, 0.7634), abs=1e-3)
    assert high[2] == pytest.approx(1)
