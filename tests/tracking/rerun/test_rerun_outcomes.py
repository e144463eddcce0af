"""What making a run again comes to: noise, failures, limits and signals, and where its result is shown."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import Say
from rerun_project import commit, run

from tracking import ExperimentTracker, ModelRegistry
from tracking.browse import cells
from tracking.browse.reader import StoreReader
from tracking.doctor import examine
from tracking.errors import InvalidValueError, RerunError, UnknownRunError
from tracking.rerun import Likeness, rerun
from tracking.store.store import Store

ARGUMENTS = ("train.py", "0.5", "--seed", "3")
NOISY = """
import random, sys
from tracking import ExperimentTracker, ModelRegistry
from tracking.browse import cells
from tracking.browse.reader import StoreReader
with ExperimentTracker("experiments").start_run("numbers", params={"a": 1}) as run:
    centre = float(open("centre.txt").read())
    run.log({"val_auc": random.gauss(centre, 0.01), "epoch_s": random.random()})
"""


def test_a_program_that_draws_without_a_seed_is_within_noise(repo: Path, store: Path) -> None:
    (repo / "noisy.py").write_text(NOISY)
    (repo / "centre.txt").write_text("0.8")
    commit(repo)
    run(repo, "noisy.py")
    says: list[str] = []

    alone = rerun("run_001", store)
    result = rerun("run_001", store, seeds=12, say=says.append)

    assert alone.verdict is Likeness.DIFFERENT
    assert alone.not_compared == ("epoch_s",)
    assert result.noise is not None
    assert result.verdict is (Likeness.WITHIN_NOISE if result.noise.holds else Likeness.DIFFERENT)
    assert result.noise.low < 0.8 < result.noise.high
    assert (len(result.noise.values), set(result.noise.seeds)) == (12, {None})
    assert "the run names no seed: the further runs are repetitions" in says
    assert "12 runs without seeds" in result.sentence


def test_a_value_that_no_seed_explains_is_different(repo: Path, store: Path) -> None:
    (repo / "noisy.py").write_text(NOISY)
    (repo / "centre.txt").write_text("0.9")
    run(repo, "noisy.py")
    patch = store / "runs/run_001/git.patch"
    patch.write_text(patch.read_text().replace("centre.txt", "other.txt"))
    (repo / "centre.txt").write_text("0.5")
    commit(repo)

    result = rerun("run_001", store, seeds=6, here=True)

    assert result.verdict is Likeness.DIFFERENT
    assert result.noise is not None
    assert not result.noise.holds
    assert "lies outside" in result.sentence


def test_further_runs_get_other_seeds_on_the_command_line(repo: Path, store: Path) -> None:
    (repo / "steps.py").write_text("import random\nscale = random.random()\n")
    commit(repo)
    run(repo, *ARGUMENTS)

    result = rerun("run_001", store, seeds=3, metric="loss")

    assert result.noise is not None
    assert result.noise.seeds == (4, 5, 6)
    tracker = ExperimentTracker(store)
    runs = [tracker.record(name) for name in result.noise.runs]
    assert [each and each.params["seed"] for each in runs] == [4, 5, 6]
    assert all(each and each.rerun_of == "run_001" for each in runs)


@pytest.mark.parametrize(
    ("logged", "seeds", "why"),
    [({}, 0, "has no metric to compare"), ({"epoch_s": 3}, 0, "has no metric to compare"), ({"loss": 1}, 3, "no metric 'auc'; it has: loss")],
)  # fmt: skip
def test_a_run_without_the_metric_is_refused_before_anything_runs(
    repo: Path, store: Path, logged: dict[str, float], seeds: int, why: str
) -> None:
    (repo / "silent.py").write_text(
        "from tracking import ExperimentTracker\n"
        f"with ExperimentTracker('experiments').start_run('numbers') as run:\n    run.log({logged})\n"
    )
    commit(repo)
    run(repo, "silent.py")

    with pytest.raises(RerunError, match=why):
        rerun("run_001", store, seeds=seeds, metric="auc")

    assert [each.name for each in (store / "runs").iterdir()] == ["run_001"]


def test_a_program_that_fails_is_an_error_with_what_it_printed(repo: Path, store: Path) -> None:
    run(repo, *ARGUMENTS)
    (repo / "data/rows.csv").unlink()

    with pytest.raises(RerunError, match=r"opened no run \(exit code 1\)[\s\S]*FileNotFoundError"):
        rerun("run_001", store)


def test_a_run_that_takes_too_long_is_ended(repo: Path, store: Path, own_folders: Path) -> None:
    (repo / "slow.py").write_text(
        "import os, time\nfrom tracking import ExperimentTracker\n"
        "with ExperimentTracker('experiments').start_run('numbers') as run:\n"
        "    run.log({'loss': 1})\n"
        "    if 'PODIUM_RERUN' in os.environ:\n        time.sleep(600)\n"
    )
    commit(repo)
    run(repo, "slow.py")

    with pytest.raises(RerunError, match="not made again within 3 s"):
        rerun("run_001", store, timeout_s=3)

    again = ExperimentTracker(store).record("run_002")
    assert again is not None
    assert (again.status, again.rerun_of) == ("killed", "run_001")
    assert list(own_folders.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_and_what_a_kill_leaves_is_removed_by_the_next(
    repo: Path, store: Path, own_folders: Path, number: signal.Signals
) -> None:
    (repo / "slow.py").write_text(
        "import os, time\nfrom tracking import ExperimentTracker\n"
        "with ExperimentTracker('experiments').start_run('numbers') as run:\n"
        "    run.log({'loss': 1, 'pid': os.getpid()})\n"
        "    if os.path.exists('/proc') and os.environ.get('SLOW'):\n        time.sleep(600)\n"
    )
    commit(repo)
    run(repo, "slow.py")
    command = [sys.executable, "-m", "tracking", "rerun", "run_001", "--store", str(store)]
    process = subprocess.Popen(command, cwd=repo, env={**os.environ, "SLOW": "1"}, start_new_session=True)
    journal = store / "runs/run_002/metrics.jsonl"
    while not journal.exists() or not journal.read_text().endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    pid = int(json.loads(journal.read_text().splitlines()[0])["metrics"]["pid"])

    process.send_signal(number)
    code = process.wait(60)

    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.02)
    left = list(own_folders.iterdir())
    assert bool(left) is (number == signal.SIGKILL)
    again = ExperimentTracker(store).record("run_002")
    assert again is not None
    assert (again.status, again.rerun_of) == ("killed", "run_001")
    if left:
        examine(Store(store))
        assert list(own_folders.iterdir()) == []


def test_the_doctor_leaves_the_folder_of_a_run_that_is_being_made(
    repo: Path, store: Path, own_folders: Path
) -> None:
    run(repo, *ARGUMENTS)
    seen: list[int] = []

    def look(_text: str) -> None:
        examine(Store(store))
        seen.append(len(list(own_folders.iterdir())))

    assert rerun("run_001", store, say=look).is_reproduced
    assert set(seen) == {1}


def test_the_folder_is_kept_on_request(repo: Path, store: Path, own_folders: Path) -> None:
    run(repo, *ARGUMENTS)
    says: list[str] = []

    rerun("run_001", store, keep_folder=True, say=says.append)
    rerun("run_001", store)

    (kept,) = own_folders.iterdir()
    assert f"kept: {kept}" in says
    assert (kept / "tree/project/train.py").is_file()


def test_lists_name_reruns_in_place_of_their_status(repo: Path, store: Path, say: Say) -> None:
    run(repo, *ARGUMENTS)
    (repo / "data/rows.csv").write_text("1\n")  # its loss is lower
    rerun("run_001", store)

    where = ("--store", str(store))
    assert json.loads(say("list", *where, "--json")[1])["numbers"]["rerun"] == 1
    rows = say("compare", "numbers", *where)[1]
    assert rows.index("run_001") < rows.index("run_002")
    assert "rerun" in rows
    assert json.loads(say("best", "numbers", *where, "--json")[1])["run_id"] == "run_001"
    assert len(json.loads(say("compare", "numbers", "--grouped", *where, "--json")[1])["groups"]) == 1
    assert "1 rerun" in say("watch", "numbers", "--once", *where)[1]


def test_the_command_says_in_its_exit_code_how_it_went(repo: Path, store: Path, say: Say) -> None:
    run(repo, *ARGUMENTS)
    where = ("--store", str(store))

    code, out, err = say("rerun", "run_001", *where)
    assert (code, "run_002 repeats run_001 to the last digit: 3 points." in out) == (0, True)
    assert "checking out" in err
    assert "running: python train.py 0.5 --seed 3" in err
    (repo / "data/rows.csv").write_text("1\n")
    code, out, _ = say("rerun", "run_001", *where, "--json")
    told = json.loads(out)
    assert (code, told["verdict"], told["is_reproduced"]) == (1, "different", False)
    assert told["metrics"][0]["metric"] == "loss"
    code, out, _ = say("rerun", "run_001", *where)
    assert code == 1
    assert "Metrics that differ:" in out
    code, out, err = say("rerun", "run_009", *where)
    assert (code, out) == (2, "")
    assert "no run 'run_009'" in err
    assert say("rerun", "run_001", *where, "--timeout", "soon")[0] == 2
    shown = say("show", "run_001", *where)[1]
    assert "different: run_004 differs from run_001: the data changed; loss is " in shown
    assert len(json.loads(say("show", "run_001", *where, "--json")[1])["reruns"]) == 3


def test_pages_and_the_champion_tell_of_it(repo: Path, store: Path, say: Say) -> None:
    with (repo / "train.py").open("a") as file:
        file.write("    run.log_dict({'a': 1}, 'model.json')\n")
    commit(repo)
    run(repo, *ARGUMENTS)
    registry = ModelRegistry(store)
    objective = {
        "metric": "loss",
        "mode": "min",
        "value": ExperimentTracker(store).record("run_001").last_values["loss"],
    }
    registry.register("numbers", "run_001", objective=objective, files=["model.json"])
    registry.promote("numbers", 1, reason="first")

    result = rerun("run_001", store)

    reader = StoreReader(store)
    assert reader.run("run_001")["reruns"] == [cells.value(result.to_json())]
    assert reader.run("run_002")["rerun_of"] == "run_001"
    assert reader.model("numbers")["versions"][0]["rerun"]["sentence"] == result.sentence
    assert result.sentence in say("champion", "numbers", "--store", str(store))[1]


def test_runs_that_cannot_be_compared_are_refused(repo: Path, store: Path) -> None:
    with ExperimentTracker(store).start_run("numbers") as open_run:
        with pytest.raises(RuntimeError, match="is running"):
            rerun(open_run.run_id, store)
        open_run.finish("failed")
    with pytest.raises(RerunError, match="is failed: only a completed run can be compared"):
        rerun("run_001", store)
    with pytest.raises(UnknownRunError):
        rerun("run_007", store)
    with pytest.raises(RerunError, match="at least 2 runs"):
        rerun("run_001", store, seeds=1)
    assert issubclass(RerunError, RuntimeError)
    assert not issubclass(RerunError, InvalidValueError)
