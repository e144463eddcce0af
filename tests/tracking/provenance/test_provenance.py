"""What is written down when a run starts: process, machine, packages, code, config; and what is not."""

import json
import os
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker, InvalidValueError, Run
from tracking.provenance import starting
from tracking.provenance.code import Code
from tracking.provenance.environment import environment, packages, variables
from tracking.provenance.hardware import cuda, machine

ROOT = Path(__file__).parents[3]


def read(run: Run, name: str) -> Any:
    return json.loads((run.run_dir / name).read_text())


def test_the_environment_names_process_machine_and_seeds(tracker: ExperimentTracker) -> None:
    with tracker.start_run("x", seeds={"python": 1, "entropy": 2**80, "none": None}) as run:
        pass
    told = read(run, "env.json")
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["implementation"] == sys.implementation.name
    assert told["seeds"] == {"python": 1, "entropy": str(2**80), "none": None}
    assert told["cpus"] == os.cpu_count()
    assert told["cpus_usable"] == len(os.sched_getaffinity(0))
    assert told["memory_bytes"] > 2**20
    assert told["cwd"] == str(Path.cwd())
    assert told["argv"] == sys.argv
    assert told["executable"] == sys.executable


def test_every_installed_distribution_is_named_with_its_version() -> None:
    expected = {
        each.metadata["Name"].replace("_", "-").replace(".", "-").lower(): each.version
        for each in reversed(list(metadata.distributions()))
    }
    assert packages() == dict(sorted(expected.items()))
    assert {"orjson", "podium", "pytest"} <= set(packages())


def test_the_first_of_two_installed_versions_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, version in (("a", "2.0.post1"), ("b", "1.0")):
        (tmp_path / folder / f"My_Pkg-{version}.dist-info").mkdir(parents=True)
    (tmp_path / "b" / "Old-0.1-py3.11.egg-info").mkdir()
    (tmp_path / "b" / "broken.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path / each) for each in ("a", "b", "missing")])
    assert packages() == {"my-pkg": "2.0.post1", "old": "0.1"}


def test_only_variables_that_matter_are_recorded_and_secrets_are_masked() -> None:
    environ = {
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "4",
        "SLURM_JOB_ID": "7",
        "SLURM_TOKEN": "hunter2",
        "PODIUM_PASSWORD": "hunter2",
        "HYDRA_URL": "http://me:hunter2@host",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "HOME": "/home/me",
        "RANK": "1",
        "RANKING": "1",
    }
    assert variables(environ) == {
        "CUDA_VISIBLE_DEVICES": "0",
        "HYDRA_URL": "http://me:***@host",
        "OMP_NUM_THREADS": "4",
        "PODIUM_PASSWORD": "***",
        "RANK": "1",
        "SLURM_JOB_ID": "7",
        "SLURM_TOKEN": "***",
    }


def test_processor_gpus_and_driver_are_read_from_the_kernel(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Fast 9000\n\nprocessor\t: 1\nmodel name\t: Other\n",
        "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA H200\nGPU UUID: \t GPU-12\n",
        "proc/driver/nvidia/gpus/0000:02:00.0/information": "nothing known\n",
        "sys/module/nvidia/version": "570.1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = machine(tmp_path)
    assert found["cpu"] == "Fast 9000"
    assert found["gpu_driver"] == "nvidia 570.1"
    assert found["gpus"] == [{"name": "NVIDIA H200", "uuid": "GPU-12"}, {"name": "", "uuid": ""}]


def test_a_machine_without_proc_gives_empty_facts(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert (found["cpu"], found["gpu_driver"], found["gpus"]) == (None, None, [])


class FakeCuda(types.SimpleNamespace):
    """The part of torch that says which GPUs are in use."""

    def is_initialized(self) -> bool:
        return bool(self.awake)

    def device_count(self) -> int:
        return 2

    def get_device_name(self, index: int) -> str:
        if self.broken:
            raise RuntimeError("driver too old")
        return f"GPU {index}"


@pytest.mark.parametrize(
    ("awake", "broken", "expected"),
    [
        (False, False, None),
        (True, False, {"version": "12.8", "devices": ["GPU 0", "GPU 1"]}),
        (True, True, None),
    ],
)
def test_torch_is_asked_only_if_the_program_initialised_cuda(
    monkeypatch: pytest.MonkeyPatch, awake: bool, broken: bool, expected: Any
) -> None:
    fake = types.SimpleNamespace(
        cuda=FakeCuda(awake=awake, broken=broken), version=types.SimpleNamespace(cuda="12.8")
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    assert cuda() == expected


def test_config_command_and_overrides_are_kept_without_secrets(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--api-key", "hunter2"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--api-key", "hunter2"])
    with tracker.start_run(
        "x",
        data={"url": "postgres://me:hunter2@host", "rows": 3},
        config="db:\n  password: hunter2\nlr: 0.1\n",
        overrides=["db.password=hunter2", "lr=0.1"],
    ) as run:
        pass
    assert (run.run_dir / "config.yaml").read_text() == "db:\n  password: '***'\nlr: 0.1\n"
    assert (run.run_dir / "overrides.yaml").read_text() == '- "db.password=***"\n- "lr=0.1"\n'
    assert read(run, "env.json")["argv"] == ["train.py", "--api-key", "***"]
    assert tracker.record(run.run_id).data == {"url": "postgres://me:***@host", "rows": 3}
    everything = b"".join(
        path.read_bytes() for path in run.run_dir.rglob("*") if path.suffix != ".patch" and path.is_file()
    )
    assert b"hunter2" not in everything


def test_text_that_is_not_unicode_is_written_readably(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", os.fsdecode(b"\xff.csv")])
    with tracker.start_run("x", config="name: \udcff\n", overrides=["file=\udcff"]) as run:
        pass
    assert read(run, "env.json")["argv"] == ["train.py", "\\udcff.csv"]
    assert (run.run_dir / "config.yaml").read_text() == "name: \\udcff\n"


def test_code_beyond_the_commit_is_in_the_patch(
    tracker: ExperimentTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Code(
        commit="c" * 40, branch="main", dirty=True, changed=["a.py"], patch=b"diff", untracked=["b.py"]
    )
    monkeypatch.setattr(starting, "current_code", lambda: found)
    with tracker.start_run("x") as kept, tracker.start_run("x", capture_code=False) as not_kept:
        pass
    assert (kept.run_dir / "git.patch").read_bytes() == b"diff"
    assert read(kept, "git.json")["patch_bytes"] == 4
    assert read(kept, "git.json")["reproducible"]
    told = read(not_kept, "git.json")
    assert not (not_kept.run_dir / "git.patch").exists()
    assert (told["commit"], told["dirty"], told["patch_bytes"], told["untracked"]) == ("c" * 40, True, 0, [])
    assert (told["reproducible"], told["why_not"]) == (False, ["the copy of the code was switched off"])


def test_names_in_git_json_are_limited_and_counted(tracker: ExperimentTracker) -> None:
    names = [f"{number}.py" for number in range(300)]
    told = Code(changed=names, untracked=names, left_out=dict.fromkeys(names, "why")).content()
    for kind in ("changed", "untracked", "left_out"):
        assert (len(told[kind]), told[f"{kind}_count"]) == (100, 300)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 3}, r"seeds must be a mapping, such as \{'torch': 1\}, not 3"),
        ({"sample_usage_s": 0}, "sample_usage_s must be a number of seconds above 0, or None, not 0"),
        ({"sample_usage_s": True}, "not True"),
        ({"sample_usage_s": float("nan")}, "not nan"),
        ({"config": ["lr=1"]}, "config must be a mapping or YAML text, not list"),
    ],
)
def test_wrong_options_are_refused_before_there_is_a_run(
    tracker: ExperimentTracker, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        tracker.start_run("x", **options)
    assert tracker.list_runs() == []


def test_a_run_made_by_id_captures_nothing(tracker: ExperimentTracker, base: Path, capsys: Any) -> None:
    run_id = tracker.create_run("x")
    sys.stdout.write("said\n")
    tracker.finish_run(run_id)
    names = {path.name for path in (base / "runs" / run_id).iterdir()}
    assert not names & {"env.json", "git.json", "git.patch", "stdout.log", "usage.jsonl"}


def test_a_run_starts_in_a_deleted_working_folder(
    tracker: ExperimentTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with tracker.start_run("x") as run:
        pass
    assert read(run, "env.json")["cwd"] is None
    assert not read(run, "git.json")["reproducible"]


def test_the_environment_of_a_process_is_that_of_the_process(tmp_path: Path) -> None:
    code = "import json; from tracking.provenance.environment import environment; print(json.dumps(environment()))"
    done = subprocess.run(
        [sys.executable, "-c", code, "--password=hunter2"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["command"][1:] == ["-c", code, "--password=***"]
    assert told["env"]["PYTHONHASHSEED"] == "7"
    assert told["cwd"] == str(tmp_path)
    assert set(told) == set(environment())
