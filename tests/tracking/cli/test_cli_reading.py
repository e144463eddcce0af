"""Commands that find runs, choose what is shown of them, and tell them apart."""

import json
import math
import os
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker
from tracking.cli.short_forms import expand


@pytest.fixture
def seeds(tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch) -> ExperimentTracker:
    """Six runs: two learning rates by three seeds, the last one failed; and one of another experiment."""
    monkeypatch.setenv("PODIUM_STORE", str(base))
    for number in range(6):
        run_id = tracker.create_run("ctr_model", tags={"team": "ml" if number % 2 else "ads"})
        rate = 0.1 if number < 3 else 0.01
        tracker.log_params(run_id, {"learning_rate": rate, "seed": number % 3, "batch_size": 64})
        tracker.log_metrics(run_id, {"val_auc": 0.9 - number / 100}, step=0)
        tracker.log_metrics(run_id, {"val_auc": 0.7 + number / 100}, step=1)
        tracker.finish_run(run_id, "failed" if number == 5 else "completed")
    tracker.log_metrics(tracker.create_run("other"), {"val_loss": math.nan})
    return tracker


def shown_ids(text: str) -> list[str]:
    return re.findall(r"^(run_\d+)", text, re.MULTILINE)


def test_search_shows_the_runs_that_pass_with_what_was_asked_about(
    seeds: ExperimentTracker, say: Say
) -> None:
    code, out, err = say("search", "learning_rate < 0.05 and val_auc.max > 0.86")
    assert (code, err) == (0, "")
    assert shown_ids(out) == ["run_004"]
    assert out.split("\n")[0].split()[:5] == [
        "run_id",
        "experiment",
        "status",
        "learning_rate",
        "val_auc.max",
    ]
    assert re.search(r"^run_004 +ctr_model +completed +0\.01 +0\.8700 +0\.7300 ", out, re.MULTILINE)


def test_search_sorts_limits_and_shows_chosen_columns(seeds: ExperimentTracker, say: Say) -> None:
    arguments = ["search", "--experiment", "ctr_model", "--columns", "params.seed,val_auc.min_step"]
    _, out, _ = say(*arguments, "--sort", "-seed", "--sort", "-val_auc", "--limit", "3")
    assert [line.split() for line in out.splitlines()] == [
        ["run_id", "seed", "val_auc.min_step"],
        ["run_006", "2", "1"],
        ["run_003", "2", "1"],
        ["run_005", "1", "1"],
    ]


def test_search_gives_json_with_the_values_as_they_are(seeds: ExperimentTracker, say: Say) -> None:
    _, out, _ = say(
        "search", "run_id in ['run_001', 'run_007']", "--columns", "val_loss,seed,created_at", "--json"
    )
    first, last = json.loads(out)
    created = seeds.record("run_001").created_at  # type: ignore[union-attr]
    assert first == {"run_id": "run_001", "val_loss": None, "seed": 0, "created_at": created.isoformat()}
    assert last["val_loss"] == "NaN"


def test_search_without_a_filter_gives_all_and_says_when_nothing_passes(
    seeds: ExperimentTracker, say: Say, tmp_path: Path
) -> None:
    assert len(shown_ids(say("search")[1])) == 7
    assert say("search", "seed > 5")[1].startswith("No run in ")
    assert say("search", "seed > 5", "--json")[1] == "[]\n"
    (tmp_path / "empty").mkdir()
    assert say("search", "--store", str(tmp_path / "empty"))[::2] == (0, "")


def test_a_wrong_filter_is_shown_with_its_place(seeds: ExperimentTracker, say: Say) -> None:
    assert say("search", "val_auc > ") == (
        1,
        "",
        f"tracking: a field, a value or a parenthesis is expected here\n  val_auc > \n  {' ' * 10}^\n",
    )
    assert "did you mean val_auc?" in say("search", "val_acu > 1")[2]
    assert "val_acu > 1\n  ^" in say("search", "val_acu > 1")[2]
    assert "did you mean val_auc" in say("search", "--sort", "-val_acu")[2]
    assert "\x1b" not in say("search", "'\x1b[31m' < &")[2]


def test_a_qualified_name_that_no_run_has_is_named_on_stderr(seeds: ExperimentTracker, say: Say) -> None:
    code, out, err = say("search", "metrics.val_acu > 0")
    assert code == 0
    assert out.startswith("No run in ")
    assert err == "tracking: no run has metrics.val_acu; did you mean val_auc?\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search", "--limit", "0"], 2, "--limit is 0"),
        (["search", "--columns", "seed,,"], 1, "a field is expected"),
        (["list", "--sort", "seed"], 2, "name the experiment too"),
        (["compare", "ctr_model", "--grouped", "--sort", "seed"], 2, "leave out --columns and --sort"),
        (["compare", "ctr_model", "--filter", "seed > 9"], 1, "no run of 'ctr_model' passes the filter"),
        (["best", "ctr_model", "--at", "first"], 2, "at 'first' is none of 'last', 'best'"),
        (
            ["compare", "ctr_model", "--metric", "val_acu"],
            1,
            "no run of 'ctr_model' has the metric 'val_acu'; it has: val_auc",
        ),
        (["best", "ctr_model", "--metric", "val_acu"], 1, "has the metric 'val_acu'; it has: val_auc"),
        (["diff", "run_001", "run_999"], 1, "no run 'run_999'"),
        (["tail", "run_999"], 1, "no run 'run_999'"),
        (["watch", "ctr_model", "--interval", "0"], 2, "0.1 or more"),
    ],
)
def test_a_wrong_call_of_a_reading_command_says_what_is_wrong(
    seeds: ExperimentTracker, say: Say, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = say(*arguments)
    assert (found, out) == (code, "")
    assert message in err


def test_list_shows_the_runs_of_one_experiment(seeds: ExperimentTracker, say: Say) -> None:
    assert shown_ids(say("list", "ctr_model")[1]) == [f"run_00{number}" for number in range(1, 7)]
    assert shown_ids(say("list", "ctr_model", "--sort", "-run_id", "--limit", "2")[1]) == [
        "run_006",
        "run_005",
    ]
    code, out, err = say("list", "nope")
    assert (code, out) == (1, "")
    assert "no runs of an experiment 'nope' in" in err


def test_many_run_ids_are_drawn_together_and_cut(tracker: ExperimentTracker, base: Path, say: Say) -> None:
    for _ in range(205):
        tracker.create_run("even")
        tracker.create_run("odd")
    for _ in range(101):
        tracker.create_run("block")
    out = say("list", "--store", str(base))[1]
    assert "Run IDs: run_411..run_511" in out
    assert "run_017, run_019, (194 more), run_409" in out
    assert len(json.loads(say("list", "--store", str(base), "--json")[1])["odd"]["run_ids"]) == 205


def test_compare_takes_a_filter_an_order_columns_and_a_limit(seeds: ExperimentTracker, say: Say) -> None:
    _, out, _ = say(
        "compare", "ctr_model", "--filter", "tags.team == 'ads'", "--sort", "-seed", "--limit", "2"
    )
    assert shown_ids(out) == ["run_003", "run_005"]
    assert "Found 3 runs" in out
    assert "Run ID: run_005" in out
    _, out, _ = say("compare", "ctr_model", "--columns", "team,val_auc.best", "--json")
    assert json.loads(out)["runs"][0] == {"run_id": "run_006", "team": "ml", "val_auc.best": 0.85}


def test_compare_can_leave_out_what_is_the_same_in_all(seeds: ExperimentTracker, say: Say) -> None:
    _, out, _ = say("compare", "ctr_model", "--differing", "--filter", "status == 'completed'")
    assert re.search(r"^run_id +val_auc +learning_rate +seed$", out, re.MULTILINE)


def test_compare_puts_runs_that_differ_in_the_seed_into_one_row(seeds: ExperimentTracker, say: Say) -> None:
    groups = json.loads(say("compare", "ctr_model", "--grouped", "--json")[1])["groups"]
    assert [group["run_ids"] for group in groups] == [
        ["run_004", "run_005"],
        ["run_001", "run_002", "run_003"],
    ]
    assert groups[1] | {"n": 3, "learning_rate": 0.1, "batch_size": 64} == groups[1]
    assert groups[1]["val_auc"] == pytest.approx(0.71)
    assert groups[1]["val_auc_std"] == pytest.approx(0.01)
    assert "seed" not in groups[1]
    out = say("compare", "ctr_model", "--grouped", "--differing")[1]
    assert re.search(r"^2 +0\.7350 +0\.0071 +0\.01 +run_004\.\.run_005$", out, re.MULTILINE)
    assert "No run is completed yet" in say("compare", "other", "--grouped")[1]


def test_best_goes_by_the_last_value_or_by_the_best_one_reached(seeds: ExperimentTracker, say: Say) -> None:
    assert "Run ID: run_006\nStatus: failed\nBest val_auc: 0.7500" in say("best", "ctr_model")[1]
    assert "Run ID: run_001\nBest val_auc: 0.9000" in say("best", "ctr_model", "--at", "best")[1]
    told = json.loads(say("best", "ctr_model", "--at", "best", "--mode", "min", "--json")[1])
    assert (told["run_id"], told["value"], told["at"]) == ("run_001", 0.7, "best")
    assert "Run ID: run_005" in say("best", "ctr_model", "--filter", "status == 'completed'")[1]
    assert say("best", "other", "--metric", "val_loss", "--at", "best")[0] == 1


def test_show_tells_where_a_run_came_from_and_what_it_printed(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    with tracker.start_run("ctr_model", params={"a": 1}) as run:
        run.log({"val_auc": 0.5}, step=0)
    folder = run.run_dir
    (folder / "git.json").write_text(
        json.dumps(
            {
                "commit": "c0ffee" * 6,
                "branch": "main",
                "dirty": True,
                "changed_count": 2,
                "untracked": ["x.py"],
            }
            | {"reproducible": False, "why_not": ["the patch is too large"]}
        )
    )
    (folder / "env.json").write_text(
        json.dumps({"python": "3.12.1", "argv": ["train.py", "--x"], "seeds": {"a": 3}})
    )
    (folder / "stdout.log").write_text("".join(f"line {number}\n" for number in range(30)) + "\x1b[31mred")
    _, out, _ = say("show", run.run_id, "--lines", "2", "--store", str(base))
    assert "Code: c0ffeec0ffee on main with 3 changed files" in out
    assert "Not reproducible: the patch is too large" in out
    assert "Command: train.py --x" in out
    assert "Seeds: a=3" in out
    assert "  line 29\n  \\x1b[31mred\n" in out
    assert "line 28" not in out
    told = json.loads(say("show", run.run_id, "--json", "--store", str(base))[1])
    assert (told["git"]["branch"], told["environment"]["python"], len(told["printed"])) == (
        "main",
        "3.12.1",
        10,
    )


@pytest.mark.parametrize("odd", [7, -1, 2**70, "text", [1], {"a": [1]}, True, None])
def test_an_origin_of_other_types_is_named_and_the_run_is_shown(
    seeds: ExperimentTracker, base: Path, say: Say, odd: Any
) -> None:
    run_id = "run_001"
    for name, keys in {
        "env.json": ("python", "argv", "command", "cwd", "host", "gpus", "seeds", "packages", "env"),
        "git.json": ("commit", "branch", "changed", "untracked", "changed_count", "why_not", "repositories"),
    }.items():
        spoilt = {**dict.fromkeys(keys, odd), "dirty": True, "reproducible": False}
        (base / "runs" / run_id / name).write_text(json.dumps(spoilt))
    for command in (["show", run_id], ["show", run_id, "--json"], ["diff", run_id, run_id, "--all"]):
        status, out, err = say(*command)
        assert "learning_rate" in out
        assert status == bool(err)
        assert err == "" or "repair or remove the file" in err


def test_show_names_a_damaged_file_and_shows_the_rest(seeds: ExperimentTracker, base: Path, say: Say) -> None:
    (base / "runs" / "run_001" / "env.json").write_text("{")
    code, out, err = say("show", "run_001")
    assert code == 1
    assert "learning_rate: 0.1" in out
    assert "env.json is not valid JSON" in err


def test_a_number_out_of_its_range_is_a_wrong_call(seeds: ExperimentTracker, say: Say) -> None:
    code, out, err = say("show", "run_001", "--lines", "-1")
    assert (code, out) == (2, "")
    assert "-1 is too small; it is 0 or more" in err
    assert "'many' is not a valid number" in say("watch", "x", "--interval", "many")[2]


def test_diff_shows_only_what_differs_unless_all_is_asked_for(
    seeds: ExperimentTracker, base: Path, say: Say
) -> None:
    for run_id, version in (("run_001", "2.0"), ("run_004", "2.1")):
        folder = base / "runs" / run_id
        (folder / "env.json").write_text(
            json.dumps({"python": "3.12", "packages": {"torch": version, "rich": "1"}})
        )
        (folder / "git.json").write_text(json.dumps({"commit": "abc", "branch": "main", "dirty": True}))
        (folder / "git.patch").write_text(f"+{version}\n")
    code, out, err = say("diff", "run_001", "run_004")
    assert (code, err) == (0, "")
    assert re.search(r"^learning_rate +0\.1 +0\.01$", out, re.MULTILINE)
    assert re.search(r"^tags\.team +ads +ml$", out, re.MULTILINE)
    assert re.search(r"^val_auc +0\.7000 +0\.7300 +0\.0300$", out, re.MULTILINE)
    assert re.search(r"^torch +2\.0 +2\.1$", out, re.MULTILINE)
    assert re.search(r"^git\.patch +sha256:\w{12} +sha256:\w{12}$", out, re.MULTILINE)
    assert not re.search(r"^(batch_size|rich|commit|python|Environment)", out, re.MULTILINE)
    told = json.loads(say("diff", "run_001", "run_004", "--all", "--json")[1])
    assert told["params"]["batch_size"] == [64, 64]
    assert told["packages"] == {"rich": ["1", "1"], "torch": ["2.0", "2.1"]}


def test_diff_says_when_nothing_differs_and_knows_what_one_run_alone_has(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    first, second = (tracker.create_run("x") for _ in range(2))
    tracker.log_metrics(first, {"loss": math.nan})
    tracker.log_metrics(second, {"loss": math.nan})
    assert "All that is recorded of them is equal" in say("diff", first, second, "--store", str(base))[1]
    tracker.log_params(second, {"model": {"depth": 3, "wide": True}})
    told = json.loads(say("diff", first, second, "--json", "--store", str(base))[1])
    assert told["params"] == {"model.depth": [None, 3], "model.wide": [None, True]}


def test_watch_shows_running_runs_first_and_then_the_newest(seeds: ExperimentTracker, say: Say) -> None:
    seeds.log_metrics(seeds.create_run("ctr_model"), {"val_auc": 0.5}, step=7)
    _, out, _ = say("watch", "ctr_model", "--once")
    assert "1 running, 5 completed, 1 failed" in out
    assert shown_ids(out) == ["run_008", "run_006", "run_005", "run_004", "run_003", "run_002", "run_001"]
    assert re.search(r"^run_008 +running +\d\.\d s +7 +0\.5000$", out, re.MULTILINE)
    told = json.loads(say("watch", "ctr_model", "--once", "--json", "--columns", "seed")[1])
    assert told["runs"][1] | {"run_id": "run_006", "seed": 2} == told["runs"][1]
    assert say("watch", "nope", "--once")[1].endswith("nope: no runs yet\n\n")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["--sort", "-val_auc", "ctr"], ["compare", "--sort", "-val_auc", "ctr"]),
        (["--store", "d", "show", "run_001"], ["show", "--store", "d", "run_001"]),
        (["--json", "ctr", "plot", "auc"], ["plot", "--json", "ctr", "auc"]),
        (["--store=d", "--metric", "plot", "ctr"], ["compare", "--store=d", "--metric", "plot", "ctr"]),
    ],
)
def test_options_before_the_command_keep_their_values(short: list[str], long: list[str]) -> None:
    assert expand(short) == long


def test_no_command_loads_what_it_does_not_need(seeds: ExperimentTracker, base: Path) -> None:
    import sys

    heavy = {"pandas", "numpy", "matplotlib", "torch", "rich", "pydantic", "psutil"}
    for arguments in (
        ["list"],
        ["search", "seed > 1"],
        ["show", "run_001"],
        ["tail", "run_001"],
        ["ctr_model"],
    ):
        code = (
            "import sys; from tracking.cli.app import main; main(sys.argv[1:]); "
            "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert set(done.stderr.split()) & heavy == set(), arguments


def test_a_metric_whose_name_ends_like_a_part_is_found_by_its_whole_name(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    run_id = tracker.create_run("x")
    tracker.log_metrics(run_id, {"val.max": 2.0, "val": 1.0})
    tracker.log_metrics(tracker.create_run("x"), {"val": 3.0})
    _, out, _ = say(
        "search", "metrics.val.max == 2", "--columns", "metrics.val.min", "--json", "--store", str(base)
    )
    assert json.loads(out) == [{"run_id": run_id, "val.min": 1.0}]


def test_a_pipe_gets_every_metric_and_json_every_parameter_too(tracker: ExperimentTracker, say: Say) -> None:
    run_id = tracker.create_run("wide")
    tracker.log_params(run_id, {"rate": 0.5, "status": "mine"})
    tracker.log_metrics(run_id, {f"m{number}": float(number) for number in range(20)})
    place = ["--store", str(tracker.base_dir)]
    every = {f"m{number}": float(number) for number in range(20)}
    for command in (["list", "wide"], ["search"], ["watch", "wide", "--once"]):
        _, out, _ = say(*command, *place)
        assert every.keys() <= set(out.split())
        assert "not shown" not in out
        told = json.loads(say(*command, *place, "--json")[1])
        (run,) = told["runs"] if isinstance(told, dict) else told
        assert run | {**every, "rate": 0.5, "params.status": "mine", "status": "running"} == run


def test_the_time_of_a_run_that_was_killed_ends_with_its_last_sign_of_life(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    run_id = tracker.create_run("x")
    path = base / "runs" / run_id / "run.json"
    began = datetime.now().astimezone() - timedelta(hours=5)
    dead = {"created_at": began.isoformat(), "pid": 2**22 + 1, "started_at": 1}
    path.write_text(json.dumps({**json.loads(path.read_text()), **dead}))
    journal = base / "runs" / run_id / "stdout.log"
    journal.write_text("going on\n")
    ended = (began + timedelta(minutes=2)).timestamp()
    for file in path.parent.iterdir():
        os.utime(file, (ended, ended))
    told = json.loads(say("watch", "x", "--once", "--json", "--store", str(base))[1])
    assert told["runs"][0]["status"] == "killed"
    assert told["runs"][0]["elapsed_s"] == pytest.approx(120, abs=0.01)


def test_a_run_in_a_store_whose_name_is_not_utf_8_is_shown_as_json(tmp_path: Path, say: Say) -> None:
    store = tmp_path / "caf\udce9"
    run_id = ExperimentTracker(store).create_run("ctr")
    code, out, _ = say("show", run_id, "--json", "--store", str(store))
    assert code == 0
    assert json.loads(out)["run_dir"] == str(store / "runs" / run_id).replace("\udce9", r"\udce9")
