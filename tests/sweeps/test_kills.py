"""A named sweep with a promotion is killed at any moment: its name is usable, it ends as if it had not been killed.

The sweep's own process kills itself before one of the changes that it makes to the store: before it opens a file to
write, renames, links, removes or makes one. A life without a kill tells how many there are.
"""

import json
import signal
from pathlib import Path

import pytest
from killer import NEVER, call, put_killer

from sweeps.ranking.status import SweepState, sweep_status
from tracking import ExperimentTracker, ModelRegistry
from tracking.doctor import Fault, examine
from tracking.files import read_json
from tracking.store.store import Store

SCRIPT = """
import hydra
from tracking import ExperimentTracker

@hydra.main(version_base="1.3", config_path=None)
def main(cfg):
    with ExperimentTracker("experiments").start_run("kills", params={"x": cfg.x}, capture_output=False) as run:
        run.log({"loss": float(cfg.x)})
        (run.artifacts_dir / "model.bin").write_bytes(b"weights")

if __name__ == "__main__":
    main()
"""
COMMAND = (
    "app.py", "-m", "hydra/sweeper=podium", "hydra/launcher=podium", "+x=1,2", "hydra.sweeper.name=mine",
    "hydra.sweeper.objective.metric=loss", "hydra.launcher.n_jobs=2",
    "hydra.sweeper.promotion={promote: true, model_name: m, files: [model.bin]}",
)  # fmt: skip


def make_app(folder: Path) -> Path:
    put_killer(folder)
    (folder / "app.py").write_text(SCRIPT)
    return folder


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many changes a sweep makes to its store that is not killed."""
    folder = make_app(tmp_path_factory.mktemp("whole") / "app")
    result = call(folder, *COMMAND, kill_before=NEVER)
    assert result.returncode == 0, result.stderr
    check(folder)
    return int((folder / "changes").read_text())


def go_on(folder: Path) -> None:
    """Resume the sweep, or start it again if it had not begun."""
    result = call(folder, "-m", "sweeps", "resume", "mine")
    if result.returncode != 0:
        assert "no sweeps in experiments" in result.stderr or "no such sweep" in result.stderr, result.stderr
        result = call(folder, *COMMAND)
    assert result.returncode == 0, result.stdout + result.stderr


def check(folder: Path) -> None:
    """The sweep has ended, its winner was promoted once, and all files say so."""
    store = folder / "experiments"
    status = sweep_status(store / "sweeps" / "mine")
    assert status.state is SweepState.FINISHED
    assert [(row.rank, row.job, row.objective) for row in status.board.rows] == [(1, 0, 1.0), (2, 1, 2.0)]
    assert status.board.winner is not None
    decision, registry = read_json(store / "sweeps" / "mine" / "promotion.json"), ModelRegistry(store)
    (version,) = registry.versions("m")
    assert (decision["promoted"], decision["run"], decision["version"]) == (
        True,
        status.board.winner.run,
        version.version,
    )
    assert registry.champion("m") == version
    assert version.run_id == status.board.winner.run
    history = [(event.kind, event.version) for event in registry.history("m")]
    assert history == [("registered", version.version), ("promoted", version.version)]
    assert json.loads((store / "models" / "m" / "aliases.json").read_text()) == {"champion": version.version}
    assert {str(record.status) for record in ExperimentTracker(store).records()} <= {"completed", "killed"}
    # What a kill may leave for the doctor: a dead run is one whose id had not reached the ledger.
    found = {each.fault for each in examine(Store(store), repair=False).findings}
    assert found <= {Fault.LEFTOVER, Fault.HALF_VERSION, Fault.NO_RUN, Fault.OLD_VIEW, Fault.DEAD_RUN}


def is_killed_and_goes_on(folder: Path, moment: int) -> None:
    make_app(folder)
    result = call(folder, *COMMAND, kill_before=moment)
    assert result.returncode in (-signal.SIGKILL, 0)  # the last changes do not come in one order
    go_on(folder)
    check(folder)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.85, 0.95])
def test_a_killed_sweep_goes_on(changes: int, tmp_path: Path, share: float) -> None:
    is_killed_and_goes_on(tmp_path / "app", 1 + int(share * changes))
    go_on(tmp_path / "app")  # nothing is left to do
    check(tmp_path / "app")


IN_CI = {3, 7}  # the parts whose moments stand for the others


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(part, marks=pytest.mark.slow if part in IN_CI else pytest.mark.exhaustive)
        for part in range(10)
    ],
)
def test_a_sweep_that_is_killed_before_any_change_goes_on(changes: int, tmp_path: Path, part: int) -> None:
    for moment in range(1 + part, changes + 1, 10):
        is_killed_and_goes_on(tmp_path / str(moment), moment)


def test_a_sweep_that_is_killed_again_and_again_goes_on(changes: int, tmp_path: Path) -> None:
    folder = make_app(tmp_path / "app")
    call(folder, *COMMAND, kill_before=changes // 2)
    for moment in (3, 8, 13):
        call(folder, "-m", "sweeps", "resume", "mine", kill_before=moment)
    go_on(folder)
    check(folder)


EXTENSION = (*("+x=0,1,2" if word == "+x=1,2" else word for word in COMMAND), "hydra.sweeper.resume=mine")


@pytest.fixture(scope="module")
def changes_of_extension(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many changes an extension makes to the store of its sweep that is not killed."""
    folder = make_app(tmp_path_factory.mktemp("extended") / "app")
    assert call(folder, *COMMAND).returncode == 0
    result = call(folder, *EXTENSION, kill_before=NEVER)
    assert result.returncode == 0, result.stderr
    return int((folder / "changes").read_text())


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.9])
def test_a_sweep_that_is_killed_while_it_is_extended_goes_on(
    changes_of_extension: int, tmp_path: Path, share: float
) -> None:
    folder = make_app(tmp_path / "app")
    assert call(folder, *COMMAND).returncode == 0
    call(folder, *EXTENSION, kill_before=1 + int(share * changes_of_extension))
    # What it was called with before is still what it is called with, or it has the new point already.
    assert call(folder, "-m", "sweeps", "resume", "mine").returncode == 0
    result = call(folder, *EXTENSION)
    assert result.returncode == 0, result.stdout + result.stderr
    status = sweep_status(folder / "experiments" / "sweeps" / "mine")
    assert status.state is SweepState.FINISHED
    rows = [(row.rank, row.job, row.point["x"], row.objective) for row in status.board.rows]
    assert rows == [(1, 2, 0, 0.0), (2, 0, 1, 1.0), (3, 1, 2, 2.0)]
    champion = ModelRegistry(folder / "experiments").champion("m")
    assert champion is not None
    assert status.board.winner is not None
    assert champion.run_id == status.board.winner.run
    attempts = [job for job, history in status.history.jobs.items() for _ in range(history.attempts)]
    assert attempts[:2] == [0, 1]
    assert {*attempts[2:]} == {2}
