"""`tracker.plot`: one call from Python to a figure of matplotlib, without a display."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from tracking import ExperimentTracker, InvalidValueError, TrackingError, UnknownRunError


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> ExperimentTracker:
    tracker = ExperimentTracker(tmp_path_factory.mktemp("store") / "experiments")
    for number in range(4):
        params = {"lr": 10.0**-number, "size": 2**number, "seed": number % 2}
        experiment = "ctr" if number < 3 else "other"
        with tracker.start_run(experiment, params=params, capture_code=False, capture_output=False) as run:
            for step in range(3):
                run.log({"val_auc": 0.7 + number / 100 + step / 50}, step=step)
    tracker.finish_run(tracker.create_run("ctr"))
    return tracker


def lines_of(figure: Figure) -> int:
    return sum(len(line.get_xdata()) == 3 for line in figure.axes[0].get_lines())


@pytest.mark.parametrize("kind", ["curves", "bands", "scatter", "parallel"])
def test_each_kind_is_a_figure(tracker: ExperimentTracker, kind: Any, tmp_path: Path) -> None:
    figure = tracker.plot("val_auc", experiment_name="ctr", kind=kind)
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("choose", "count"),
    [
        (lambda tracker: None, 4),
        (lambda tracker: ["run_001", "run_003", "run_001"], 2),
        (lambda tracker: tracker.search_runs("lr < 1"), 3),
        (lambda tracker: tracker.list_runs("ctr"), 3),  # one of them lacks the metric
        (lambda tracker: [tracker.open_run("run_002"), tracker.get_best_run("val_auc")], 2),
    ],
)
def test_the_runs_may_be_ids_records_handles_and_dicts(
    tracker: ExperimentTracker, choose: Any, count: int
) -> None:
    assert lines_of(tracker.plot("val_auc", choose(tracker))) == count


def test_the_title_names_the_experiment_where_there_is_one(tracker: ExperimentTracker) -> None:
    def texts(figure: Figure) -> list[str]:
        return [text.get_text() for text in figure.texts]

    assert "ctr: val_auc" in texts(tracker.plot("val_auc", experiment_name="ctr"))
    assert "val_auc" in texts(tracker.plot("val_auc"))
    assert "My runs" in texts(tracker.plot("val_auc", title="My runs"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"kind": "pie"},
            InvalidValueError,
            "kind 'pie' is none of 'curves', 'bands', 'scatter', 'parallel'",
        ),
        ({"x": "epoch"}, InvalidValueError, "x 'epoch' is none of 'step', 'time'"),
        ({"kind": "bands", "x": "time"}, InvalidValueError, "x is for curves, not for bands"),
        ({"params": ["lr"]}, InvalidValueError, "params is for scatter and parallel, not for curves"),
        ({"smooth": 1.5}, InvalidValueError, "is not in 0 <= smoothing < 1"),
        ({"best": 0}, InvalidValueError, "it must be 1 or more"),
        ({"mode": "up"}, InvalidValueError, "mode 'up' is none of 'max', 'min'"),
        ({"runs": ["run_001"], "experiment_name": "ctr"}, InvalidValueError, "not both"),
        ({"runs": "run_001"}, InvalidValueError, r"runs is 'run_001'; pass a list"),
        ({"runs": ["run_009"]}, UnknownRunError, "no run 'run_009'"),
        ({"runs": []}, InvalidValueError, "runs is empty"),
        ({"experiment_name": "nope"}, UnknownRunError, "belongs to the experiment 'nope'"),
        ({"kind": "scatter", "params": "lr"}, InvalidValueError, r"params is 'lr'; pass .* such as \['lr'\]"),
        ({"smooth": "a"}, InvalidValueError, "smooth is 'a'; allowed is a number"),
        ({"metric": ["a", "b"]}, TrackingError, "metric"),
        ({"metric": "val_acu"}, TrackingError, "'val_acu'; metrics of the 5 runs: val_auc"),
    ],
)
def test_a_wrong_call_says_what_is_allowed(
    tracker: ExperimentTracker, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tracker.plot(**{"metric": "val_auc", **arguments})


def test_the_frame_of_found_runs_names_them_too(tracker: ExperimentTracker) -> None:
    assert lines_of(tracker.plot("val_auc", tracker.search_runs("lr < 1").frame())) == 3


@pytest.mark.parametrize("kind", ["curves", "bands", "scatter", "parallel"])
def test_a_figure_can_be_pickled(tracker: ExperimentTracker, kind: Any) -> None:
    figure = tracker.plot("val_auc", kind=kind, log_x=kind in ("curves", "scatter"))
    assert len(pickle.loads(pickle.dumps(figure)).axes) == len(figure.axes)


def test_a_notebook_shows_the_figure_as_a_picture_that_fits_its_page(tracker: ExperimentTracker) -> None:
    figure = tracker.plot("val_auc")
    data, size = figure._repr_png_()  # type: ignore[attr-defined]
    assert data.startswith(b"\x89PNG")
    assert 600 < size["width"] < 1000


def test_no_display_and_no_pyplot_are_needed(tracker: ExperimentTracker) -> None:
    code = (
        "import sys\nfrom tracking import ExperimentTracker\n"
        f"tracker = ExperimentTracker({str(tracker.base_dir)!r})\nassert 'matplotlib' not in sys.modules\n"
        "tracker.plot('val_auc').savefig(sys.argv[1])\nassert 'matplotlib.pyplot' not in sys.modules\n"
    )
    target = tracker.base_dir / "picture.svg"
    bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")}
    subprocess.run([sys.executable, "-W", "error", "-c", code, str(target)], check=True, env=bare)
    assert target.stat().st_size > 1000
