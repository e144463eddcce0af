"""Three pictures, drawn fast and without matplotlib's global state."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trainer.plots import draw
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


def test_it_takes_less_than_a_second(tmp_path: Path) -> None:
    draw(tmp_path, HISTORY, 3, scored(100))
    start = time.perf_counter()
    draw(tmp_path, HISTORY, 3, scored(12000))
    assert time.perf_counter() - start < 1


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
