"""The facts about a sweep, from its files and its runs alone: finished, running, interrupted, of a search, and hostile."""

import json
import math
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import RATE, START, Told
from verdicts_made import scored, side
from written import ROOT, write_sweep

from sweeps.dashboard.facts.scales import scale_of
from sweeps.dashboard.facts.sweep_facts import sweep_facts
from sweeps.dashboard.report.words import outcome
from sweeps.state.lock import locked
from tracking import ModelRegistry, Verdict
from tracking.files import write_json
from tracking.values.jsontext import decode, encode


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path, total=3)


def plain(folder: Path) -> Any:
    """Return the facts as a browser gets them."""
    return decode(encode(sweep_facts(folder)))


def test_the_jobs_of_a_finished_sweep_are_columns_in_the_order_of_the_leaderboard(told: Told) -> None:
    told.begin()
    runs = [told.job(job, value, fingerprint="f", rows=10) for job, value in enumerate((0.6, 0.8, 0.7))]
    told.tell(3.0, "ended")
    facts = plain(told.folder)
    assert (facts["state"], facts["counts"]) == ("finished", {"completed": 3})
    jobs = facts["jobs"]
    assert jobs["job"] == [1, 2, 0]
    assert jobs["run"] == [runs[1], runs[2], runs[0]]
    assert jobs["rank"] == [1, 2, 3]
    assert jobs["values"] == [[0.8, 0.7, 0.6]]
    assert jobs["point"] == {RATE: [0.1, 0.01, 1.0]}
    assert jobs["epochs"] == [2, 2, 2]
    assert (
        len({len(column) for name, column in jobs.items() if isinstance(column, list) and name != "values"})
        == 1
    )
    assert facts["data"] == [{"fingerprint": "f", "rows": 10}]
    assert facts["names"] == {RATE: "learning_rate"}
    assert facts["scales"] == {RATE: "log"}
    assert facts["ended_at"] == "2026-01-31T09:30:03.000+00:00"
    assert facts["importance"] is None
    assert facts["repeat"] == {"command": f"python -m app -m {RATE}=0.1,0.01", "resume": None}


def test_the_best_so_far_tells_when_each_leader_took_the_lead(told: Told) -> None:
    told.begin(10.0)
    for job, (value, end) in enumerate(((0.6, 12.0), (0.5, 13.0), (0.9, 14.5))):
        told.job(job, value, from_s=11.0, to_s=end)
    told.tell(15.0, "ended")
    assert plain(told.folder)["best_so_far"] == {
        "jobs": [1, 3],
        "epochs": [2, 6],
        "seconds": [2.0, 4.5],
        "value": [0.6, 0.9],
        "job": [0, 2],
    }


def test_a_running_job_has_its_run_and_its_latest_value_and_the_sweep_the_time_it_has_left(
    told: Told,
) -> None:
    with locked(told.folder):
        told.begin()
        told.job(0, 0.6)
        told.ask(1)
        told.ask(2)
        told.start(1, 2.0)
        run = told.run_of(1, [0.4, 0.5])
        told.tell(2.5, "run", job=1, run=run.run_id)
        facts = plain(told.folder)
    run.finish()
    assert (facts["state"], facts["ended_at"]) == ("running", None)
    assert facts["counts"] == {"completed": 1, "running": 1, "queued": 1}
    place = facts["jobs"]["job"].index(1)
    assert facts["jobs"]["run"][place] == run.run_id
    assert (facts["jobs"]["latest"][place], facts["jobs"]["epochs"][place]) == (0.5, 2)
    assert facts["jobs"]["values"][0][place] is None
    assert facts["eta_s"] == 1.0  # no job is split over slots
    assert facts["timeline"]["status"] == ["completed", "running"]


def test_a_sweep_that_was_killed_ends_with_the_last_that_its_runs_logged(told: Told) -> None:
    told.begin()
    told.ask(0)
    told.ask(1)
    told.start(0, 0.25)
    run = told.run_of(0, [0.5, 0.6])
    told.tell(0.5, "run", job=0, run=run.run_id)
    told.start(1, 0.75, slot=1)
    journal = Path(run.run_dir) / "metrics.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for second, line in enumerate(lines, start=1):
        line["timestamp"] = (START + timedelta(seconds=second + 0.5)).isoformat(timespec="milliseconds")
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + '{"torn')
    facts = plain(told.folder)
    assert (facts["state"], facts["was_killed"]) == ("interrupted", True)
    assert facts["ended_at"] == "2026-01-31T09:30:02.500+00:00"
    assert facts["timeline"]["sessions"] == [[0.0, 2.5]]
    assert facts["timeline"]["to_s"] == [2.5, 0.75]
    assert facts["usage"]["wall_s"] == 2.5
    assert "It was killed; its time ends with the last that its runs logged." in outcome(facts)
    told.tell(100.0, "began", slots=2, lived_until=facts["ended_at"])
    told.tell(101.0, "ended")
    run.finish()
    resumed = plain(told.folder)
    assert not resumed["was_killed"]
    assert resumed["timeline"]["sessions"] == [[0.0, 2.5], [2.5, 3.5]]


def test_the_jobs_of_a_resumed_sweep_that_run_again_are_queued(told: Told) -> None:
    told.begin()
    told.job(0, 0.6)
    told.ask(1)
    told.ask(2)
    told.start(1, 1.0)
    told.finish(1, 2.0, "killed", error="stopped by SIGINT", reason="stopped")
    told.finish(2, 2.0, "cancelled", error="stopped by SIGINT", reason="stopped", wall_s=0.0)
    told.tell(2.5, "ended")
    assert plain(told.folder)["counts"] == {"completed": 1, "killed": 1, "cancelled": 1}
    with locked(told.folder):
        told.tell(100.0, "began", slots=2, again=[1, 2])
        waiting = plain(told.folder)
        told.start(1, 101.0)
        one = plain(told.folder)
        told.finish(1, 102.0, "killed", error="stopped by SIGINT", reason="stopped")
        told.finish(2, 102.0, "cancelled", error="stopped by SIGINT", reason="stopped", wall_s=0.0)
        stopped = plain(told.folder)
    assert waiting["counts"] == {"completed": 1, "queued": 2}
    assert waiting["jobs"]["error"] == [None, None, None]
    assert waiting["failures"] == []
    assert waiting["eta_s"] == 1.0  # both at once, as long as the one that completed
    assert one["counts"] == {"completed": 1, "running": 1, "queued": 1}
    assert stopped["counts"] == {"completed": 1, "killed": 1, "cancelled": 1}


def test_an_interrupted_sweep_says_how_to_go_on(told: Told) -> None:
    told.begin()
    told.job(0, 0.6)
    told.ask(1)
    told.start(1, 2.0)
    facts = plain(told.folder)
    assert facts["state"] == "interrupted"
    assert told.name in facts["repeat"]["resume"]
    assert facts["timeline"]["status"] == ["completed", "interrupted"]
    assert facts["counts"] == {"completed": 1, "unfinished": 2}


def test_a_search_tells_what_is_paused_and_leaves_its_importance_out(tmp_path: Path) -> None:
    search = {"mode": "tpe", "schedule": "asha", "max_epochs": 4, "n_trials": 9, "resumes": True}
    told = Told(tmp_path, search=search | {"space": {RATE: "log, 1e-05 to 0.1"}})
    told.begin()
    for job in range(2):
        told.ask(job)
        told.start(job, 1.0, slot=job)
    arrivals = [{"job": job, "level": 2, "values": [0.5 + job / 10]} for job in range(2)]
    told.tell(2.0, "rung", arrivals=arrivals, go_on={"1": None})
    run = told.run_of(0, [0.4, 0.5])
    run.finish("pruned")
    heard = {"kind": "pruned", "values": [0.5], "epochs": 2}
    told.finish(0, 2.0, "pruned", runs=[run.run_id], told=heard)
    facts = plain(told.folder)
    assert (facts["mode"], facts["schedule"], facts["n_trials"]) == ("tpe", "asha", 9)
    assert [rung["paused"] for rung in facts["search"]["rungs"]] == [[0]]
    assert "importance" not in facts["search"]
    assert facts["eta_s"] is None


def test_candidates_have_mean_and_spread(tmp_path: Path) -> None:
    told = Told(tmp_path, total=4, swept=(RATE, "seed"), repeats=("seed",), seed_key="seed")
    told.begin()
    for job, value in enumerate((0.6, 0.8, 0.5, 0.5)):
        told.ask(job, **{RATE: job // 2, "seed": job % 2})
        run = told.run_of(job, [value])
        run.finish()
        told.finish(job, 2.0, runs=[run.run_id])
    first, second = plain(told.folder)["candidates"]
    assert first["point"] == {RATE: 0}
    assert first["mean"] == pytest.approx(0.7)
    assert (first["n"], sorted(first["jobs"]), second["std"]) == (2, [0, 1], 0.0)


def test_the_verdict_and_the_champion_are_told_and_a_damaged_one_is_a_warning(told: Told) -> None:
    told.begin()
    run = told.job(0, 0.8)
    told.tell(3.0, "ended")
    verdict = {"model_name": "ctr", "promoted": False, "version": None, "run": run, "reasons": ["too low"]}
    write_json(told.folder / "promotion.json", verdict)
    facts = plain(told.folder)
    assert facts["promotion"]["reasons"] == ["too low"]
    assert facts["champion"] is None
    (told.folder / "promotion.json").write_text("{}")
    facts = plain(told.folder)
    assert facts["promotion"] is None
    (warning,) = facts["warnings"]
    assert "promotion.json is not a decision" in warning


def test_the_whole_verdict_is_told_while_the_registry_keeps_one_on_the_winner(told: Told) -> None:
    told.begin()
    run = told.job(0, 0.8)
    told.tell(3.0, "ended")
    registry = ModelRegistry(told.store)
    (told.store / "runs" / run / "artifacts" / "m").write_text("weights")
    registry.register("ctr", run, files=["m"], objective={"metric": "val_auc", "mode": "max", "value": 0.8})
    decision = {"model_name": "ctr", "promoted": True, "version": 1, "run": run, "reasons": ["better"]}
    write_json(told.folder / "promotion.json", decision)
    assert plain(told.folder)["verdict"] is None
    mine = {**scored(), "challenger": {**side(1, 0.8), "run_id": run}}
    registry.record_verdict("ctr", 1, Verdict.from_json(mine))
    facts = plain(told.folder)
    assert facts["verdict"]["look"]["number"] == 2
    assert facts["warnings"] == []
    registry.record_verdict(
        "ctr", 1, Verdict.from_json(scored())
    )  # on another run: the number was given anew
    assert plain(told.folder)["verdict"] is None
    write_json(told.folder / "promotion.json", {**decision, "version": 7})
    assert plain(told.folder)["verdict"] is None


def test_what_looks_secret_is_masked_wherever_it_stands(tmp_path: Path) -> None:
    told = Told(tmp_path, swept=("api_key",), command=("python", "app.py", "-m", "api_key=abcdef123456,xyz"))
    told.ask(0, api_key="abcdef123456")
    log = told.folder / "jobs" / "0" / "output.log"
    log.parent.mkdir(parents=True)
    log.write_text("connecting with password=hunter2\n")
    told.finish(0, 2.0, "failed", error="refused password=hunter2", reason="error")
    text = encode(sweep_facts(told.folder)).decode()
    assert "hunter2" not in text
    assert "abcdef123456" not in text
    assert "connecting with" in text


def test_numbers_that_no_browser_reads_are_texts(told: Told) -> None:
    told.ask(0, **{RATE: 2**60})
    told.finish(0, 1.0, value={"val_auc": "NaN"})
    facts = plain(told.folder)
    assert facts["jobs"]["point"][RATE][0] == str(2**60)
    assert facts["jobs"]["values"][0][0] == "NaN"


def test_a_plan_of_the_first_version_is_shown(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, [{RATE: 0.1}, {RATE: 0.2}])
    head = decode((folder / "plan.json").read_bytes())
    jobs = [
        {"job": job, "overrides": [], "point": {RATE: 0.1 * job}, "key": "k", "config_hash": "h"}
        for job in (0, 1)
    ]
    del head["total"]
    write_json(folder / "plan.json", {**head, "version": 1, "seed_key": None, "jobs": jobs})
    facts = plain(folder)
    assert facts["jobs"]["values"] == [[0.1, 0.0]]
    assert facts["timeline"]["job"] == []  # its ledger has no sessions
    assert facts["usage"] is None


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sweep_facts(tmp_path)


def test_the_facts_load_no_library_but_the_json_writer(told: Told) -> None:
    told.begin()
    told.job(0, 0.6)
    code = (
        "import sys; from pathlib import Path; from sweeps.dashboard.facts.sweep_facts import sweep_facts;"
        "from sweeps.dashboard.facts.sweep_list import sweep_list;"
        f"sweep_facts(Path({str(told.folder)!r})); sweep_list(Path({str(told.store)!r}));"
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name for name in answer.stdout.split() if not name.startswith("_")}
    assert loaded <= {"orjson", "sweeps", "tracking", "sitecustomize"}


def test_importance_is_there_when_it_is_asked_for(tmp_path: Path) -> None:
    points = [{RATE: 10.0 ** -(job % 5), "width": job % 3} for job in range(30)]
    outcomes = {job: {"value": {"val_auc": -math.log10(point[RATE])}} for job, point in enumerate(points)}
    folder = write_sweep(tmp_path, points, outcomes=outcomes)
    decides = sweep_facts(folder, with_importance=True)["importance"]
    assert decides["share"][RATE] > 0.9
    assert decides["why"] is None


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1e-4, 1e-3, 1e-2], "log"),
        ([0.1, 0.2, 0.3], "linear"),
        ([0.0, 1e-9, 1.0], "linear"),
        ([16, 32, 64], "log"),
        ([True, False], "category"),
        (["a", 1], "category"),
        ([None, None], "category"),
        ([], "category"),
        ([1e-3, math.nan, 1.0], "log"),
        ([1, 10**400], "linear"),
    ],
)
def test_the_scale_of_a_key_follows_from_its_values(values: list[Any], scale: str) -> None:
    assert scale_of(values) == scale


@given(
    st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
)
def test_any_values_have_a_scale(values: list[Any]) -> None:
    assert scale_of(values) in {"linear", "log", "category"}
    assert scale_of(values, is_log=True) in {"linear", "log", "category"}
