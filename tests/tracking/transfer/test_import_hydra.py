"""Folders that Hydra's jobs left become runs: real ones, and such as hostile or damaged files make."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Say
from omegaconf import OmegaConf

from tracking import ExperimentTracker
from tracking.transfer import Imported, SourceFormat, import_source, open_source, recognise
from tracking.transfer.tensorboard.event_messages import scalar_event, version_event
from tracking.transfer.tensorboard.frames import framed

APP = """
import logging, hydra

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    logging.getLogger("app").info("learning rate %s", cfg.lr)

main()
"""
CONFIG = """
model: {kind: mlp, size: 3}
lr: 0.1
api_key: hunter2
name: ${model.kind}-${lr}
out: ${hydra:runtime.output_dir}
home: ${oc.env:HOME}
"""


def take(base: Path, place: Path, **options: Any) -> Imported:
    return import_source(base, open_source(str(place), SourceFormat.HYDRA), **options)


def write_job(sweep: Path, name: str = "0", config: str = "lr: 0.1\n", overrides: str = "- lr=0.1\n") -> Path:
    """A job's folder as Hydra 1.3 leaves it, as far as an import reads it."""
    folder = sweep / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(config)
    (folder / ".hydra" / "overrides.yaml").write_text(overrides)
    (folder / ".hydra" / "hydra.yaml").write_text(
        f"hydra:\n  job:\n    name: app\n  runtime:\n    output_dir: /gone/{sweep.name}/{name}\n"
    )
    (folder / "app.log").write_text(
        "[2026-01-02 03:04:05,678][app][INFO] - hello\n[2026-01-02 03:04:06,000] x\n"
    )
    return folder


def test_the_jobs_of_a_real_multirun_become_runs(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(CONFIG)
    (tmp_path / "app.py").write_text(APP)
    words = [sys.executable, "app.py", "-m", "hydra/sweeper=basic", "hydra/launcher=basic", "lr=0.1,0.2"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert recognise(str(tmp_path / "multirun")) is SourceFormat.HYDRA
    outcome = take(base, tmp_path / "multirun")
    assert list(outcome.copied.values()) == ["run_001", "run_002"]
    assert list(outcome.notes) == ["Hydra keeps no status; the run has the status ended"]
    record = tracker.record("run_002")
    assert record is not None
    assert (record.experiment_name, record.status.value) == ("app", "ended")
    assert record.params == {
        "model.kind": "mlp",
        "model.size": 3,
        "lr": 0.2,
        "api_key": "***",
        "name": "mlp-0.2",
        "home": "${oc.env:HOME}",  # that of the machine where it ran
    }
    folder = base / "runs" / "run_002"
    assert (folder / "overrides.yaml").read_text() == '- "lr=0.2"\n'
    assert "home: ${oc.env:HOME}" in (folder / "config.yaml").read_text()
    assert "hunter2" not in (folder / "config.yaml").read_text()
    assert "learning rate 0.2" in (folder / "artifacts" / "app.log").read_text()
    assert take(base, tmp_path / "multirun").present == outcome.copied
    shutil.copytree(tmp_path / "multirun", tmp_path / "elsewhere")
    assert list(take(base, tmp_path / "elsewhere").present.values()) == ["run_001", "run_002"]


def test_times_are_those_of_the_log(tracker: ExperimentTracker, base: Path, tmp_path: Path) -> None:
    write_job(tmp_path / "multirun")
    take(base, tmp_path / "multirun")
    record = tracker.record("run_001")
    assert record is not None
    assert f"{record.created_at:%Y-%m-%d %H:%M:%S.%f}" == "2026-01-02 03:04:05.678000"
    assert record.duration_s == pytest.approx(0.322)


@pytest.mark.parametrize(
    "results",
    [
        "name: optuna\nbest_params: {lr: 0.001, model.size: 3}\nbest_value: 0.25\n",
        "name: nevergrad\nbest_evaluated_params: {lr: 0.001, model.size: 3}\nbest_evaluated_result: 0.25\n",
    ],
)
def test_the_best_job_of_an_optimisation_has_its_value_and_is_completed(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, results: str
) -> None:
    sweep = tmp_path / "multirun" / "day" / "time"
    write_job(sweep, "0", overrides="- lr=0.1\n- model.size=3\n")
    write_job(sweep, "1", overrides="- lr=1e-3\n- +model.size=3\n")
    (sweep / "optimization_results.yaml").write_text(results)
    outcome = take(base, tmp_path / "multirun")
    assert outcome.copied == {"day/time/0": "run_001", "day/time/1": "run_002"}
    assert [(run.status.value, run.last_values) for run in tracker.records()] == [
        ("ended", {}),
        ("completed", {"objective": 0.25}),
    ]


def test_no_job_has_the_value_of_the_best_one_if_several_have_its_parameters(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    for name in "012":
        write_job(tmp_path / "multirun", name, overrides="- lr=0.1\n")
    write_job(tmp_path / "multirun", "3", overrides="- lr=0.2\n")
    (tmp_path / "multirun" / "optimization_results.yaml").write_text(
        "best_params: {lr: 0.1}\nbest_value: 0.25\n"
    )
    take(base, tmp_path / "multirun" / "1")
    take(base, tmp_path / "multirun")
    assert [(run.status.value, run.last_values) for run in tracker.records()] == [("ended", {})] * 4


def test_a_best_value_beyond_every_number_costs_itself(base: Path, tmp_path: Path) -> None:
    write_job(tmp_path / "multirun", overrides=f"- lr={10**400}\n")
    results = f"best_params: {{lr: {10**400}}}\nbest_value: {10**400}\n"
    (tmp_path / "multirun" / "optimization_results.yaml").write_text(results)
    outcome = take(base, tmp_path / "multirun")
    assert outcome.copied == {"0": "run_001"}
    assert any("a point of the metric 'objective'" in each for each in outcome.damaged["0"])


def test_a_tag_of_several_folders_is_a_metric_of_each(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    job = write_job(tmp_path / "multirun")
    # as add_scalars of PyTorch writes them beside the file of its writer
    for name, tags in (("", ["acc"]), ("loss_train", ["loss"]), ("loss_val", ["loss", "f1"])):
        (job / "tb" / name).mkdir(parents=True, exist_ok=True)
        events = [framed(scalar_event(1.7e9, 3, {tag: len(name)})) for tag in tags]
        (job / "tb" / name / "events.out.tfevents.1.x").write_bytes(
            framed(version_event(1.7e9)) + b"".join(events)
        )
    take(base, tmp_path / "multirun")
    assert tracker.records()[0].last_values == {
        "acc": 0,
        "tb/loss_train/loss": 10,
        "tb/loss_val/loss": 8,
        "f1": 8,
    }


def test_event_files_in_the_folder_of_a_job_are_its_metrics(
    tracker: ExperimentTracker, base: Path, tmp_path: Path
) -> None:
    logs = write_job(tmp_path / "multirun") / "tensorboard" / "version_0"
    logs.mkdir(parents=True)
    events = framed(version_event(1.7e9)) + framed(scalar_event(1.7e9, 3, {"val/acc": 0.5}))
    (logs / "events.out.tfevents.1.x").write_bytes(events)
    assert recognise(str(tmp_path / "multirun")) is SourceFormat.HYDRA
    assert take(base, tmp_path / "multirun").points == 1
    record = tracker.record("run_001")
    assert record is not None
    assert (record.last_values, record.params) == ({"val/acc": 0.5}, {"lr": 0.1})


LEVELS = ["multirun", "multirun/day", "multirun/day/time", "multirun/day/time/0"]


@pytest.mark.parametrize("first", LEVELS)
@pytest.mark.parametrize("second", LEVELS)
def test_a_job_is_imported_once_at_whatever_folder_around_it(
    base: Path, tmp_path: Path, first: str, second: str
) -> None:
    write_job(tmp_path / "multirun" / "day" / "time")
    assert list(take(base, tmp_path / first).copied.values()) == ["run_001"]
    again = take(base, tmp_path / second)
    assert (again.copied, list(again.present.values())) == ({}, ["run_001"])


def test_folders_are_numbered_as_people_count(base: Path, tmp_path: Path) -> None:
    for number in (10, 2, 0):
        write_job(tmp_path / "multirun", str(number))
    assert list(take(base, tmp_path / "multirun").copied) == ["0", "2", "10"]
    (job,) = take(base, tmp_path / "multirun" / "2").present
    assert job == "2"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {k: 1}\n" + "".join(
    f"{name}: &{name}\n  <<: [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LEADING_ON = "".join(
    f"{name}: {json.dumps([f'${{{before}}}'] * 10)}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("lr: [unclosed\n", "cannot be read"),
        ("- a list\n", "holds no keys"),
        ("just text\n", "holds no keys"),
        (BOMB, "holds more than 100000 values"),
        ("a: &a [*a]\n", "holds more than 100000 values"),
        (MERGED, "holds more than 100000 values"),
        ("a: !!python/object/apply:os.system ['touch hacked']\n", "cannot be read"),
        (LEADING_ON, "with its references filled in, it holds more than 100000 values"),
        ("".join(f"k{at}: ${{k{at + 1}}}\n" for at in range(5000)), "recursion"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_hostile_or_damaged_config_costs_its_job_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path / "multirun", "0", config)
    write_job(tmp_path / "multirun", "1")
    outcome = take(base, tmp_path / "multirun")
    assert outcome.copied == {"1": "run_001"}
    assert fault in outcome.left_out["0"]
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "value",
    [
        "${ours:1}",
        "a ${ours:${b}} c",
        "${again}",
        "${..again}",
        "${ref}",
        "\\${again}",
        "\\\\${ours:1}",
        "${${name}:1}",
        "$${text}",
        "${oc.decode:${text}}",
    ],
)
def test_no_resolver_runs_in_an_import(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, value: str
) -> None:
    ran: list[object] = []
    OmegaConf.register_new_resolver("ours", ran.append, replace=True)
    config = {
        "x": {"deep": [value]},
        "again": "${ours:2}",
        "ref": "${x.deep[0]}",
        "name": "ours",
        "text": "{ours:3}",
        "b": 1,
    }
    write_job(tmp_path / "multirun", config=json.dumps(config))
    try:
        assert len(take(base, tmp_path / "multirun").copied) == 1
    finally:
        OmegaConf.clear_resolver("ours")
    assert ran == []
    (run,) = tracker.records()
    assert run.params["again"] == "${ours:2}"
    assert run.params["b"] == 1


@pytest.mark.parametrize(
    "override",
    ["lr=[unclosed", "lr=2026-99-99", "lr=!!bool x", "lr=" + "[" * 5000, "lr=1" + ":1" * 999 + ".5"],
)
def test_an_override_that_is_no_yaml_is_that_of_no_best_job(
    tracker: ExperimentTracker, base: Path, tmp_path: Path, override: str
) -> None:
    write_job(tmp_path / "multirun", overrides=json.dumps([override]))
    (tmp_path / "multirun" / "optimization_results.yaml").write_text("best_params: {lr: 1}\nbest_value: 2\n")
    assert take(base, tmp_path / "multirun").damaged == {}
    assert [run.status.value for run in tracker.records()] == ["ended"]


def test_links_pipes_and_damaged_results_cost_themselves(base: Path, tmp_path: Path, say: Say) -> None:
    sweep = tmp_path / "multirun"
    first = write_job(sweep, "0")
    (tmp_path / "secret.log").write_text("private")
    (first / "stolen.log").symlink_to(tmp_path / "secret.log")
    os.mkfifo(first / "pipe.log")
    (sweep / "link").symlink_to(first)
    second = write_job(sweep, "1", "x: ${missing}\ny: ${y}\nz: 1\n")
    (second / ".hydra" / "hydra.yaml").write_text("[1, 2]\n")
    write_job(sweep, "2", "x: ${missing}\ny: ${y}\nz: 1\n")
    (sweep / "optimization_results.yaml").write_text("[unclosed")
    code, out, err = say("import", str(sweep), "--store", str(base), "--json")
    told = json.loads(out)
    assert (code, told["imported"]) == (1, {"0": "run_001", "2": "run_002"})
    assert list(told["left_out"]) == ["1"]
    assert told["left_out"]["1"].endswith("1/.hydra/hydra.yaml does not hold the settings of Hydra")
    assert "optimization_results.yaml cannot be read" in told["damaged"]["0"][0]
    assert [path.name for path in (base / "runs").rglob("*.log")] == ["app.log", "app.log"]
    assert json.loads((base / "runs/run_002/params.json").read_text()) == {
        "x": "${missing}",
        "y": "${y}",
        "z": 1,
    }
    assert "private" not in err


@pytest.mark.parametrize(
    ("callbacks", "is_told"),
    [("{podium: {store: null}}", True), ("{}", False), ("null", False), ("7", False)],
)
def test_a_job_that_was_tracked_as_it_ran_is_told_of(
    base: Path, tmp_path: Path, callbacks: str, is_told: bool
) -> None:
    folder = write_job(tmp_path / "multirun")
    with (folder / ".hydra" / "hydra.yaml").open("a") as file:
        file.write(f"  callbacks: {callbacks}\n")
    outcome = take(base, tmp_path / "multirun")
    assert len(outcome.copied) == 1
    assert ("podium has tracked the job" in " ".join(outcome.notes)) is is_told
