"""Plots of each task, drawn without matplotlib's global state, and the numbers of the calibration."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer.data.target import Target, TaskKind
from trainer.plots import draw
from trainer.plots.calibration import calibration, quantile_bins, table, wilson
from trainer.plots.curves import curves
from trainer.plots.several_classes import confusion, roc_by_class
from trainer.plots.sheet import name_of
from trainer.scoring import Scores

HISTORY = [
    {"train_loss": 1 / n, "val_loss": 1.1 / n, "train_acc": 0.5, "val_acc": 0.5, "val_auc": 0.6}
    for n in range(1, 6)
]


def scored(rows: int) -> Scores:
    probabilities = np.random.default_rng(0).random(rows)
    target = (np.arange(rows) % 2).astype(np.float32)
    return Scores(0.5, 0.5, 0.5, probabilities, target)


def several(rows: int, classes: int) -> tuple[Scores, Target]:
    draw = np.random.default_rng(0)
    target = np.arange(rows) % classes
    chances = draw.dirichlet(np.ones(classes), size=rows)
    names = tuple(f"a long name of a class of $ {code}" for code in range(classes))
    scores = Scores(0.5, 0.5, 0.5, chances, target, TaskKind.MULTICLASS)
    return scores, Target("y", TaskKind.MULTICLASS, names)


def are_pictures(paths: list[Path]) -> bool:
    return all(each.read_bytes().startswith(b"\x89PNG") for each in paths)


@pytest.mark.parametrize(("rows", "epochs"), [(2, 1), (7, 5), (12000, 5)])
def test_two_classes_have_these_plots(tmp_path: Path, rows: int, epochs: int) -> None:
    paths = draw(tmp_path / "plots", HISTORY[:epochs], 1, scored(rows))
    names = [each.stem for each in paths]
    assert names == ["curves", "roc", "precision_recall", "calibration", "confusion"]
    assert are_pictures(paths)


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_the_ticks_of_the_learning_curves_are_epochs(epochs: int) -> None:
    figure = curves(HISTORY[:epochs], 1)
    figure.canvas.draw()
    shown = figure.axes[0]
    low, high = shown.get_xlim()
    assert [tick for tick in shown.get_xticks() if low <= tick <= high] == [*range(1, epochs + 1)]


@pytest.mark.parametrize("classes", [3, 50])
def test_the_legend_of_the_curves_by_class_is_beside_them_and_within_the_figure(classes: int) -> None:
    figure = roc_by_class(several(300, classes)[0], several(300, classes)[1].classes)
    figure.canvas.draw()
    (axes,) = figure.axes
    legend = axes.get_legend()
    assert legend is not None
    box, own = legend.get_window_extent(), axes.get_window_extent()
    assert 0 < box.x0 - own.x1 < 20
    assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize(("rows", "classes"), [(2, 3), (300, 4), (300, 50)])
def test_several_classes_have_these_plots(tmp_path: Path, rows: int, classes: int) -> None:
    paths = draw(tmp_path / "plots", HISTORY[:2], 1, *several(rows, classes))
    assert [each.stem for each in paths] == ["curves", "roc", "confusion"]
    assert are_pictures(paths)


@pytest.mark.parametrize("rows", [2, 300, 5000])
def test_a_regression_has_these_plots(tmp_path: Path, rows: int) -> None:
    nan = float("nan")
    true = np.random.default_rng(0).normal(size=rows)
    history = [{"train_loss": 1.0, "val_loss": 1.0, "val_rmse": 1.0, "val_mae": 1.0, "val_r2": 0.5}]
    scores = Scores(0.5, nan, nan, true * 0.9, true, TaskKind.REGRESSION)
    paths = draw(tmp_path / "plots", history, 1, scores, Target("y", TaskKind.REGRESSION))
    assert [each.stem for each in paths] == ["curves", "predicted_by_true", "residuals"]
    assert are_pictures(paths)


def test_a_confusion_matrix_has_a_row_per_true_class_and_names_fit() -> None:
    figure = confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ["no $5", "yes, " + "very " * 20])
    axes = figure.axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert cells == ["2\n67%", "1\n33%", "0\n0%", "1\n100%"]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == r"no \$5"
    assert len(names[1]) <= 20
    assert figure.axes[0].get_title() == "Confusion matrix, test split"


def test_of_many_classes_the_largest_are_named() -> None:
    scores, labels = several(300, 30)
    figure = roc_by_class(scores, labels.classes)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert len(texts) == 9
    assert texts[-1] == "22 more classes"
    names = (
        confusion(scores.target, scores.target, [str(code) for code in range(100)]).axes[0].get_xticklabels()
    )
    assert len(names) <= 40


def test_long_names_are_cut_in_the_middle() -> None:
    assert name_of("the first of many names, the last one") == "the first o...e last one"


def test_the_table_of_the_calibration_holds_the_bins_of_the_plot_and_of_the_errors() -> None:
    scores = scored(1000)
    rows = list(csv.DictReader(table(scores).splitlines()))
    for kind in ("equal rows", "equal width"):
        bins = [row for row in rows if row["bins"] == kind]
        assert sum(int(row["rows"]) for row in bins) == 1000
        assert all(float(row["low"]) <= float(row["observed"]) <= float(row["high"]) for row in bins)
    gaps = [
        (int(row["rows"]), abs(float(row["predicted"]) - float(row["observed"])))
        for row in rows
        if row["bins"] == "equal width"
    ]
    expected = sum(count * gap for count, gap in gaps) / 1000
    assert scores.metric("calibration_error") == pytest.approx(expected)
    assert scores.metric("max_calibration_error") == pytest.approx(max(gap for _, gap in gaps))


def test_rows_that_count_for_nothing_are_in_no_bin() -> None:
    weight = np.ones(10)
    weight[:5] = 0
    chances = np.repeat([0.2, 0.8], 5)
    scores = Scores(0.5, 0.5, 0.5, chances, (np.arange(10) % 2).astype(np.float32), weight=weight)
    bins = [row for row in csv.DictReader(table(scores).splitlines()) if row["bins"] == "equal width"]
    assert [float(row["predicted"]) for row in bins] == [pytest.approx(0.8)]


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
