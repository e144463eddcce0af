"""The verdict on a sweep's winner as text: its reasons and notes, and the rules as a table, for readers without scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from tracking.verdicts.words import measured, percent, rule_name

Verdict = Mapping[str, Any]
MARKS = {True: "passed", False: "failed", None: ""}
MOST_RULES = 30


def reason_lines(verdict: Verdict) -> list[str]:
    """Return the reasons beside the first one, each with whether its rule has passed."""
    return [
        f"{f'{mark}: ' if (mark := MARKS[each['passes']]) else ''}{each['words']}" for each in verdict["why"]
    ]


def rule_rows(verdict: Verdict) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the first rules as text; a column that no rule has a value for is left out."""
    head = ["rule", "passes", "gain", "at least", "at most", "asked", "champion", "challenger", "p", "adjusted p", "level", "rows"]  # fmt: skip
    rows = [_row(rule) for rule in verdict["rules"][:MOST_RULES]]
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _row(rule: Mapping[str, Any]) -> list[str]:
    measure = rule["measure"]
    values = {
        name: measured(measure, rule[name]) for name in ("gain", "low", "high", "champion", "challenger")
    }
    chances = ["" if rule[name] is None else f"{rule[name]:.2g}" for name in ("p", "adjusted_p")]
    level = "" if rule["level"] is None else percent(rule["level"])
    rows = f"{rule['rows']:,}" if rule["rows"] else ""
    numbers = [values[name] for name in ("gain", "low", "high")]
    both = [values[name] for name in ("champion", "challenger")]
    return [
        rule_name(rule),
        "yes" if rule["passes"] else "no",
        *numbers,
        rule["asked"] or "",
        *both,
        *chances,
        level,
        rows,
    ]


def tabled(verdict: Verdict) -> Sequence[Mapping[str, Any]]:
    """Return the rules about a gain, which a picture can show."""
    return [rule for rule in verdict["rules"] if rule["gain"] is not None]


def asked_of(rule: Mapping[str, Any]) -> float | None:
    """Return what a gain must be above: guards allow a loss. None where nothing is asked of it."""
    if rule["margin"] is None or rule["gain"] is None:
        return None
    return float(rule["margin"] if rule["rule"] == "superiority" else -rule["margin"])
