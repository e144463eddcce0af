"""What a verdict says beside its rules, in sentences: about the rows, the look, what could have been seen, and the choice.

Pages, reports and texts show the same sentences.
"""

from collections.abc import Iterator, Mapping
from typing import Any

SHOWN_CLASSES = 5
HASH = 12  # characters of a hash that are shown
SECONDS = ("latency",)  # measures in seconds, by the beginning of their names
TITLES = {
    "superiority": "better",
    "not_worse": "not worse",
    "slice": "not worse",
    "threshold": "reaches its threshold",
    "rows": "rows enough",
    "rerun": "can be made again",
}
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def notes_of(verdict: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the notes on a verdict, each as its name and a sentence; what is not known has none."""
    return [{"name": name, "words": words} for name, words in _notes(verdict)]


def note_lines(verdict: Mapping[str, Any]) -> list[str]:
    """Return the notes on a verdict, a line each, that on the rows with the beginning of their hash."""
    lines = []
    for note in verdict["notes"]:
        digest = note["name"] == "Rows" and verdict["split"]["hash"]
        lines.append(
            f"{note['name']}: {note['words']}{f' ({short(digest)})' if digest else ''}",
        )
    return lines


def rule_name(rule: Mapping[str, Any]) -> str:
    """Return a rule in few words: what it asks of which measure, and where."""
    where = f" where {rule['slice'][0]} is {rule['slice'][1]}" if rule["slice"] else ""
    title = TITLES.get(rule["rule"] or "", rule["rule"] or "a rule without a name")
    return f"{rule['measure']} {title}{where}" if rule["measure"] else f"{title}{where}"


def short(digest: str) -> str:
    """Return the beginning of a hash."""
    return digest.removeprefix("sha256:")[:HASH]


def _notes(verdict: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if verdict["split"]:
        yield "Rows", _rows(verdict["split"])
    if verdict["look"] and verdict["look"]["number"] is not None:
        yield "Look", _look(verdict["look"])
    if verdict["power"] and verdict["power"]["detectable"] is not None:
        yield "Power", _power(verdict["power"])
    choice = verdict["selection"] and _choice(verdict["selection"])
    if choice:
        yield "Choice", choice


def _rows(split: Mapping[str, Any]) -> str:
    words = [split["name"] or "rows without a name"]
    if split["rows"] is not None:
        words = [f"{words[0]}: {_grouped(split['rows'], 'row')}"]
    classes = split["classes"]
    if 0 < len(classes) <= SHOWN_CLASSES:
        shares = [f"{rows:,} are {name}" for name, rows in classes if rows is not None]
        words += [" and ".join(filter(None, [", ".join(shares[:-1]), shares[-1]]))] if shares else []
    elif classes:
        words.append(f"{len(classes)} classes")
    if split["clusters"] is not None:
        of = f" of {split['cluster']}" if split["cluster"] else ""
        words.append(f"drawn together in {_grouped(split['clusters'], 'cluster')}{of}")
    return ", ".join(words)


def _look(look: Mapping[str, Any]) -> str:
    planned = "" if look["planned"] is None else f" of {look['planned']} that are planned"
    words = f"look {look['number']}{planned} at these rows"
    if look["level"] is None or look["alpha"] is None:
        return words
    return f"{words}, judged at {percent(look['level'])} so that all looks together stay at {percent(look['alpha'])}"


def _power(power: Mapping[str, Any]) -> str:
    often = "reliably" if power["power"] is None else f"{10 * power['power']:.2g} times in 10"
    words = f"a true gain of {number(power['detectable'])} is seen {often} with these rows at this look"
    for unit in ("rows", "clusters"):
        if further := power[f"further_{unit}"]:
            return f"{words}; about {_rounded(further):,} further {unit} would tell a gain of the size that was seen"
    return words


def _choice(selection: Mapping[str, Any]) -> str | None:
    jobs, at, here, over = (selection[name] for name in ("jobs", "selected_at", "here", "overestimated_by"))
    if jobs is None or jobs < 2 or at is None:
        return None
    words = (
        f"chosen as the best of {_grouped(jobs, 'job')} by {selection['metric'] or 'its value'}, {number(at)}"
    )
    if over is None or here is None:
        return words
    words += f": {number(abs(over))} {'better' if over >= 0 else 'worse'} than on these rows ({number(here)})"
    chosen, error = selection["by_choosing"], selection["error"]
    if chosen is None or chosen <= 0 or over <= 0:
        return words
    about = f"; about {number(chosen)} of that comes from choosing the best"
    is_clear = error is not None and chosen > 2 * error
    return words + (about if is_clear else "; how much of that comes from choosing the best cannot be told")


def number(value: float) -> str:
    """Return a number as text: small ones with three digits that count, others with four behind the point at most."""
    size = abs(value)
    if float(value).is_integer() and size < 1e7:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size < 0.1 else f"{value:.4f}" if size < 10 else f"{value:.5g}"


def measured(measure: str | None, value: float | None) -> str:
    """Return the value of a measure with its unit; nothing for none."""
    if value is None:
        return ""
    if (measure or "").startswith(SECONDS):
        return f"{1000 * value:.3g} ms"
    if measure == "size":
        return next(
            (f"{value / unit:.1f} {name}" for unit, name in UNITS if abs(value) >= unit), f"{value:.0f} B"
        )
    return number(value)


def percent(share: float) -> str:
    """Return a share with two digits that count."""
    return f"{100 * share:.2g} %"


def _grouped(count: float, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _rounded(rows: float) -> int:
    """Return a number of rows with two digits that count, rounded up: an estimate deserves no more."""
    unit = 10 ** max(0, len(str(int(rows))) - 2)
    return int(-(-int(rows) // unit) * unit)
