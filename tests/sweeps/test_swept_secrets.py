"""A secret that is swept stands in nothing that people show each other, and stays where the sweep needs it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.ranking.aggregate import rank
from tracking.values.secrets import MASK

SECRETS = ("hunter2-alpha", "hunter2-omega")
WORDS = ("-m", "x=1", "fault=none,raise", f"+api_key={','.join(SECRETS)}")
FILES = ("leaderboard.json", "leaderboard.csv", "leaderboard.md", "report.md", "report.html")


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("output", ["lines", "json"])
def test_a_swept_secret_is_masked_on_the_console_and_in_the_files_of_a_sweep(
    sweep: Callable, podium: Callable, output: str
) -> None:
    result = sweep(*WORDS, f"hydra.sweeper.output={output}", "hydra.sweeper.max_failures=2")
    assert MASK in result.out
    assert not secrets_in(result.out + result.err)
    assert podium("report", "latest").code == 0
    for name in FILES:
        text = (result.dir / name).read_text().replace("\\*", "*")  # as Markdown writes it
        assert MASK in text, name
        assert not secrets_in(text), name


def test_a_swept_secret_is_masked_in_a_plan_that_is_only_shown(sweep: Callable) -> None:
    for output in ("lines", "json"):
        result = sweep(*WORDS, "hydra.sweeper.dry_run=true", f"hydra.sweeper.output={output}")
        assert MASK in result.out
        assert not secrets_in(result.out + result.err)


def test_a_swept_secret_is_masked_by_every_command_that_shows_a_sweep(
    sweep: Callable, podium: Callable
) -> None:
    sweep(*WORDS, "hydra.sweeper.max_failures=2")
    for command in ("show", "jobs", "leaderboard", "aggregate"):
        for more in ((), ("--json",)):
            told = podium(command, "latest", *more)
            assert MASK in told.out, (command, more)
            assert not secrets_in(told.out + told.err), (command, more)


def test_a_swept_secret_stays_in_the_plan_the_ledger_and_the_leaderboard_as_a_value(
    sweep: Callable, podium: Callable
) -> None:
    folder = sweep(*WORDS, "hydra.sweeper.max_failures=2").dir
    assert secrets_in((folder / "plan.json").read_text()) == [*SECRETS]
    assert secrets_in((folder / "jobs.jsonl").read_text()) == [*SECRETS]
    assert {row.point["api_key"] for row in rank(folder).rows} == {*SECRETS}
    podium("resume", "latest", "--failed")
    events = [json.loads(line) for line in (folder / "jobs.jsonl").read_text().splitlines()]
    again = [event["job"] for event in events[_last_began(events) :] if event["event"] == "started"]
    assert len(again) == 2
    for job in again:
        assert len(secrets_in(_config(folder, job))) == 1


def _last_began(events: list[dict]) -> int:
    return max(index for index, event in enumerate(events) if event["event"] == "began")


def _config(folder: Path, job: int) -> str:
    return (folder / "jobs" / str(job) / ".hydra" / "config.yaml").read_text()
