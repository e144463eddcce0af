"""Facts in few words: numbers, settings and sentences, for the parts of a report that are text."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tracking.objective import Objective
from tracking.values.jsontext import encode
from tracking.values.units import counted

Facts = Mapping[str, Any]
DIGITS = 4
LEAST, MOST = 0.001, 100.0  # numbers that are written with four decimals
LONGEST = 80  # characters of a value
MODES = {
    "grid": "every combination of the values",
    "zip": "the values of all settings side by side",
    "random": "points drawn at random",
    "list": "the points that were listed",
    "tpe": "points that it learned from earlier jobs (tpe)",
    "gp": "points that it learned from earlier jobs (gp, a Gaussian process)",
    "cmaes": "points that it learned from earlier jobs (cmaes, an evolution strategy)",
    "nsga2": "points that it bred from earlier jobs (nsga2, a genetic algorithm)",
    "qmc": "points that fill the space evenly (qmc)",
}
SCHEDULES = {
    "asha": "let only the better jobs train on (asha)",
    "median": "stopped jobs early that were worse than the median",
}


def number(value: Any) -> str:
    """Return a number with four digits, `-` for none; other values as they are written."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return label_of(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.{DIGITS}g}" if math.isfinite(value) else str(value)


def numbers(values: Sequence[Any]) -> list[str]:
    """Return the numbers of a column, where they are of like size with as many decimals each."""
    known = [abs(value) for value in values if isinstance(value, float) and value]
    is_whole = all(value.is_integer() for value in known)
    if (
        known
        and not is_whole
        and all(LEAST <= value < MOST for value in known)
        and max(known) <= 100 * min(known)
    ):
        return [f"{value:.{DIGITS}f}" if isinstance(value, float) else number(value) for value in values]
    return [number(value) for value in values]


def label_of(value: Any) -> str:
    """Return a setting as an override writes it, on one line and not too long."""
    if value is None:
        text = "null"
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = value if isinstance(value, str) else encode(value).decode(errors="replace")
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def status_name(status: str) -> str:
    """Return the word for the status of a job."""
    return {"pruned": "stopped early"}.get(status, status)


def short_name(facts: Facts, key: str) -> str:
    """Return the short name of a swept key."""
    return str(facts["names"].get(key, key))


def point_words(facts: Facts, point: Mapping[str, Any]) -> str:
    """Return settings as `learning_rate=0.001, dropout=0.2`."""
    return ", ".join(
        f"{short_name(facts, key)}={label_of(value)}" for key, value in point.items() if value is not None
    )


def winner(facts: Facts) -> int | None:
    """Return the place of the winner in the table of jobs; None while no job has a rank."""
    ranks = facts["jobs"]["rank"]
    return 0 if ranks and ranks[0] is not None else None


def point_at(facts: Facts, place: int) -> dict[str, Any]:
    """Return the settings of the job at a place of the table."""
    return {key: column[place] for key, column in facts["jobs"]["point"].items()}


def tried(facts: Facts) -> str:
    """Return what was swept by what, as a sentence."""
    names = [short_name(facts, key) for key in facts["swept"]]
    by = " and ".join(_aim(each) for each in facts["objectives"])
    how = MODES.get(facts["mode"], "")
    early = SCHEDULES.get(facts["schedule"], "")
    taken = " and ".join(filter(None, [how and f"took {how}", early]))
    kept = f" A job must keep {listed(facts['constraints'], 5)}." if facts["constraints"] else ""
    jobs = counted(len(facts["jobs"]["job"]), "job")
    did = f"tried {counted(len(names), 'setting')} ({listed(names, 8)}) in" if names else "ran"
    return f"This sweep {did} {jobs}, by {by}.{f' It {taken}.' if taken else ''}{kept}"


def _aim(objective: Mapping[str, Any]) -> str:
    which = "last" if objective["at"] == "last" else "best"
    better = "higher" if higher_is_better(objective) else "lower"
    return f"the {which} {objective['label']} ({better} is better)"


def higher_is_better(objective: Mapping[str, Any]) -> bool:
    """Return whether a higher value of an objective of the facts is better."""
    return Objective.of(objective["metric"], objective["mode"], objective["at"]).higher_is_better


def best(facts: Facts) -> str:
    """Return the best value and its settings, as a sentence."""
    place = winner(facts)
    if place is None:
        return "No job has a rank."
    jobs = facts["jobs"]
    values = [
        f"{each['label']} {number(column[place])}"
        for each, column in zip(facts["objectives"], jobs["values"], strict=True)
    ]
    run = f" ({jobs['run'][place]})" if jobs["run"][place] else ""
    mean = next(iter(facts["candidates"]), None)
    of = f", mean {number(mean['mean'])} of {counted(mean['n'], 'repeat')}" if mean and mean["n"] > 1 else ""
    point = point_words(facts, point_at(facts, place))
    return f"The best is job {jobs['job'][place]}{run}: {' and '.join(values)}{of}{f', with {point}' if point else ''}."


def outcome(facts: Facts) -> str:
    """Return how many jobs ended in which way and how long it took, as a sentence."""
    counts = listed([f"{count} {status_name(status)}" for status, count in facts["counts"].items()], 9)
    took = sum(end - begin for begin, end in facts["timeline"]["sessions"])
    usage = facts["usage"]
    busy = f", {counted(usage['slots'], 'slot')} busy {usage['utilisation']:.0%} of the time" if usage else ""
    state = {"interrupted": " It was interrupted.", "running": " It still runs."}.get(facts["state"], "")
    state = (
        " It was killed; its time ends with the last that its runs logged." if facts["was_killed"] else state
    )
    return f"{counts}{f' in {seconds(took)}' if took else ''}{busy}.{state}"


def verdict(facts: Facts) -> str | None:
    """Return the verdict on the winner as a sentence, as the gate has it, else with its reasons; None without one."""
    known = facts["promotion"]
    if known is None:
        return None
    whole = facts.get("verdict")
    if whole:
        return f"{'✓' if whole['promote'] else '✗'} {whole['sentence']}"
    name, reasons = known["model_name"], "; ".join(known["reasons"])
    if known["promoted"]:
        return f"Promoted: {name} has a new champion, version {known['version']}: {reasons}."
    return f"Not promoted: {name} keeps its champion: {reasons}."


def decides(facts: Facts) -> str:
    """Return how much each setting decides, as a sentence."""
    known = facts.get("importance")
    if known is None:
        return "How much each setting decides was not computed."
    if known["why"] is not None:
        return f"How much each setting decides cannot be told yet: {known['why']}."
    shares = ", ".join(f"{short_name(facts, key)} {share:.0%}" for key, share in known["share"].items())
    return f"What decides: {shares} (a forest over {counted(known['jobs'], 'job')}, R2 {known['r2']:.2f})."


def failure_groups(facts: Facts) -> list[tuple[str, list[int], Mapping[str, Any]]]:
    """Return each error once, with its jobs and the first failure that has it."""
    groups: dict[str, tuple[list[int], Mapping[str, Any]]] = {}
    for each in facts["failures"]:
        groups.setdefault(each["error"] or "no reason known", ([], each))[0].append(each["job"])
    return [(error, jobs, first) for error, (jobs, first) in groups.items()]


def data_words(facts: Facts) -> list[str]:
    """Return a line for each data set that jobs read."""
    lines = []
    for each in facts["data"]:
        name = each.get("name") or each.get("source") or "data"
        rows = f"{each['rows']:,} rows" if isinstance(each.get("rows"), int) else ""
        target = f"target {label_of(each['target'])}" if each.get("target") is not None else ""
        print_ = str(each.get("fingerprint") or "")
        short = print_[: print_.find(":") + 13] if print_ else ""
        lines.append(f"{label_of(name)}: {', '.join(filter(None, [rows, target, short]))}")
    return lines


def seconds(count: float) -> str:
    """Return a time: `8.3 s`, `4 min`, `2 h 10 min`."""
    if count < 60:
        return f"{count:.1f} s"
    minutes = round(count / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def listed(words: Sequence[str], most: int) -> str:
    """Return words with commas, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
