"""``report.md``: a sweep in short, for a pull request. What is shown is text: no name in it is markup, link or mention."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.dashboard.report.page import leaderboard_rows
from sweeps.dashboard.report.verdict_text import reason_lines, rule_rows
from sweeps.dashboard.report.words import (
    best,
    data_words,
    decides,
    failure_groups,
    outcome,
    point_at,
    status_name,
    tried,
    verdict,
    winner,
)
from sweeps.ranking.leaderboard import named_jobs
from sweeps.ranking.table_text import markdown_text
from tracking.verdicts.words import note_lines

MOST_ROWS = 10
MOST_METRICS = 3
MOST_FAILURES = 5
LONGEST_ERROR = 200


def markdown(facts: Mapping[str, Any]) -> str:
    """Return the report as Markdown: the headline, the ten best jobs, the best point, the verdict, failures, the command."""
    parts = [f"# Sweep {markdown_text(facts['sweep'])}"]
    parts += [markdown_text(each) for each in (tried(facts), best(facts), outcome(facts))]
    parts += [f"**Verdict.** {markdown_text(text)}" for text in filter(None, [verdict(facts)])]
    parts += _verdict(facts)
    parts += [markdown_text(decides(facts)), *_table(facts), *_point(facts), *_failures(facts)]
    parts += [f"- {markdown_text(line)}" for line in data_words(facts)]
    parts += [f"Note: {markdown_text(note)}." for note in (*facts["notes"], *facts["code_notes"])]
    if facts["repeat"]["command"]:
        parts += ["Run it again:", _code(facts["repeat"]["command"])]
    if facts["repeat"]["resume"]:
        parts += ["Go on with what is left:", _code(facts["repeat"]["resume"])]
    return "\n\n".join(parts) + "\n"


def _verdict(facts: Mapping[str, Any]) -> list[str]:
    """Return the rules of the gate as a table, and what else its verdict says."""
    known = facts.get("verdict")
    if not known:
        return []
    more = [f"- {markdown_text(line)}" for line in (*reason_lines(known), *note_lines(known))]
    head, rows = rule_rows(known)
    return [*(["\n".join(more)] if more else []), *([_lines(head, rows)] if rows else [])]


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[markdown_text(cell[:LONGEST_ERROR]) for cell in line] for line in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _table(facts: Mapping[str, Any]) -> list[str]:
    head, rows = leaderboard_rows(facts, MOST_ROWS, MOST_METRICS)
    if not rows:
        return []
    more = len(facts["jobs"]["job"]) - len(rows)
    return [_lines(head, rows), *([f"... and {more} more jobs."] if more > 0 else [])]


def _point(facts: Mapping[str, Any]) -> list[str]:
    """Return the settings of the winner with all their digits, as overrides."""
    place = winner(facts)
    if place is None or not facts["swept"]:
        return []
    point = point_at(facts, place).items()
    lines = [shlex.quote(f"{key}={_exact(value)}") for key, value in point if value is not None]
    return ["Best settings:", _code("\n".join(lines))] if lines else []


def _exact(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _failures(facts: Mapping[str, Any]) -> list[str]:
    known = failure_groups(facts)
    if not known:
        return []
    lines = [
        f"- {named_jobs(jobs)} {status_name(first['status'])}: {markdown_text(error[:LONGEST_ERROR])}"
        for error, jobs, first in known[:MOST_FAILURES]
    ]
    if len(known) > MOST_FAILURES:
        lines.append(f"- ... and {len(known) - MOST_FAILURES} more errors")
    return ["Failures:", "\n".join(lines)]


def _code(text: str) -> str:
    """Return text as a block of code that it cannot end itself."""
    lines = [" ".join(line.split("\t")) for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in _ticks(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + "sh", *lines, fence])


def _ticks(line: str) -> list[str]:
    return "".join(sign if sign == "`" else " " for sign in line).split()
