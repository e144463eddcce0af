"""What earlier versions left on disk is read, ranked again and resumed as they did it.

A folder here holds what its version wrote and, in ``expected.json``, what that version itself said of it:

* ``quadratic``: sweeps of a small app, which lies beside them: a grid with a promotion, seeds, zip, a list of points,
  random points, failed and retried jobs, returned objectives, reused runs, a stock launcher; sweeps that were
  stopped by SIGTERM and by SIGKILL, with a torn ledger, and one that was resumed
* ``records``: runs that completed, failed, were killed with their journals left, were edited, deleted and restored,
  and a registry with a champion and a rollback
* ``plain``: a store as simple code writes it: no run.json, whole files, times without an offset
* ``training``: a sweep of the trainer and the champion it made

``make.py`` made them with that version installed: ``python tests/formats/make.py 0.1.0``. Later versions add a folder
of their own and leave the earlier ones as they are. Machine, user and folders are replaced by neutral names, and
bulky files are left out. The tests use public names and commands alone, so that modules may move.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from answers import (
    STORE,
    command,
    inside,
    kept,
    move_in,
    of_records,
    of_sweeps,
    predicted,
    resumed,
    said,
    settle,
)

from tracking import ExperimentTracker, ModelRegistry

HERE = Path(__file__).parent
EXPECTED: dict[str, dict[str, Any]] = {
    path.parent.name: json.loads(path.read_text()) for path in sorted(HERE.glob("*/expected.json"))
}

Copied = Callable[[str, str], Path]


def having(part: str) -> list[tuple[str, str]]:
    """The versions and their projects of which a part is known."""
    return [
        (version, name)
        for version, projects in EXPECTED.items()
        for name in projects
        if part in projects[name]
    ]


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    """A copy of a project of a version, as if made on this machine before its last start."""

    def copied(version: str, name: str) -> Path:
        project = tmp_path / name
        shutil.copytree(HERE / version / name, project)
        settle(project)
        return project

    return copied


@pytest.fixture(autouse=True)
def same_surroundings(tmp_path: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        patch.delenv("PODIUM_STORE", raising=False)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(("version", "name"), having("records"))
def test_runs_and_models_are_read_as_the_version_that_wrote_them_did(
    copied: Copied, version: str, name: str
) -> None:
    expected = EXPECTED[version][name]["records"]
    assert kept(of_records(copied(version, name)), expected) == expected


@pytest.mark.parametrize(("version", "name"), having("sweeps"))
def test_sweeps_are_listed_shown_and_ranked_again_as_the_version_that_ran_them_did(
    copied: Copied, version: str, name: str
) -> None:
    expected = EXPECTED[version][name]["sweeps"]
    assert kept(of_sweeps(copied(version, name)), expected) == expected


@pytest.mark.parametrize(("version", "name"), having("sweeps"))
def test_a_leaderboard_that_was_written_ranks_as_the_new_one_does(
    copied: Copied, version: str, name: str
) -> None:
    project = copied(version, name)
    boards = {path: json.loads(path.read_text()) for path in project.glob("experiments/sweeps/*/*board.json")}
    assert boards
    of_sweeps(project)
    for path, before in boards.items():
        now = json.loads(path.read_text())
        assert [(row["rank"], row["job"], row["objective"]) for row in now["rows"]] == [
            (row["rank"], row["job"], row["objective"]) for row in before["rows"]
        ]
        assert kept(now["usage"], before["usage"]) == before["usage"]


@pytest.mark.parametrize(
    ("version", "name", "sweep"),
    [(*each, sweep) for each in having("resumed") for sweep in EXPECTED[each[0]][each[1]]["resumed"]],
)
def test_a_sweep_that_was_cut_off_is_resumed_and_runs_what_was_left(
    copied: Copied, version: str, name: str, sweep: str
) -> None:
    project = copied(version, name)
    move_in(project)
    assert resumed(project, sweep) == EXPECTED[version][name]["resumed"][sweep]


@pytest.mark.parametrize(("version", "name"), having("predictions"))
def test_a_champion_is_loaded_and_predicts_as_it_did(copied: Copied, version: str, name: str) -> None:
    project = copied(version, name)
    for model, expected in EXPECTED[version][name]["predictions"].items():
        assert predicted(project, model) == pytest.approx(expected)


@pytest.mark.parametrize(("version", "name"), having("records"))
def test_a_store_is_written_on(copied: Copied, version: str, name: str) -> None:
    project = copied(version, name)
    expected = EXPECTED[version][name]["records"]["records"]
    with inside(project):
        trash = {each["run_id"]: each["experiment_name"] for each in said("tracking", "trash")}
        tracker = ExperimentTracker(STORE)
        with tracker.start_run("of today", params={"x": 1}) as run:
            run.log({"loss": 0.5})
        assert run.run_id not in {*expected, *trash}
        for run_id, experiment in trash.items():
            tracker.restore_run(run_id)
            assert tracker.record(run_id).experiment_name == experiment
        edited = next(iter(expected))
        tracker.open_run(edited).set_tags({"seen": "today"})
        assert {record.run_id for record in tracker.search_runs()} == {*expected, *trash, run.run_id}
        assert [record.run_id for record in tracker.search_runs("tags.seen == 'today'")] == [edited]
        published = json.loads((STORE / "metadata.json").read_text())
        assert {entry["run_id"] for entry in published} == {*expected, *trash, run.run_id}
    now = {run_id: each for run_id, each in of_records(project)["records"].items() if run_id in expected}
    assert now[edited]["tags"].pop("seen") == "today"
    assert kept(now, expected) == expected


@pytest.mark.parametrize(
    ("version", "name", "model"),
    [
        (*each, model)
        for each in having("records")
        for model in EXPECTED[each[0]][each[1]]["records"]["histories"]
    ],
)
def test_a_model_gets_a_champion_and_the_one_before_it_back(
    copied: Copied, version: str, name: str, model: str
) -> None:
    registry = ModelRegistry(copied(version, name) / STORE)
    before, events = registry.champion(model), registry.history(model)
    for each in registry.versions(model):  # whose files are looked at first
        if before is None or each.version != before.version:
            registry.promote(model, each.version, reason="better")
            champion = registry.champion(model)
            assert champion is not None
            assert champion.version == each.version
            if before is not None:
                assert registry.rollback(model, reason="not better") == before
    assert registry.history(model)[: len(events)] == events


@pytest.mark.parametrize(("version", "name"), having("sweeps"))
@pytest.mark.parametrize(
    "words",
    [
        ("sweeps", "list"),
        ("sweeps", "show"),
        ("sweeps", "jobs"),
        ("sweeps", "leaderboard"),
        ("tracking", "list"),
        ("tracking", "models"),
        ("tracking", "show", "run_001"),
    ],
)
def test_a_reader_is_shown_it_as_text(
    copied: Copied, version: str, name: str, words: tuple[str, ...]
) -> None:
    with inside(copied(version, name)):
        code, out = command(*words)
    assert code == 0
    assert out
