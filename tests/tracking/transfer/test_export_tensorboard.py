"""Runs are written as event files; what is read from them is what was logged."""

import json
import math
from pathlib import Path

import pytest
from command_line import Say
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker
from tracking.store.store import Store
from tracking.transfer import SourceFormat, export_to_tensorboard, import_source, open_source

LABELS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
CALLS = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.dictionaries(LABELS, st.floats(width=32, allow_nan=False), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


@given(CALLS)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[int, dict[str, float]]]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    tracker = ExperimentTracker(folder / "store")
    with tracker.start_run(
        "ctr", params={"lr": 0.1, "on": True}, capture_output=False, capture_code=False
    ) as run:
        for step, metrics in calls:
            run.log(metrics, step)
    written = export_to_tensorboard(Store(folder / "store"), tracker.records(), folder / "logs")
    assert written.points == sum(len(metrics) for _, metrics in calls)
    outcome = import_source(folder / "other", open_source(str(folder / "logs"), SourceFormat.TENSORBOARD))
    assert (outcome.copied, outcome.points) == ({"run_001": "run_001"}, written.points)
    there, here = tracker.get_run("run_001"), ExperimentTracker(folder / "other").get_run("run_001")
    assert there is not None
    assert here is not None
    assert here["params"] == {"lr": 0.1, "on": True}
    for name, points in there["metrics"].items():
        read = {(point["step"], point["timestamp"], repr(point["value"])) for point in here["metrics"][name]}
        for point in points:
            same = [
                float(value)
                for step, stamp, value in read
                if (step, stamp) == (point["step"], point["timestamp"])
            ]
            assert any(value == pytest.approx(point["value"], rel=1e-6, abs=1e-44) for value in same)


def test_steps_that_are_no_whole_numbers_get_numbers_which_is_said(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, say: Say
) -> None:
    with tracker.start_run("ctr") as run:
        run.log({"loss": 1.0}, 5)
        run.log({"loss": math.nan})
        run.log({"half": 0.5}, 0.5)  # type: ignore[arg-type]  # a fraction is a step too
    words = (
        "export",
        "ctr",
        "--format",
        "tensorboard",
        "--output",
        str(tmp_path / "logs"),
        "--store",
        str(base),
    )
    other = ("export", "ctr", "--to", "tensorboard", *words[4:])
    for asked in (words, other):  # a second export replaces the first
        code, out, err = say(*asked)
        assert (code, out) == (0, f"Wrote 3 points of 1 run (run_001) to {tmp_path / 'logs'}\n")
    assert "run_001: steps that are no whole numbers got numbers" in err or not err  # it is said once
    (path,) = (tmp_path / "logs" / "run_001").iterdir()
    assert path.name.endswith(".podium.run_001")
    import_source(tmp_path / "other", open_source(str(tmp_path / "logs"), SourceFormat.TENSORBOARD))
    found = ExperimentTracker(tmp_path / "other").get_run("run_001")
    assert found is not None
    steps = {
        name: [(point["step"], str(point["value"])) for point in points]
        for name, points in found["metrics"].items()
    }
    assert steps == {"loss": [(5, "1.0"), (6, "nan")], "half": [(0, "0.5")]}
    told = json.loads(say(*words, "--json")[1])
    assert (told["files"], told["points"], told["numbered"]) == ({"run_001": str(path)}, 3, ["run_001"])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "--format tensorboard writes a folder; name one with --output"),
        (("--output", "file"), "--output 'file' is no folder; name one for the event files"),
        (
            ("--output", "logs", "--histories"),
            "--histories is for tables, and --format tensorboard writes event files",
        ),
        (("--output", "logs", "--dry-run"), "--dry-run is for an export to MLflow"),
        (("--output", "logs", "--to", "x.db"), "--output is for tables, and --to is for MLflow"),
        (("--format", "csv", "--to", "tensorboard"), "--format csv is for tables, and --to is for MLflow"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say, words: tuple[str, ...], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    code, out, err = say("export", "ctr_model", "--format", "tensorboard", *words)
    assert (code, out) == (2, "")
    assert fault in err
