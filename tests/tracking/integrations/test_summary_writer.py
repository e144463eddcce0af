"""Code that was written for TensorBoard's SummaryWriter logs into a run, with one line exchanged."""

import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, active_run
from tracking.errors import InvalidNameError, InvalidValueError
from tracking.integrations.live import log
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


def summary(tracker: ExperimentTracker) -> dict[str, tuple[str, list[str]]]:
    """Return the status and the metrics of each run, by its experiment."""
    return {each.experiment_name: (each.status.value, sorted(each.summary)) for each in tracker.records()}


def test_writers_of_different_folders_have_a_run_each_which_each_completes(
    tracker: ExperimentTracker, base: Path
) -> None:
    train, val = (SummaryWriter(f"runs/first/{name}", store=base) for name in ("train", "val"))
    again = SummaryWriter(logdir="./runs/first/val", store=base)
    for step in range(2):
        for writer, value in ((train, 1.0), (val, 9.0)):
            writer.add_scalar("loss", value, step)
    train.close()
    assert summary(tracker) == {"train": ("completed", ["loss"]), "val": ("running", ["loss"])}
    assert again.run is val.run
    again.close()
    val.add_scalar("loss", 8.0, 2)
    val.close()
    assert summary(tracker) == {"train": ("completed", ["loss"]), "val": ("completed", ["loss"])}
    assert [each.summary["loss"].count for each in tracker.records()] == [2, 3]
    assert active_run() is None


def test_writers_without_a_folder_and_those_of_comments_have_a_run_each(base: Path) -> None:
    given: list[dict[str, Any]] = [{}, {}, {"comment": "LR_0.1"}, {"comment": "LR_0.01"}]
    writers = [SummaryWriter(store=base, **named) for named in given]
    for writer in writers:
        writer.close()
    records = ExperimentTracker(base).records()
    assert [each.description for each in records] == ["", "", "LR_0.1", "LR_0.01"]


def test_in_an_open_run_the_tags_of_a_further_folder_have_its_last_part_before_them(
    tracker: ExperimentTracker, base: Path
) -> None:
    folders = ["runs/first/train", "runs/first/val", "runs/second/val", "runs/first/val", "runs/third/val"]
    with tracker.start_run("ctr") as run:
        for number, folder in enumerate(folders):
            with SummaryWriter(folder, run=run if number % 2 else None) as writer:
                writer.add_scalar("loss", float(number))
                writer.add_scalars("both", {"a": float(number)})
                writer.add_hparams({"lr": 0.1}, {"hp": float(number)})
                writer.add_text("why", folder)
    (record,) = tracker.records()
    before = {"": 0.0, "val/": 3.0, "second/val/": 2.0, "third/val/": 4.0}
    assert {name: each.last for name, each in record.summary.items()} == {
        f"{folder}{name}": value for folder, value in before.items() for name in ("loss", "both/a", "hp")
    }
    assert (record.status.value, record.params) == ("completed", {"lr": 0.1})
    texts = {folder: (run.artifacts_dir / folder / "why.md").read_text() for folder in before}
    assert texts == {folder: folders[int(value)] for folder, value in before.items()}


def test_writers_in_threads_have_a_run_each(tracker: ExperimentTracker, base: Path) -> None:
    opened = threading.Barrier(3, timeout=60)

    def one(number: int) -> None:
        with SummaryWriter(f"runs/trial{number}", store=base) as writer:
            opened.wait()
            writer.add_scalar("loss", float(number))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    assert summary(tracker) == {f"trial{number}": ("completed", ["loss"]) for number in range(3)}


def test_the_run_of_a_writer_is_that_of_what_else_logs_and_is_left_as_its_user_finishes_it(
    tracker: ExperimentTracker, base: Path
) -> None:
    with SummaryWriter("ctr", store=base) as writer:
        assert log({"auc": 0.7}) is writer.run
        writer.run.finish("failed", "it diverged")
    (record,) = tracker.records()
    assert (record.status.value, record.error, sorted(record.summary)) == ("failed", "it diverged", ["auc"])


def test_a_folder_that_is_no_name_of_an_experiment_names_one_without_what_is_not_safe(
    tracker: ExperimentTracker, base: Path
) -> None:
    for folder in ("runs/2026-01-02 10:30:00", "runs/.hidden", "runs/lr=0.1", "runs/" + "x" * 300):
        SummaryWriter(folder, store=base).close()
    assert list(summary(tracker)) == ["2026-01-02_10_30_00", "hidden", "lr=0.1", "x" * 50]


def test_what_is_printed_between_the_ends_of_two_writers_is_printed(
    base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = SummaryWriter("a", store=base), SummaryWriter("b", store=base)
    sys.stdout.write("both\n")
    first.close()
    sys.stdout.write("second\n")
    second.close()
    sys.stdout.write("none\n")
    assert capsys.readouterr().out == "both\nsecond\nnone\n"
    written = [(writer.run.run_dir / "stdout.log").read_text() for writer in (first, second)]
    assert written == ["both\n", "both\nsecond\n"]
