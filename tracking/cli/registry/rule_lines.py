"""The rules of a verdict: a table where it fits, else a few lines for each rule, so that none of its values is left out."""

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.fitting import fits
from tracking.verdicts.words import measured, percent, rule_name

_NAMES = ("rule", "passes", "gain", "at least", "asked", "p", "champion", "challenger", "level", "rows")
_UNBROKEN = "\N{NO-BREAK SPACE}"  # where no line ends
_INDENT = " " * len("passes  ")


def say_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """Write each rule with its values under a headline; write nothing without rules."""
    if not rules:
        return
    output.say("\nRules:")
    rows = [_cells(rule) for rule in rules]
    # of rules on recorded values most columns are empty
    kept = [index for index in range(len(_NAMES)) if any(row[index] is not None for row in rows)]
    columns = tables.columns_of(
        [_NAMES[index] for index in kept], [[row[index] for index in kept] for row in rows]
    )
    width = output.terminal_width(sys.stdout)
    if width is None or fits(columns, width):
        tables.say_table(columns)
        return
    for row in rows:
        for line in _lines(dict(zip(_NAMES, row, strict=True)), width):
            output.say(line)


def _cells(rule: Mapping[str, Any]) -> list[str | int | float | None]:
    values = {
        name: measured(rule["measure"], rule[name]) or None
        for name in ("gain", "low", "champion", "challenger")
    }
    p = rule["p"] if rule["adjusted_p"] is None else rule["adjusted_p"]
    return [
        rule_name(rule),
        "yes" if rule["passes"] else "no",
        *(values[name] for name in ("gain", "low")),
        rule["asked"] or None,
        None if p is None else f"{p:.2g}",
        *(values[name] for name in ("champion", "challenger")),
        None if rule["level"] is None else percent(rule["level"]),
        rule["rows"],
    ]


def _lines(cells: dict[str, Any], width: int) -> Iterator[str]:
    """Return a rule as lines: whether it passes and what it asks, then its other values."""
    mark = "passes" if cells.pop("passes") == "yes" else "fails"
    asked, rule = cells.pop("asked"), cells.pop("rule")
    asks = f"; asked: {asked}" if asked else ""
    yield from _wrapped(output.one_line(f"{rule}{asks}"), width, f"{mark:<{len(_INDENT)}}")
    told = [f"{name} {output.show(value)}" for name, value in cells.items() if value is not None]
    if told:
        whole = ", ".join(each.replace(" ", _UNBROKEN) for each in told)
        yield from (line.replace(_UNBROKEN, " ") for line in _wrapped(whole, width, _INDENT))


def _wrapped(text: str, width: int, start: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=start, subsequent_indent=_INDENT, break_on_hyphens=False)
