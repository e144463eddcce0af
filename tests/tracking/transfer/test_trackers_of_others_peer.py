"""Against TensorBoard, PyTorch's writer and W&B themselves, in environments of their own: `make test-peers`."""

import inspect
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contestants import QUIET, Module
from tracking import ExperimentTracker
from tracking.integrations import summary_writer
from tracking.store.store import Store
from tracking.transfer import SourceFormat, export_to_tensorboard, import_source, open_source

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not (Module.TENSORBOARD.interpreter.exists() and Module.WANDB.interpreter.exists()),
        reason="TensorBoard and W&B are not installed here: make test-peers",
    ),
]

WRITE_EVENTS = """
import sys, json, numpy
from torch.utils.tensorboard import SummaryWriter
writer = SummaryWriter(sys.argv[1])
for step in range(50):
    writer.add_scalar("train/loss", 1 / (step + 1), step)
    writer.add_scalar("tensor", 0.1 * step, step, new_style=True)
    writer.add_scalar("double", 0.1 * step, step, new_style=True, double_precision=True)
writer.add_scalars("both", {"train": 1.0, "val": 2.0}, 3)
writer.add_hparams({"lr": 0.1, "depth": 3, "on": True, "name": "mlp"}, {"hparam/acc": 0.7})
writer.add_histogram("weights", numpy.arange(10))
writer.add_text("note", "hi")
writer.close()
print(json.dumps([name for name in dir(SummaryWriter) if name[0] != "_"]))
"""

READ_EVENTS = """
import sys, json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
read = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
read.Reload()
scalars = {tag: [(event.step, event.value, event.wall_time) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
(content,) = read.PluginTagToContent("hparams").values()
hparams = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
print(json.dumps([scalars, {name: getattr(value, value.WhichOneof("kind")) for name, value in hparams.items()}]))
"""

WRITE_WANDB = """
import sys, wandb
run = wandb.init(dir=sys.argv[1], project="ctr", name="first", tags=["a", "b"], notes="why", config={"lr": 0.1, "opt": {"name": "adam"}},
    settings=wandb.Settings(console="off", x_disable_stats=True, disable_git=True))
for step in range(5000):
    run.log({"loss": 1 / (step + 1), "nested": {"x": step}, "text": "x" * 50})
run.summary["best"] = 0.9
run.config.update({"late": 3})
run.finish(exit_code=int(sys.argv[2]))
"""


def ask(module: Module, code: str, *words: str) -> Any:
    done = subprocess.run(
        [module.interpreter, "-c", code, *words],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def test_what_pytorchs_writer_wrote_is_imported_and_its_calls_are_known(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    calls = ask(Module.TENSORBOARD, WRITE_EVENTS, str(tmp_path / "logs"))
    outcome = import_source(base, open_source(str(tmp_path / "logs"), SourceFormat.TENSORBOARD))
    assert list(outcome.copied) == [".", "both_train", "both_val"]
    assert (outcome.damaged, outcome.left_out) == ({}, {})
    assert list(outcome.notes) == ["histograms, texts of TensorBoard are not imported"]
    run = tracker.get_run("run_001")
    assert run is not None
    assert run["params"] == {"lr": 0.1, "depth": 3, "on": True, "name": "mlp"}
    for name, value in (("train/loss", lambda step: 1 / (step + 1)), ("tensor", lambda step: 0.1 * step)):
        read = [(point["step"], point["value"]) for point in run["metrics"][name]]
        assert read == [(step, pytest.approx(value(step), rel=1e-6)) for step in range(50)]
    assert [point["value"] for point in run["metrics"]["double"]] == [0.1 * step for step in range(50)]
    assert run["metrics"]["hparam/acc"][0]["value"] == 0.7
    own = {name for name, _ in inspect.getmembers(summary_writer.SummaryWriter)}
    assert set(calls) - own <= summary_writer.NOT_KEPT


def test_tensorboard_reads_what_was_exported(tracker: ExperimentTracker, base: Path, tmp_path: Path) -> None:
    with tracker.start_run("ctr", params={"lr": 0.1, "on": True, "dims": [1, 2]}) as run:
        for step in range(12_000):  # TensorBoard keeps 10,000 unless it is told otherwise
            run.log({"loss": 1 / (step + 1)}, step)
    export_to_tensorboard(Store(base), tracker.records(), tmp_path / "logs")
    scalars, hparams = ask(Module.TENSORBOARD, READ_EVENTS, str(tmp_path / "logs" / "run_001"))
    found = tracker.get_run("run_001")
    assert found is not None
    assert [(step, value) for step, value, _ in scalars["loss"]] == [
        (point["step"], pytest.approx(point["value"], rel=1e-6)) for point in found["metrics"]["loss"]
    ]
    assert hparams == {"lr": 0.1, "on": True, "dims": "[1, 2]"}


@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (3, "failed")])
def test_what_wandb_recorded_offline_is_imported(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, code: int, status: str
) -> None:
    ask(Module.WANDB, WRITE_WANDB, str(tmp_path), str(code))
    outcome = import_source(base, open_source(str(tmp_path), SourceFormat.WANDB))
    assert (len(outcome.copied), outcome.damaged, outcome.left_out) == (1, {}, {})
    record = tracker.record("run_001")
    assert record is not None
    assert (record.experiment_name, record.status.value, record.description) == ("ctr", status, "why")
    assert record.params == {"lr": 0.1, "opt.name": "adam", "late": 3}
    assert (record.tags["wandb.name"], record.tags["wandb.tags"]) == ("first", "a, b")
    run = tracker.get_run("run_001")
    assert run is not None
    steps = range(5000)
    assert [point["value"] for point in run["metrics"]["loss"]] == [1 / (step + 1) for step in steps]
    assert [(point["step"], point["value"]) for point in run["metrics"]["nested.x"]] == [
        (step, step) for step in steps
    ]
    assert record.summary["best"].last == 0.9
