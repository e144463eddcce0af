"""The doctor makes the repairs that are certain, reports the rest, and changes nothing in a dry run."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from examined import examined, only

from tracking import ExperimentTracker, ModelRegistry
from tracking.doctor import Fault, Outcome, examine, leftovers, run_checks
from tracking.search.catalog import Catalog
from tracking.store.store import Store


def finished(tracker: ExperimentTracker, **values: float) -> Path:
    with tracker.start_run("x") as run:
        run.log(values or {"a": 1.0}, step=0)
    return run.run_dir


@pytest.fixture
def dead(base: Path) -> Path:
    """A run whose process was killed between two log calls."""
    code = (
        "import os, signal; from tracking import ExperimentTracker as T; "
        f"t = T({str(base)!r}); r = t.create_run('x'); t.log_metrics(r, {{'a': 1}}, 3); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd()).returncode == -signal.SIGKILL
    return base / "runs" / "run_001"


def entry_of(folder: Path) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return entry


def test_a_sound_store_and_a_missing_one_give_no_finding(
    tracker: ExperimentTracker, base: Path, models: ModelRegistry
) -> None:
    tracker.create_run("goes on")
    seen = examined(base)
    assert (seen.findings, seen.runs, seen.versions) == ([], 5, 2)
    assert examine(Store(base / "absent")).is_well
    assert not (base / "absent").exists()


def test_a_dead_run_is_finished_as_killed_at_its_last_sign_of_life(dead: Path, base: Path) -> None:
    moment = datetime.now().astimezone() + timedelta(hours=1)
    os.utime(dead / "metrics.jsonl", (moment.timestamp(), moment.timestamp()))
    finding = only(examined(base))
    assert (finding.fault, finding.place) == (Fault.DEAD_RUN, "runs/run_001/run.json")
    entry = entry_of(dead)
    assert (entry["status"], entry["error"]) == ("killed", "its process ended without reporting a result")
    assert abs(datetime.fromisoformat(entry["finished_at"]) - moment) < timedelta(seconds=1)
    assert not (dead / "metrics.jsonl").exists()
    assert json.loads((dead / "metrics.json").read_text())["a"][0]["value"] == 1
    (published,) = json.loads((base / "metadata.json").read_text())
    assert (published["status"], published["finished_at"]) == ("killed", entry["finished_at"])


def test_a_torn_line_is_cut_and_the_points_before_it_stay(dead: Path, base: Path) -> None:
    with (dead / "metrics.jsonl").open("a") as journal:
        journal.write('{"step":4,"timest')
    os.utime(dead / "metrics.jsonl", (4e9, 4e9))  # what the cutting does not change
    torn, died = examined(base).findings
    assert datetime.fromisoformat(entry_of(dead)["finished_at"]).timestamp() == 4e9
    assert (torn.fault, died.fault) == (Fault.TORN_LINE, Fault.DEAD_RUN)
    assert "17 bytes" in torn.what
    run = ExperimentTracker(base).get_run("run_001")
    assert run is not None
    assert [point["step"] for point in run["metrics"]["a"]] == [3]


def test_a_last_line_that_lacks_only_its_newline_is_a_point(dead: Path, base: Path) -> None:
    text = (dead / "metrics.jsonl").read_bytes()
    (dead / "metrics.jsonl").write_bytes(text[:-1])
    findings = examined(base).findings
    assert [finding.what for finding in findings[:1]] == ["its last line has no newline"]
    lines = [json.loads(line) for line in text.splitlines()]
    points = json.loads((dead / "metrics.json").read_bytes())
    assert {name: len(values) for name, values in points.items()} == {
        name: sum(name in line["metrics"] for line in lines) for name in points
    }


def test_a_damaged_line_is_reported_and_the_journal_is_kept_as_it_is(dead: Path, base: Path) -> None:
    journal = dead / "metrics.jsonl"
    journal.write_bytes(b'{"step":\xff\n' + journal.read_bytes())
    before = journal.read_bytes()
    finding = only(examined(base))
    assert (finding.fault, finding.outcome) == (Fault.DAMAGED, Outcome.OPEN)
    assert "line 1 is not JSON" in finding.what
    assert journal.read_bytes() == before


def test_a_journal_left_beside_a_finished_run_gets_its_final_form(dead: Path, base: Path) -> None:
    path = dead / "run.json"
    path.write_text(
        json.dumps({**entry_of(dead), "status": "failed", "finished_at": entry_of(dead)["created_at"]})
    )
    seen = examined(base)
    assert {finding.fault for finding in seen.findings} == {Fault.UNFINISHED, Fault.OLD_VIEW}
    assert not (dead / "metrics.jsonl").exists()
    assert json.loads((dead / "summary.json").read_text())["metrics"]["a"]["last"] == 1


def test_files_of_a_live_process_are_left_alone(tracker: ExperimentTracker, base: Path) -> None:
    with tracker.start_run("x") as run:
        run.log({"a": 1})
        run.finish()
        run.log({"a": 2})
        journal = run.run_dir / "metrics.jsonl"
        with journal.open("a") as file:
            file.write('{"step":4,"timest')
        before = journal.read_bytes()
        assert examined(base).findings == []
        assert journal.read_bytes() == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("{"),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text(path.read_text().replace('"last": 1.0', '"last": 7.0')),
    ],
)
def test_a_summary_that_is_missing_damaged_or_wrong_is_written_again(
    tracker: ExperimentTracker, base: Path, spoil: Callable[[Path], object]
) -> None:
    path = finished(tracker) / "summary.json"
    spoil(path)
    finding = only(examined(base))
    assert (finding.fault, finding.place) == (Fault.OLD_VIEW, "runs/run_001/summary.json")
    record = tracker.record("run_001")
    assert record is not None
    assert record.summary["a"].last == 1


def test_other_file_times_in_a_copied_store_are_no_fault(tracker: ExperimentTracker, base: Path) -> None:
    os.utime(finished(tracker) / "summary.json", (1, 1))
    assert examined(base).findings == []


def test_lost_metrics_that_the_summary_still_has_are_reported_and_the_summary_stays(
    tracker: ExperimentTracker, base: Path
) -> None:
    folder = finished(tracker, a=1.0, b=2.0)
    (folder / "metrics.json").unlink()
    before = (folder / "summary.json").read_bytes()
    finding = only(examined(base))
    assert (finding.fault, finding.outcome) == (Fault.LOST, Outcome.OPEN)
    assert finding.place == "runs/run_001/metrics.json"
    assert "summary.json has 2 metrics" in finding.what
    assert (folder / "summary.json").read_bytes() == before


def test_a_renamed_store_has_a_metadata_json_that_names_another_folder(
    tracker: ExperimentTracker, base: Path
) -> None:
    finished(tracker)
    finished(tracker)
    moved = base.rename(base.with_name("copy"))
    finding = only(examined(moved))
    assert (finding.place, finding.what) == ("metadata.json", "it names another folder for 2 of 2 runs")


def test_a_damaged_metadata_json_hides_no_run_and_a_folder_that_only_it_listed_is_left_to_a_person(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_checks, "CLAIM_S", -1.0)
    finished(tracker)
    (finished(tracker) / "run.json").unlink()
    (base / "metadata.json").write_text("[")
    old, lost = examined(base).findings
    assert (old.fault, old.place, old.outcome) == (Fault.OLD_VIEW, "metadata.json", Outcome.REPAIRED)
    assert (lost.fault, lost.place, lost.outcome) == (Fault.NO_RUN, "runs/run_002", Outcome.OPEN)
    assert (base / "metadata.json.damaged").read_text() == "["
    assert [run.run_id for run in tracker.records()] == ["run_001"]


def test_non_finite_values_make_no_view_look_old(tracker: ExperimentTracker, base: Path) -> None:
    finished(tracker, a=float("nan"), b=float("inf"))
    assert examined(base).findings == []


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda path: path.unlink(), "it is missing"),
        (lambda path: path.write_text("["), "it is damaged"),
        (lambda path: path.write_text("[]"), "it lacks 2 of 2 runs"),
        (
            lambda path: path.write_text(path.read_text().replace("completed", "failed")),
            "out of date for 2 of 2",
        ),
        (
            lambda path: path.write_text(
                json.dumps([*json.loads(path.read_text()), {"run_id": "run_077", "status": "failed"}])
            ),
            "lists 1 run without a folder",
        ),
    ],
)
def test_metadata_json_is_published_again_when_it_differs_from_the_runs(
    tracker: ExperimentTracker, base: Path, spoil: Callable[[Path], object], what: str
) -> None:
    finished(tracker)
    finished(tracker)
    path = base / "metadata.json"
    before = json.loads(path.read_text())
    spoil(path)
    finding = only(examined(base))
    assert (finding.fault, finding.place) == (Fault.OLD_VIEW, "metadata.json")
    assert what in finding.what
    assert json.loads(path.read_text()) == before


@pytest.mark.parametrize("name", ["params.json", "run.json", "metrics.json", "env.json"])
def test_a_damaged_file_is_reported_and_never_changed(
    tracker: ExperimentTracker, base: Path, name: str
) -> None:
    finished(tracker)
    path = finished(tracker) / name
    path.write_text('{"half": ')
    finding = only(examined(base))
    assert (finding.fault, finding.outcome) == (Fault.DAMAGED, Outcome.OPEN)
    assert finding.place == f"runs/run_002/{name}"
    assert "is not valid JSON" in finding.what
    assert path.read_text() == '{"half": '


def test_a_claimed_folder_that_never_became_a_run_is_removed_and_its_number_not_given_again(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(tracker)
    (base / "runs" / "run_002" / "artifacts").mkdir(parents=True)
    (base / "runs" / "run_002" / ".run.json.0123456789ab.tmp").touch()
    assert examined(base).findings == []  # its maker may be about to write run.json
    monkeypatch.setattr(run_checks, "CLAIM_S", -1.0)
    finding = only(examined(base))
    assert (finding.fault, finding.place) == (Fault.NO_RUN, "runs/run_002")
    assert ExperimentTracker(base).create_run("x") == "run_003"


def test_a_folder_without_run_json_that_holds_something_is_left_to_a_person(
    tracker: ExperimentTracker, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_checks, "CLAIM_S", -1.0)
    folder = finished(tracker)
    (folder / "run.json").unlink()
    (base / "metadata.json").unlink()
    finding = only(examined(base))
    assert (finding.fault, finding.outcome) == (Fault.NO_RUN, Outcome.OPEN)
    assert (folder / "metrics.json").exists()


def test_leftovers_of_killed_processes_are_removed_but_not_where_a_run_is_being_written(
    tracker: ExperimentTracker, base: Path, models: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = base / "runs" / tracker.create_run("goes on")
    name = ".any.json.0123456789ab.tmp"
    left = [
        base / name,
        base / "runs" / "run_001" / name,
        base / "runs" / "run_001" / "artifacts" / name,
        base / "models" / "ctr" / "v1" / name,
        base / ".podium" / name,
        base / ".podium" / "incoming" / ".run_007.0123456789ab.tmp" / "run.json",
        base / "trash" / ".run_009.0123456789ab.tmp" / "artifacts" / "big.pt",
    ]
    for path in [*left, live / name]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert examined(base).findings == []  # young: somebody may be at work
    monkeypatch.setattr(leftovers, "STALE_S", -60.0)
    seen = examined(base)
    assert {finding.fault for finding in seen.findings} == {Fault.LEFTOVER}
    assert len(seen.findings) == len(left)
    assert not any(path.exists() for path in left)
    assert (live / name).exists()


def test_a_run_of_another_host_that_has_long_been_silent_is_left_to_a_person(
    tracker: ExperimentTracker, base: Path
) -> None:
    folder = base / "runs" / tracker.create_run("x")
    long_ago = datetime.now().astimezone() - timedelta(days=30)
    entry = {**entry_of(folder), "host": "elsewhere", "token": None, "created_at": long_ago.isoformat()}
    (folder / "run.json").write_text(json.dumps(entry))
    tracker.publish()
    finding = only(examined(base))
    assert (finding.fault, finding.outcome) == (Fault.SILENT_RUN, Outcome.OPEN)
    assert "elsewhere" in finding.what
    assert "30 days" in finding.what
    assert "python -m tracking finish run_001" in finding.remedy
    assert entry_of(folder)["status"] == "running"


def test_a_store_of_other_code_is_not_written_into(
    write_plain_store: Callable[..., None], base: Path
) -> None:
    write_plain_store(2, nan=True)
    before = set(base.rglob("*"))
    for path in before:
        os.utime(path, (1e9, 1e9))
    finding = only(examined(base))  # a run that says it has been running for years
    assert finding.fault is Fault.SILENT_RUN
    assert {path for path in base.rglob("*") if ".podium" not in path.parts} == before


def test_an_index_that_differs_from_the_runs_is_rebuilt(tracker: ExperimentTracker, base: Path) -> None:
    finished(tracker)
    index = Catalog(Store(base)).index
    index.check()
    with contextlib.closing(sqlite3.connect(index.path)) as database, database:
        while database.execute("SELECT 1 FROM runs WHERE stamp = x''").fetchall():
            index.check()  # until the files are old enough to be trusted
        database.execute("UPDATE documents SET summary = replace(summary, '1.0', '7.0')")
    finding = only(examine(Store(base)))
    assert (finding.fault, finding.place, finding.outcome) == (
        Fault.OLD_INDEX,
        str(index.path),
        Outcome.REPAIRED,
    )
    assert ExperimentTracker(base).records()[0].summary["a"].last == 1
    assert examine(Store(base)).findings == []


def test_a_repair_that_fails_stays_open_and_the_others_are_done(
    dead: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tracking.doctor import findings

    (base / "metadata.json").unlink()

    def refuses(*_: object, **__: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(run_checks.amend, "finish", refuses)
    view, died = examine(Store(base)).findings
    assert (died.outcome, view.outcome) == (findings.Outcome.OPEN, findings.Outcome.REPAIRED)
    assert died.remedy.endswith(": failed, no")
