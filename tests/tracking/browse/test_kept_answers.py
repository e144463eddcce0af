"""A reader that has kept what it read answers like one that has read nothing, whatever happened to the store since."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracking import ExperimentTracker
from tracking.browse import reader as browse
from tracking.browse.reader import StoreReader
from tracking.search.index import view

QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"sort": ["-run_id"]},
    {"sort": ["run_id"], "text": "lr > 0"},
    {"sort": ["-val_auc.max", "lr"]},
    {"text": "val_auc.max > 0.51 and lr < 0.05", "sort": ["-run_id"]},
    {"text": "not status == 'completed' or tags.kind == 'odd'"},
    {"text": "created_at >= ago('1d')", "limit": 2},
    {"experiment": "other", "sort": ["lr"]},
    {"by_seeds": True, "sort": ["-lr"]},
)


@pytest.fixture(autouse=True)
def _few_runs_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whole columns be read, and kept, for a handful of runs."""
    monkeypatch.setattr(view, "FEW", 3)


@pytest.fixture
def agree(
    base: Path, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[dict[str, Any]]]:
    """Compare the reader, asked twice, with a new one that keeps nothing."""

    def check() -> list[dict[str, Any]]:
        with monkeypatch.context() as patched:
            patched.setattr(browse, "MEMORY_BYTES", 0)
            fresh = StoreReader(base)
        found = []
        for question in QUESTIONS:
            (expected, *asked) = [each.table(**question) for each in (fresh, *[reader] * 2)]
            for answer in (expected, *asked):
                del answer["version"]  # means nothing to another reader
            assert asked == [expected] * 2, question
            found.append(expected)
        assert reader.names() == fresh.names()
        fresh.close()
        return found

    return check


@pytest.fixture
def runs(tracker: ExperimentTracker) -> ExperimentTracker:
    for number in range(1, 9):
        name = "other" if number % 4 == 0 else "ctr_model"
        with tracker.start_run(name, params={"lr": 10.0 ** -(number % 3), "seed": number % 2}) as run:
            run.log({"val_auc": 0.5 + number / 100})
    return tracker


def test_after_runs_begin_log_change_and_go(
    runs: ExperimentTracker, agree: Callable[[], list[dict[str, Any]]]
) -> None:
    agree()
    run = runs.start_run("ctr_model", params={"lr": 0.02, "wd": "high"})
    agree()
    run.log({"val_auc": 0.9})
    assert run.run_id in agree()[4]["run_ids"]
    run.finish()
    agree()
    runs.open_run("run_003").set_tags({"kind": "odd"})
    assert agree()[5]["run_ids"] == ["run_003"]
    runs.delete_run("run_005")
    assert "run_005" not in agree()[1]["run_ids"]
    runs.restore_run("run_005")
    assert "run_005" in agree()[1]["run_ids"]


def test_after_the_index_is_built_anew_or_removed(
    runs: ExperimentTracker, reader: StoreReader, agree: Callable[[], list[dict[str, Any]]]
) -> None:
    agree()
    reader._catalog.index.rebuild()
    agree()
    reader._catalog.index.path.unlink()
    agree()


def test_after_another_store_took_the_place(
    runs: ExperimentTracker, base: Path, tmp_path: Path, agree: Callable[[], list[dict[str, Any]]]
) -> None:
    agree()
    shutil.move(base, tmp_path / "before")
    with ExperimentTracker(base).start_run("other", params={"lr": 7}) as run:
        run.log({"val_auc": 0.1})
    (first, *_) = agree()
    assert (first["total"], first["matching"]) == (1, 1)


def test_a_kept_answer_is_read_from_nothing(
    runs: ExperimentTracker, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    while reader.version() != reader.version():
        pass  # what changed within a tick of the clock is indexed twice
    expected = reader.table(**QUESTIONS[3])

    def refuse(*_: object) -> None:
        raise AssertionError("a column was read again")

    monkeypatch.setattr("tracking.search.index.view.View._column", refuse)
    assert reader.table(**QUESTIONS[3]) == expected
