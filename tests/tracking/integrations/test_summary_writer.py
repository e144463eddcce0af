"""Code that was written for TensorBoard's SummaryWriter logs into a run, with one line exchanged."""

import logging
from pathlib import Path

import pytest

from tracking import ExperimentTracker
from tracking.errors import InvalidNameError, InvalidValueError
from tracking.integrations.summary_writer import SummaryWriter


def test_the_calls_of_a_training_become_points_parameters_and_artifacts(
    tracker: ExperimentTracker, base: Path
) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    writer = SummaryWriter("runs/ctr", comment="first try", store=str(base), flush_secs=5)
    for step in range(2):
        writer.add_scalar("train/loss", 1 / (step + 1), step, walltime=1.0)
        writer.add_scalars("both", {"train": 0.1, "val": 0.2}, step)
    writer.add_hparams({"lr": 0.1, "depth": 3}, {"hparam/acc": 0.7})
    writer.add_text("notes/why", "because", 1)
    figure = pyplot.figure()
    writer.add_figure("plots/roc curve", figure, 2)
    assert not pyplot.fignum_exists(figure.number)
    writer.add_figure("pair", [pyplot.figure(), pyplot.figure()])
    writer.flush()
    writer.close()
    run = tracker.get_run("run_001")
    assert run is not None
    assert (run["experiment_name"], run["status"], run["description"]) == ("ctr", "completed", "first try")
    assert run["params"] == {"lr": 0.1, "depth": 3}
    assert sorted(run["metrics"]) == ["both/train", "both/val", "hparam/acc", "train/loss"]
    assert [(point["step"], point["value"]) for point in run["metrics"]["train/loss"]] == [(0, 1.0), (1, 0.5)]
    folder = Path(writer.get_logdir()) / "artifacts"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["notes/why-1.md", "pair_0.png", "pair_1.png", "plots/roc_curve-2.png"]
    assert writer.logdir == writer.log_dir == str(writer.run.run_dir)


def test_a_writer_in_an_open_run_leaves_it_open(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr") as run:
        with SummaryWriter() as writer:
            writer.add_scalar("loss", 1.0)
        writer.close()
        record = tracker.record(run.run_id)
        assert record is not None
        assert record.status.value == "running"
    with tracker.start_run("other") as given:
        assert SummaryWriter(run=given).run is given


def test_what_a_run_has_no_place_for_is_said_once_and_ignored(
    tracker: ExperimentTracker, caplog: pytest.LogCaptureFixture
) -> None:
    with tracker.start_run("ctr"), caplog.at_level(logging.WARNING, "tracking"):
        writer = SummaryWriter()
        for step in range(3):
            writer.add_histogram("weights", [1, 2], step, bins="auto")
            writer.add_image("picture", object(), global_step=step)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == [
        "add_histogram",
        "add_image",
    ]
    with pytest.raises(AttributeError, match="has no attribute 'add_nothing'"):
        writer.add_nothing()


def test_an_error_in_its_block_fails_the_run(tracker: ExperimentTracker, base: Path) -> None:
    with pytest.raises(ZeroDivisionError), SummaryWriter("ctr", store=str(base)):
        raise ZeroDivisionError
    record = tracker.record("run_001")
    assert record is not None
    assert record.status.value == "failed"


def test_names_and_steps_that_are_none_are_refused(tracker: ExperimentTracker) -> None:
    with tracker.start_run("ctr"):
        writer = SummaryWriter()
        with pytest.raises(InvalidNameError, match="'' is no name"):
            writer.add_text("", "x")
        with pytest.raises(InvalidValueError, match="the step 'one' is no whole number"):
            writer.add_text("x", "x", "one")
        writer.add_text("../../x", "stays")
        assert (writer.run.artifacts_dir / "_" / "_" / "x.md").read_text() == "stays"
