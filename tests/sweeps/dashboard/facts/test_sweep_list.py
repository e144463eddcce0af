"""The list of sweeps, and the stamps by which a page knows that it shows the past."""

from pathlib import Path

import pytest
from told import Told
from written import write_sweep

from sweeps.dashboard.facts.sweep_list import page_stamp, sweep_list, sweep_stamp, sweeps_stamp
from sweeps.state.lock import locked
from tracking import ModelRegistry
from tracking.files import write_json


def test_a_store_without_sweeps_has_an_empty_list(tmp_path: Path) -> None:
    assert sweep_list(tmp_path) == []
    assert sweeps_stamp(tmp_path) == sweeps_stamp(tmp_path)


def test_the_newest_sweep_comes_first_with_its_best_run(tmp_path: Path) -> None:
    write_sweep(tmp_path, [{"x": 1}, {"x": 2}], name="a", created_at="2026-01-01T00:00:00+00:00")
    told = Told(tmp_path, name="b", total=1)
    told.begin()
    run = told.job(0, 0.8)
    newest, oldest = sweep_list(tmp_path)
    assert (newest["sweep"], newest["best"], newest["run"]) == ("b", 0.8, run)
    assert (oldest["sweep"], oldest["best"], oldest["metric"]) == ("a", 0.1, "val_auc")
    assert oldest["counts"] == {"completed": 2}


def test_a_damaged_sweep_is_named_with_its_fault_beside_the_others(tmp_path: Path) -> None:
    write_sweep(tmp_path, [{"x": 1}], name="whole")
    (write_sweep(tmp_path, [{"x": 1}], name="torn") / "plan.json").write_text("{")
    found = {each["sweep"]: each for each in sweep_list(tmp_path)}
    assert "error" not in found["whole"]
    assert "plan.json" in found["torn"]["error"]


def test_what_a_caller_changes_in_the_list_is_not_there_the_next_time(tmp_path: Path) -> None:
    write_sweep(tmp_path, [{"x": 1}])
    sweep_list(tmp_path)[0]["sweep"] = "other"
    assert sweep_list(tmp_path)[0]["sweep"] == "20260131-093000"


def test_the_stamps_change_with_each_event_and_with_the_process(tmp_path: Path) -> None:
    told = Told(tmp_path, total=1)
    seen = [(sweep_stamp(told.folder), sweeps_stamp(tmp_path))]

    def look() -> None:
        seen.append((sweep_stamp(told.folder), sweeps_stamp(tmp_path)))

    told.begin()
    look()
    told.job(0, 0.5)
    look()
    with locked(told.folder):
        look()
    look()
    (told.folder / "promotion.json").write_text("{}")
    look()
    assert seen.pop(4) == seen[2]  # it rests as it did before
    assert len(set(seen)) == len(seen) == 5
    write_sweep(tmp_path, [{"x": 1}], name="other")
    assert sweeps_stamp(tmp_path) != seen[-1][1]
    assert sweep_stamp(told.folder) == seen[-1][0]


def test_the_stamp_of_a_page_changes_with_the_champion_whoever_promotes_it(tmp_path: Path) -> None:
    told = Told(tmp_path, total=2)
    told.begin()
    runs = [told.job(job, 0.5) for job in range(2)]
    before = page_stamp(told.folder)
    decision = {"model_name": "net", "promoted": False, "version": 1, "run": runs[0], "reasons": ["too low"]}
    write_json(told.folder / "promotion.json", decision)
    decided = page_stamp(told.folder)
    registry = ModelRegistry(tmp_path)
    for run in runs:
        registry.register("net", run, files=[], objective={"metric": "val_auc", "mode": "max", "value": 0.5})
    registered = page_stamp(told.folder)
    registry.promote("net", 2, reason="by hand")
    promoted = page_stamp(told.folder)
    assert len({before, decided, registered, promoted}) == 4
    assert page_stamp(told.folder) == promoted
    registry.promote("net", 1, reason="by hand")
    assert page_stamp(told.folder) != promoted
    write_json(told.folder / "promotion.json", {**decision, "model_name": "../../elsewhere"})
    assert page_stamp(told.folder) != decided


def test_the_list_follows_a_sweep_that_goes_on(tmp_path: Path) -> None:
    told = Told(tmp_path, total=2)
    told.begin()
    told.job(0, 0.5)
    assert sweep_list(tmp_path)[0]["state"] == "interrupted"
    told.job(1, 0.9)
    (found,) = sweep_list(tmp_path)
    assert (found["state"], found["best"]) == ("finished", 0.9)
    with locked(told.folder):
        assert sweep_list(tmp_path)[0]["state"] == "running"


@pytest.mark.parametrize("name", ["<script>", "a b", "ü"])
def test_a_sweep_with_an_odd_name_is_listed(tmp_path: Path, name: str) -> None:
    write_sweep(tmp_path, [{"x": 1}], name=name)
    assert [each["sweep"] for each in sweep_list(tmp_path)] == [name]
