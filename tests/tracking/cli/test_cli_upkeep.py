"""Commands that change a store: they ask before they destroy, take many runs, and say what they did and what not."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Say

from tracking import ExperimentTracker, ModelRegistry
from tracking.search.catalog import Catalog
from tracking.store.store import Store

ROOT = Path(__file__).parents[3]


def ids(store: Path) -> list[str]:
    return [run["run_id"] for run in ExperimentTracker(store).list_runs()]


def answer(text: str, *arguments: str) -> tuple[int, str]:
    """A command on a terminal whose user types `text`; the exit code, and what the terminal showed."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "tracking", *arguments]
    with subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, cwd=ROOT) as process:
        os.close(follower)
        os.write(leader, text.encode())
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:
            pass  # how a terminal says that the other side is closed
    os.close(leader)
    return process.returncode, shown.decode()


def test_delete_asks_on_a_terminal_and_takes_no_for_an_answer(store: Path) -> None:
    code, shown = answer("n\n", "delete", "run_001", "run_002", "--store", str(store))
    assert code == 1
    assert "Move 2 runs (run_001..run_002) into the trash? [y/N]" in shown
    assert "Nothing was deleted." in shown
    assert len(ids(store)) == 4
    code, shown = answer("y\n", "delete", "run_001", "--store", str(store))
    assert code == 0
    assert ids(store) == ["run_002", "run_003", "run_004"]
    assert answer("\x04", "delete", "run_002", "--store", str(store))[0] == 130
    assert ids(store) == ["run_002", "run_003", "run_004"]


@pytest.mark.parametrize("arguments", [["delete", "run_001"], ["gc"]])
def test_what_destroys_refuses_without_a_terminal_to_ask_on(
    store: Path, arguments: list[str], say: Say
) -> None:
    say("delete", "run_004", "--yes")
    command = [sys.executable, "-m", "tracking", *arguments, "--store", str(store)]
    done = subprocess.run(command, input="y\n", capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no terminal to ask on; add --yes" in done.stderr
    assert ids(store) == ["run_001", "run_002", "run_003"]
    assert (store / "trash" / "run_004").is_dir()


def test_runs_go_into_the_trash_are_seen_there_and_come_back(store: Path, say: Say) -> None:
    assert say("trash") == (0, "The trash is empty.\n", "")
    assert say("delete", "run_001", "run_003", "--yes") == (
        0,
        "Moved into the trash: 2 runs (run_001, run_003)\n",
        "",
    )
    code, out, _ = say("trash")
    assert code == 0
    assert "run_001  ctr_model" in out
    assert [run["run_id"] for run in json.loads(say("trash", "--json")[1])] == ["run_001", "run_003"]
    assert say("restore", "run_001", "run_001") == (0, "Restored: 1 run (run_001)\n", "")
    assert ids(store) == ["run_001", "run_002", "run_004"]


def test_what_may_not_be_deleted_is_named_and_the_others_go(
    models: ModelRegistry, store: Path, say: Say
) -> None:
    code, out, err = say("delete", "run_002", "run_003", "run_999", "--yes", "--json")
    told = json.loads(out)
    assert code == 1
    assert told["deleted"] == ["run_003"]
    assert set(told["refused"]) == {"run_002", "run_999"}
    assert "its champion" in err
    assert err.count("\n") == 2


def test_runs_are_chosen_by_experiment_and_filter(store: Path, say: Say) -> None:
    with ExperimentTracker(store).start_run("other"):
        pass
    assert json.loads(say("delete", "--filter", "val_loss < 1.25", "--yes", "--json")[1])["deleted"] == [
        "run_003",
        "run_004",
    ]
    assert json.loads(say("delete", "--experiment", "other", "--yes", "--json")[1])["deleted"] == ["run_005"]
    assert ids(store) == ["run_001", "run_002"]
    for arguments, code, message in (
        (["delete", "--yes"], 2, "no run is named"),
        (["delete", "run_001", "--filter", "val_loss < 2", "--yes"], 2, "not both"),
        (["delete", "--filter", "val_loss > 100", "--yes"], 1, "no run passes"),
        (["delete", "--filter", "val_loss >", "--yes"], 1, "val_loss >"),
        (["delete", "--filter", " ", "--yes"], 2, "the filter is empty, which every run passes"),
    ):
        found, out, err = say(*arguments)
        assert (found, out) == (code, "")
        assert message in err
    assert ids(store) == ["run_001", "run_002"]


def test_gc_says_what_it_frees_and_a_dry_run_only_says_it(store: Path, say: Say) -> None:
    say("delete", "run_001", "run_002", "--yes")
    assert say("gc", "--older-than", "30d", "--yes")[1].startswith("Removed no runs: 0 bytes")
    planned = json.loads(say("gc", "--dry-run", "--json")[1])
    assert [run["run_id"] for run in planned["purged"]] == ["run_001", "run_002"]
    assert planned["freed_bytes"] == sum(run["size_bytes"] for run in planned["purged"])
    assert len(list((store / "trash").iterdir())) == 2
    code, out, _ = say("gc", "--max-size", "0", "--yes")
    assert code == 0
    assert out.startswith("Removed 2 runs (run_001..run_002): ")
    assert list((store / "trash").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["gc", "--older-than", "soon"],
            2,
            "'soon' is not a duration; write 90s, 30m, 1.5h, 1h30m, 2d or 2w",
        ),
        (["gc", "--older-than", "9" * 30 + "d"], 2, "longer than a calendar reaches"),
        (["gc", "--max-size", "-1"], 2, "'-1' is not a size; write bytes (1000), or 500MB, 4G or 2GiB"),
        (["tag", "run_001"], 2, "nothing to change; give tags as KEY=VALUE, or --remove KEY"),
        (["tag", "a=b"], 2, "no run is named"),
        (["tag", "run_001", "=b"], 1, "tag '' must be a non-empty string"),
        (["tag", "run_999", "a=b"], 1, "no run 'run_999'"),
        (["note", "run_999", "text"], 1, "no run 'run_999'"),
        (["rename", "nope", "new"], 1, "no runs of an experiment 'nope'"),
        (
            ["rename", "ctr_model", "new", "--run", "run_999"],
            1,
            "'run_999' is not of the experiment 'ctr_model'",
        ),
        (["rename", "ctr_model", ""], 1, "experiment name '' must be a non-empty string"),
        (
            ["rename", "ctr_model", "a\nb"],
            1,
            "must be a string on one line; it holds the control character U+000A",
        ),
        (["export", "--output", "."], 2, "'.' is a folder; name a file"),
        (["finish", "run_001"], 1, "run 'run_001' is completed already"),
        (["finish", "run_001", "--status", "over"], 2, "status 'over' is none of completed, failed, killed"),
        (["stop", "run_001"], 1, "run 'run_001' is completed already"),
        (["restore", "run_001"], 1, "no run 'run_001' in the trash"),
        (["export", "nope"], 1, "no runs of an experiment 'nope'"),
        (["export", "--format", "xlsx"], 2, "format 'xlsx' is none of csv, json, parquet"),
        (["export", "--json", "--format", "csv"], 2, "--json and --format csv contradict each other"),
        (["list", "--store", ""], 1, "the store '' does not exist"),
        (["export", "--format", "parquet"], 2, "Parquet is a binary format; name a file with --output"),
        (["export", "--histories", "--columns", "run_id"], 2, "--histories has fixed columns"),
        (["import", "absent"], 2, "there is no file or folder 'absent'"),
    ],
)
def test_a_wrong_word_is_answered_in_one_line(
    store: Path, say: Say, arguments: list[str], code: int, message: str
) -> None:
    found, out, err = say(*arguments)
    assert (found, out) == (code, "")
    assert err.startswith("tracking: ")
    assert message in err
    assert err.count("\n") == 1


def test_tags_notes_and_experiments_are_changed(store: Path, say: Say) -> None:
    assert say("tag", "run_001", "run_002", "team=ml", "note=a=b", "draft=1")[0] == 0
    assert say("tag", "--experiment", "ctr_model", "--remove", "draft", "seen=yes")[0] == 0
    say("note", "run_001", "the baseline")
    assert say("note", "run_001", "of the paper", "--append")[1] == "Described: 1 run (run_001)\n"
    say("rename", "ctr_model", "old", "--run", "run_003", "--run", "run_004")
    assert json.loads(say("rename", "ctr_model", "new", "--json")[1])["renamed"] == ["run_001", "run_002"]
    runs = ExperimentTracker(store).list_runs()
    assert [run["experiment_name"] for run in runs] == ["new", "new", "old", "old"]
    assert runs[0]["tags"] == {"team": "ml", "note": "a=b", "seen": "yes"}
    assert runs[3]["tags"] == {"seen": "yes"}
    assert runs[0]["description"] == "the baseline\nof the paper"
    assert json.loads((store / "metadata.json").read_text())[0]["experiment_name"] == "new"


def test_a_silent_run_is_finished_and_a_running_one_asked_to_stop(
    tracker: ExperimentTracker, base: Path, say: Say
) -> None:
    silent, live = tracker.create_run("x"), tracker.create_run("x")
    path = base / "runs" / silent / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "elsewhere", "token": None}))
    assert (
        say("finish", silent, "--status", "failed", "--store", str(base))[1]
        == "Now failed: 1 run (run_001)\n"
    )
    assert json.loads(path.read_text())["status"] == "failed"
    code, _, err = say("finish", live, "--store", str(base))
    assert code == 1
    assert f"python -m tracking stop {live}" in err
    say("stop", live, "--store", str(base))
    assert tracker.open_run(live).should_stop()


def test_the_doctor_says_what_it_did_and_its_exit_code_whether_all_is_well(store: Path, say: Say) -> None:
    assert say("doctor") == (0, "Looked at 4 runs and 0 model versions: nothing is wrong.\n", "")
    (store / "metadata.json").unlink()
    code, out, _ = say("doctor", "--dry-run")
    assert code == 1
    assert out.startswith("would repair: metadata.json: it is missing\n    publish it again\n")
    assert not (store / "metadata.json").exists()
    code, out, _ = say("doctor", "--json")
    assert code == 0
    assert json.loads(out)["findings"] == [
        {
            "fault": "old view",
            "place": "metadata.json",
            "what": "it is missing",
            "remedy": "publish it again",
            "outcome": "repaired",
        }
    ]
    (store / "runs" / "run_001" / "params.json").write_text("{")
    code, out, _ = say("doctor")
    assert code == 1
    assert "needs you: runs/run_001/params.json: is not valid JSON (" in out
    assert "\n    repair or remove the file\n" in out
    assert out.endswith("Looked at 4 runs and 0 model versions: 1 for you to repair.\n")


def test_reindex_makes_what_can_be_made_again(store: Path, say: Say) -> None:
    (store / "metadata.json").unlink()
    ExperimentTracker(store).records()
    Catalog(Store(store)).index.path.write_bytes(b"no index")
    assert say("reindex") == (0, "Indexed 4 runs.\n", "")
    assert len(json.loads((store / "metadata.json").read_text())) == 4
    assert json.loads(say("reindex", "--json")[1]) == {"runs": 4}


def test_export_writes_to_a_pipe_or_a_file_named_for_its_format(
    store: Path, say: Say, tmp_path: Path
) -> None:
    import pandas as pd

    code, out, err = say("export", "ctr_model", "--columns", "run_id,val_loss")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["run_id,val_loss", "run_001,1.4"]
    assert [
        run["run_id"] for run in json.loads(say("export", "--filter", "val_loss < 1.25", "--json")[1])
    ] == [
        "run_003",
        "run_004",
    ]
    readers: dict[str, Callable[[Path], Any]] = {
        "csv": pd.read_csv,
        "json": pd.read_json,
        "parquet": pd.read_parquet,
    }
    for suffix, read in readers.items():
        path = tmp_path / f"runs.{suffix}"
        code, out, err = say("export", "--output", str(path))
        assert (code, out) == (0, "")
        assert err == f"Wrote 4 runs to {path}\n"
        assert list(read(path)["run_id"]) == ["run_001", "run_002", "run_003", "run_004"]
    assert say("export", "--histories")[1].startswith("run_id,metric,step,value,timestamp\n")


def test_import_says_what_came_under_which_id_and_what_did_not(
    models: ModelRegistry, store: Path, tmp_path: Path, say: Say
) -> None:
    target = ExperimentTracker(tmp_path / "target")
    with target.start_run("mine"):
        pass
    running = ExperimentTracker(store).create_run("ctr_model")
    there = str(target.base_dir)
    code, out, err = say("import", str(store), "--store", there, "--filter", "val_loss < 1.35", "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith("Would import 3 runs (run_002..run_004) with 8 points\n")
    assert ids(target.base_dir) == ["run_001"]
    code, out, err = say("import", str(store), "--store", there, "--json")
    assert code == 1
    assert json.loads(out)["imported"] == {
        "run_001": "run_002",
        "run_002": "run_003",
        "run_003": "run_004",
        "run_004": "run_005",
    }
    assert err.startswith(f"tracking: left out {running}: it is running")
    code, out, _ = say("import", str(store), "--store", there, "--experiment", "ctr_model")
    assert "Here already: 4 runs (run_002..run_005)\n" in out
    assert "Registered models are not imported.\n" in out
