"""The command plot: the files that it writes, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tracking import ExperimentTracker

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sweep(tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PODIUM_STORE", str(base))
    for rate in (0.1, 0.01):
        for seed in (1, 2, 3):
            with tracker.start_run("ctr", params={"lr": rate, "seed": seed, "dims": [8] * seed}) as run:
                for step in range(4):
                    run.log({"val_auc": 0.5 + rate * step + seed / 100}, step=step)
    with tracker.start_run("ctr", params={"lr": 1.0, "seed": 1}) as run:
        run.log({"loss": 1.0})
    with tracker.start_run("other") as run:
        run.log({"val_auc": 0.5})
    return base


@pytest.mark.parametrize(
    ("kind", "name"),
    [("curves", "comparison"), ("bands", "bands"), ("scatter", "scatter"), ("parallel", "parallel")],
)
def test_each_kind_has_a_file_of_its_own_in_the_store(sweep: Path, say: Say, kind: str, name: str) -> None:
    code, out, err = say("plot", "ctr", "val_auc", "--kind", kind, "--format", "svg", "--json")
    path = sweep / f"metric_{name}_val_auc.svg"
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "path": str(path),
        "kind": kind,
        "runs": [f"run_{n:03d}" for n in range(1, 7)],
    }
    assert path.read_bytes().startswith(b"<?xml")


def test_without_options_curves_are_drawn_as_png_and_the_path_is_printed(sweep: Path, say: Say) -> None:
    path = sweep / "metric_comparison_val_auc.png"
    for arguments in (["plot", "ctr", "val_auc"], ["ctr", "plot", "val_auc", "run_002", "run_001"]):
        assert say(*arguments) == (0, f"Wrote {path}\n", "")
        assert path.read_bytes().startswith(b"\x89PNG")
        path.unlink()


def test_a_filter_and_names_choose_the_runs(sweep: Path, say: Say) -> None:
    told = json.loads(say("plot", "ctr", "val_auc", "--filter", "params.lr < 0.05 and seed > 1", "--json")[1])
    assert told["runs"] == ["run_005", "run_006"]
    told = json.loads(say("plot", "ctr", "val_auc", "run_006", "run_004", "run_006", "--json")[1])
    assert told["runs"] == ["run_006", "run_004"]
    code, out, err = say("plot", "ctr", "val_auc", "run_001", "run_007", "--json")
    assert (code, json.loads(out)["runs"]) == (0, ["run_001"])
    assert err == "tracking: run_007 has no metric 'val_auc'; it is left out\n"


def test_a_named_run_that_is_damaged_is_answered_with_its_file(sweep: Path, say: Say) -> None:
    (sweep / "runs" / "run_002" / "params.json").write_text("{")
    code, out, err = say("plot", "ctr", "val_auc", "run_002")
    assert (code, out) == (1, "")
    assert "run_002/params.json is not valid JSON" in err


def test_the_ending_of_the_output_decides_the_format(sweep: Path, say: Say, tmp_path: Path) -> None:
    target = tmp_path / "my picture.svg"
    assert say("plot", "ctr", "val_auc", "--output", str(target)) == (0, f"Wrote {target}\n", "")
    assert target.read_bytes().startswith(b"<?xml")
    assert not list(sweep.glob("metric_*"))


@pytest.mark.parametrize(
    "options",
    [
        ["--smooth", "0.6", "--log-x", "--log-y", "--best", "2"],
        ["--x", "time", "--mode", "min"],
        ["--kind", "bands", "--smooth", "0.5", "--best", "1", "--log-y"],
        ["--kind", "scatter", "--param", "lr", "--param", "dims", "--at", "last", "--log-x", "--log-y"],
        ["--kind", "parallel", "--param", "seed", "--at", "last", "--log-y", "--best", "3"],
    ],
)
def test_options_combine(sweep: Path, say: Say, options: list[str]) -> None:
    assert say("plot", "ctr", "val_auc", *options)[::2] == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nope", "val_auc"], 1, "no runs of an experiment 'nope' in"),
        (["ctr", "nope"], 1, "no run to draw has the metric 'nope'; metrics of 'ctr': loss, val_auc"),
        (["ctr", "val_auc", "run_999"], 1, "no run 'run_999'"),
        (["ctr", "val_auc", "run_008"], 1, "run 'run_008' belongs to the experiment 'other', not to 'ctr'"),
        (["ctr", "val_auc", "run_001", "--filter", "lr < 0.05"], 1, "run 'run_001' does not pass the filter"),
        (["ctr", "val_auc", "--filter", "lr > 100"], 1, "no run of 'ctr' passes the filter"),
        (["ctr", "val_auc", "--filter", "loss > 0"], 1, "no run to draw has the metric 'val_auc'"),
        (["ctr", "val_auc", "--filter", "lr >"], 1, "lr >"),
        (["ctr", "val_auc", "--kind", "pie"], 2, "'pie' is not one of"),
        (["ctr", "val_auc", "--mode", "best"], 2, "'best' is not one of"),
        (["ctr", "val_auc", "--best", "0"], 2, "best runs to colour is 0; it must be 1 or more"),
        (["ctr", "val_auc", "--best", "0", "--kind", "scatter"], 2, "it must be 1 or more"),
        (["ctr", "val_auc", "--best", "x"], 2, "'x' is not a valid integer"),
        (["ctr", "val_auc", "--smooth", "1"], 2, "a smoothing of 1.0 is not in 0 <= smoothing < 1"),
        (["ctr", "val_auc", "--smooth", "x"], 2, "'x' is not a valid"),
        (["ctr", "val_auc", "--format", "bmp"], 2, "'bmp' is not one of"),
        (["ctr", "val_auc", "--output", "a.bmp"], 2, "'a.bmp' ends in none of .png, .svg, .pdf"),
        (["ctr", "val_auc", "--output", "a.png", "--format", "svg"], 2, "contradict each other"),
        (
            ["ctr", "val_auc", "--output", "no/such/a.png"],
            1,
            "the folder of the picture 'no/such/a.png' does not exist",
        ),
        (["ctr", "val_auc", "--param", "lr"], 2, "--param is for scatter and parallel, not for curves"),
        (
            ["ctr", "val_auc", "--kind", "parallel", "--log-x"],
            2,
            "--log-x is for curves and bands and scatter",
        ),
        (["ctr", "val_auc", "--kind", "bands", "--x", "time"], 2, "--x is for curves, not for bands"),
        (["ctr", "val_auc", "--kind", "scatter", "--smooth", "0.5"], 2, "--smooth is for curves and bands"),
        (
            ["ctr", "val_auc", "--kind", "scatter", "--param", "nope"],
            1,
            "no run to draw has the parameter 'nope'; parameters: lr, seed, dims",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_is_written(
    sweep: Path, say: Say, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = say("plot", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert not list(sweep.glob("metric_*"))


def test_a_damaged_run_is_named_and_the_others_are_drawn(sweep: Path, say: Say) -> None:
    (sweep / "runs" / "run_001" / "run.json").write_text("{")
    code, out, err = say("plot", "ctr", "val_auc", "--json")
    assert (code, json.loads(out)["runs"][0]) == (1, "run_002")
    assert "run_001" in err


def test_a_store_that_cannot_be_written_says_so(sweep: Path, say: Say) -> None:
    (sweep / "metric_comparison_val_auc.png").mkdir()
    code, out, err = say("plot", "ctr", "val_auc")
    assert (code, out) == (1, "")
    assert err.startswith("tracking: cannot write ")
