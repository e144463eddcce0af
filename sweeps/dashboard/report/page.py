"""``report.html``: one file that shows a sweep without a network, a server, or another file.

The facts lie in it as data, and one script draws them, which the policy of the page names by its hash, as it does its style: nothing else runs. What a
reader sees whose browser runs no scripts is plain HTML, with the charts as pictures.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sweeps.dashboard.report.bundle import ASSETS, bundle
from sweeps.dashboard.report.pictures import Picture, why_no_pictures
from sweeps.dashboard.report.verdict_text import reason_lines, rule_rows
from sweeps.dashboard.report.words import (
    best,
    data_words,
    decides,
    failure_groups,
    label_of,
    number,
    numbers,
    outcome,
    point_at,
    seconds,
    short_name,
    status_name,
    tried,
    verdict,
)
from sweeps.ranking.leaderboard import named_jobs
from tracking.values.jsontext import encode
from tracking.verdicts.words import note_lines

ENTRY = "report_main.js"
STYLES = ("styles.css", "charts.css", "report.css", "report_static.css")
MOST_ROWS = 50  # of the leaderboard without scripts
MOST_METRICS = 6
MOST_FAILURES = 10
WHY = "why not ranked"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="podium">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="report"></main>
<noscript>
{static}</noscript>
<script type="application/json" id="facts">{facts}</script>
<script>{script}</script>
</body>
</html>
"""


def page(facts: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the page of a sweep; raise BundleError if its script cannot be made."""
    script = bundle(ENTRY)
    style = "\n".join((ASSETS / name).read_text("utf-8") for name in STYLES)
    return _PAGE.format(
        policy=_policy(script, style),
        title=html.escape(f"Sweep {facts['sweep']}"),
        style=style,
        static=_static(facts, pictures),
        facts=_data(facts),
        script=script,
    )


def _policy(script: str, style: str) -> str:
    """Return what the page may do: run this one script in this one style, and show pictures that lie in it."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(facts: Mapping[str, Any]) -> str:
    """Return JSON that nothing in it can end: a name may hold `</script>`."""
    text = encode(dict(facts)).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _static(facts: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return the report as plain HTML."""
    shown = {each.section: each for each in pictures}
    ended = verdict(facts)
    made = f"As of {facts['as_of'][:19].replace('T', ' ')} UTC. With scripts on, this file has charts that answer."
    parts = [
        f'<main class="static-report"><h1>Sweep {_text(facts["sweep"])}</h1>',
        *map(_paragraph, [tried(facts), best(facts), outcome(facts), *filter(None, [ended])]),
        *map(
            _paragraph, [f"There are no pictures of the charts: {why}."] if (why := why_no_pictures()) else []
        ),
        *_section("Best so far", _picture(shown.get("best"))),
        *_section("Learning curves", _picture(shown.get("curves"))),
        *_section("Settings and results", _picture(shown.get("parallel"))),
        *_section("What decides", [_paragraph(decides(facts)), *_picture(shown.get("importance"))]),
        *_section("Result by setting", _picture(shown.get("slices"))),
        *_section("Slots over time", _picture(shown.get("timeline"))),
        *_section("Failures", _failures(facts)),
        *_section("Leaderboard", _leaderboard(facts)),
        *_section("Verdict on the winner", _verdict(facts, shown)),
        *_section("The winner's pictures", _own_pictures(facts)),
        *_section("Data", map(_paragraph, data_words(facts))),
        *_section("How to repeat it", _repeat(facts)),
        _paragraph(made),
        "</main>\n",
    ]
    return "\n".join(parts)


def _section(title: str, parts: Iterable[str]) -> list[str]:
    known = list(parts)
    return [f"<h2>{_text(title)}</h2>", *known] if known else []


def _paragraph(text: str) -> str:
    return f"<p>{_text(text)}</p>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _picture(picture: Picture | None) -> list[str]:
    if picture is None:
        return []
    return [f'<p><img src="{picture.source}" alt="{_text(picture.words)}"></p>']


def _own_pictures(facts: Mapping[str, Any]) -> list[str]:
    known = [
        f'<img src="{_text(each["src"])}" alt="{_text(each["title"])}">'
        for each in facts.get("pictures") or ()
    ]
    return ['<div class="pictures">', *known, "</div>"] if known else []


def _failures(facts: Mapping[str, Any]) -> list[str]:
    parts = []
    known = failure_groups(facts)
    for error, jobs, first in known[:MOST_FAILURES]:
        parts.append(_paragraph(f"{named_jobs(jobs)} {status_name(first['status'])}: {error}"))
        if first["lines"]:
            lines = "\n".join(first["lines"])
            parts.append(f'<pre class="block">{_text(lines)}</pre>')
    more = sum(len(jobs) for _, jobs, _ in known[MOST_FAILURES:])
    return [*parts, *([_paragraph(f"... and {more} more failures.")] if more else [])]


def _verdict(facts: Mapping[str, Any], shown: Mapping[str, Picture]) -> list[str]:
    """Return the gate's verdict as HTML; nothing where the registry keeps none."""
    known = facts.get("verdict")
    if not known:
        return []
    more = map(_text, [*reason_lines(known), *note_lines(known)])
    lines = [f"<li>{line}</li>" for line in more]
    head, rows = rule_rows(known)
    return [
        _paragraph(f"{'✓' if known['promote'] else '✗'} {known['sentence']}"),
        *(["<ul>", *lines, "</ul>"] if lines else []),
        *(_table(head, rows) if rows else []),
        *_picture(shown.get("rules")),
        *_picture(shown.get("versions")),
    ]


def _repeat(facts: Mapping[str, Any]) -> list[str]:
    known = facts["repeat"]
    parts = [f'<pre class="block">{_text(known["command"])}</pre>'] if known["command"] else []
    if known["resume"]:
        parts += [
            _paragraph("To go on with what is left:"),
            f'<pre class="block">{_text(known["resume"])}</pre>',
        ]
    return [*parts, *map(_paragraph, facts["code_notes"])]


def _leaderboard(facts: Mapping[str, Any]) -> list[str]:
    """Return the first rows of the leaderboard as a table."""
    head, rows = leaderboard_rows(facts, MOST_ROWS, MOST_METRICS)
    if not rows:
        return []
    more = len(facts["jobs"]["job"]) - len(rows)
    return [*_table(head, rows), *([_paragraph(f"... and {more} more jobs.")] if more > 0 else [])]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    kinds = [_kind(name, [row[place] for row in rows]) for place, name in enumerate(head)]
    cells = "".join(f"<th{kind}>{_text(name)}</th>" for name, kind in zip(head, kinds, strict=True))
    lines = "\n".join(
        f"<tr>{''.join(f'<td{kind}>{_text(cell)}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return [
        f'<div class="grid-box"><table class="grid"><thead><tr>{cells}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'
    ]


def _kind(name: str, cells: Sequence[str]) -> str:
    """Return the class of a column: numbers stand on the right, reasons have room."""
    if name == WHY:
        return ' class="why"'
    return (
        ' class="n"'
        if any(cells)
        and all(cell[-1:].isdigit() or cell in ("", "-") or cell.endswith(" s") for cell in cells)
        and name != "run"
        else ""
    )


def leaderboard_rows(facts: Mapping[str, Any], most: int, metrics: int) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the first rows of the leaderboard, as text."""
    jobs = facts["jobs"]
    further = list(jobs["metrics"])[:metrics]
    names = [short_name(facts, key) for key in facts["swept"]]
    labels = [each["label"] for each in facts["objectives"]]
    head = ["rank", "job", "run", *names, *labels, *further, "epochs", "time", "status", WHY]
    measured = [
        numbers(column[:most]) for column in (*jobs["values"], *(jobs["metrics"][name] for name in further))
    ]
    rows = []
    for place in range(min(most, len(jobs["job"]))):
        point = [label_of(value) if value is not None else "" for value in point_at(facts, place).values()]
        values = [column[place] for column in measured]
        took = jobs["duration_s"][place]
        end = [
            number(jobs["epochs"][place]),
            "-" if took is None else seconds(took),
            status_name(jobs["status"][place]),
        ]
        rank = "" if jobs["rank"][place] is None else str(jobs["rank"][place])
        begin = [rank, str(jobs["job"][place]), jobs["run"][place] or ""]
        rows.append([*begin, *point, *values, *end, jobs["error"][place] or ""])
    kept = [place for place, name in enumerate(head) if name != WHY or any(row[place] for row in rows)]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]
