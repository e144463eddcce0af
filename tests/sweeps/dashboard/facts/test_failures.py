"""Why jobs failed, with the last lines of what they printed."""

from pathlib import Path

import pytest
from told import Told

from sweeps.dashboard.facts.failures import MOST_LINES, MOST_LOGS, WIDEST, log_tail
from sweeps.dashboard.facts.sweep_facts import sweep_facts


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def test_a_failure_has_its_error_and_the_last_lines_of_its_log_as_a_terminal_shows_them(told: Told) -> None:
    bar = "".join(f"\r{share} %" for share in range(100))
    log = "".join(f"line {number}\n" for number in range(100)) + f"{bar}\n\x1b[31mValueError: 3\x1b[0m\n"
    told.fail(0, "ValueError: 3", log)
    (failure,) = sweep_facts(told.folder)["failures"]
    assert (failure["job"], failure["status"], failure["error"]) == (0, "failed", "ValueError: 3")
    assert len(failure["lines"]) == MOST_LINES
    assert failure["lines"][-3:] == ["line 99", "99 %", "ValueError: 3"]


def test_without_a_log_the_traceback_of_the_ledger_stands_in(told: Told) -> None:
    told.fail(0, "boom", traceback="Traceback\n  password=hunter2\nValueError: boom\n")
    (failure,) = sweep_facts(told.folder)["failures"]
    assert failure["lines"] == ["Traceback", "  password=***", "ValueError: boom"]


def test_a_log_that_leads_out_of_the_sweep_is_not_read(told: Told, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret\n")
    told.fail(0, "boom", "")
    log = told.folder / "jobs" / "0" / "output.log"
    log.unlink()
    log.symlink_to(secret)
    assert sweep_facts(told.folder)["failures"][0]["lines"] == []
    told.fail(1, "boom")
    (told.folder / "jobs" / "1").symlink_to(tmp_path)
    (tmp_path / "output.log").write_text("the secret\n")
    assert log_tail(told.folder, 1) == []


def test_long_lines_and_many_failures_stay_small(told: Told) -> None:
    for job in range(MOST_LOGS + 2):
        told.fail(job, "boom", "x" * 100_000 + "\n")
    found = sweep_facts(told.folder)["failures"]
    assert [failure["job"] for failure in found] == list(range(MOST_LOGS + 2))
    assert {len(line) for failure in found for line in failure["lines"]} == {WIDEST}
    assert [bool(failure["lines"]) for failure in found].count(False) == 2


def test_a_secret_that_a_cut_would_halve_is_masked_first(told: Told) -> None:
    told.fail(0, "boom", "x" * (WIDEST - 14) + " password=hunter2222\n")
    (line,) = sweep_facts(told.folder)["failures"][0]["lines"]
    assert "hunt" not in line
