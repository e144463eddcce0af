"""Warnings of jobs reach the console of their sweep: once per kind, and what a check notes once."""

import json
from collections.abc import Callable

import pytest


def test_a_kind_of_warning_is_said_once_with_the_number_of_its_jobs(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3", "fault=none,warns", "hydra.launcher.isolation=reuse")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    (said,) = [line for line in lines if line.startswith("job ") and "is slow" in line]
    assert said in {f"job {2 * x - 1} warns: step {x} of 'c7' is slow" for x in (1, 2, 3)}
    (summary,) = [line for line in lines if line.startswith("  3 jobs, first job ")]
    assert summary.endswith(" of 'c7' is slow")
    assert lines.index(said) < lines.index(summary)
    logs = [(result.dir / "jobs" / str(job) / "output.log").read_text() for job in (1, 3, 5)]
    assert all("of 'c7' is slow" in log for log in logs)
    assert "warning" not in {event["event"] for event in result.events}


def test_json_has_an_event_for_each_kind_and_their_numbers_of_jobs(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "fault=warns", "hydra.sweeper.output=json")
    events = [json.loads(line) for line in result.out.splitlines()]
    (first,) = [event for event in events if event["event"] == "warning"]
    assert (first["how"], first["text"]) == ("WARNING", f"step {first['job'] + 1} of 'c7' is slow")
    (all_of,) = [event for event in events if event["event"] == "warnings"]
    assert [(kind["job"], kind["jobs"]) for kind in all_of["kinds"]] == [(first["job"], 2)]


def test_what_the_check_of_a_config_notes_is_said_once_and_no_job_says_it_again(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2,3,4", "fault=warns", "hydra.sweeper.check=app.note_of")
    lines = result.out.splitlines()
    assert lines[:5] == ["a table", "of two lines", "x is odd", "step 1 of 'c7' is slow", "x is even"]
    assert lines[5].startswith("Sweep ")
    assert result.out.count("is slow") == 1


def test_a_dry_run_says_what_the_check_notes(sweep: Callable) -> None:
    result = sweep("-m", "x=1,2", "hydra.sweeper.check=app.note_of", "hydra.sweeper.dry_run=true")
    assert result.out.count("of two lines") == 1


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.slow)])
def test_warnings_of_jobs_of_another_launcher_are_said_too(sweep: Callable, launcher: str) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    result = sweep("--config-name", "foreign", "-m", f"hydra/launcher={launcher}", "x=1,2", "fault=warns")
    assert result.code == 0, result.err
    assert "job 0 warns: step 1 of 'c7' is slow" in result.out
    assert "  2 jobs, first job 0: step 1 of 'c7' is slow" in result.out
