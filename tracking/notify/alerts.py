"""What an alert says: one template per event, filled with the facts of a sweep or of an experiment.

A line of a template is left out when one of its facts is unknown. Programs get the same facts by name.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tracking.errors import InvalidValueError, quoted
from tracking.values.plain import plain
from tracking.values.secrets import masked
from tracking.values.units import format_clock

if TYPE_CHECKING:
    from tracking.notify.addresses import Address

LONGEST = 2000  # characters of a fact: services cut or refuse long messages
COUNTS = ("jobs", "runs")  # facts that count by state: {"completed": 3, "failed": 1}


class AlertEvent(StrEnum):
    """What an alert is about; ``notify.on`` lists these."""

    PROMOTED = "promoted"  # the winner of a sweep is the new champion
    REFUSED = "refused"  # the gate refused it
    FINISHED = "finished"  # the sweep ended, or all runs of an experiment
    FAILED = "failed"  # the sweep failed or was stopped, or a run failed
    BEST = "best"  # a better value than all before, while jobs still run


ALERTS = (AlertEvent.PROMOTED, AlertEvent.FINISHED, AlertEvent.FAILED)  # unless notify.on says otherwise


@dataclass(frozen=True)
class Notify:
    """Where alerts go, and which events they are about."""

    to: tuple["Address", ...] = ()
    on: frozenset[AlertEvent] = frozenset(ALERTS)


@dataclass(frozen=True)
class _Template:
    """The first title whose facts are all known, then each line whose facts are."""

    titles: tuple[str, ...]
    lines: tuple[str, ...]


_WHERE = ("Run: {run}", "Job: {job} ({params})")
_CLOSER = "Look closer on {host}: {look}"
_VERDICT = ("Gain: {margin}", "Why: {why}", *_WHERE, "Sweep: {sweep}, {jobs}, in {duration_s}", _CLOSER)

TEMPLATES: Mapping[AlertEvent, _Template] = {
    AlertEvent.PROMOTED: _Template(
        ("New champion of {model}: v{version}, {metric} {value}", "New champion of {model}: v{version}"),
        ("Champion before: v{champion_version}, {metric} {champion_value}", *_VERDICT),
    ),
    AlertEvent.REFUSED: _Template(
        ("Not promoted to champion of {model}: {metric} {value}", "Not promoted to champion of {model}"),
        ("Champion: v{champion_version}, {metric} {champion_value}", *_VERDICT),
    ),
    AlertEvent.FINISHED: _Template(
        ("Finished: {subject}, best {metric} {value}", "Finished: {subject}"),
        ("Jobs: {jobs}, in {duration_s}", "Runs: {runs}", *_WHERE, "First failure: {first_failure}", _CLOSER),
    ),
    AlertEvent.FAILED: _Template(
        ("Failed: {subject}",),
        (
            "Error: {error}",
            "Jobs: {jobs}, in {duration_s}",
            "First failure: {first_failure}",
            "Best so far: {metric} {value}, {run}",
            _CLOSER,
        ),
    ),
    AlertEvent.BEST: _Template(
        ("New best of {subject}: {metric} {value}",),
        ("Before: {before}", *_WHERE, "Jobs so far: {jobs} of {total}, in {duration_s}", _CLOSER),
    ),
}


@dataclass(frozen=True)
class Alert:
    """One message: a `title` of one line, the whole `text`, which begins with it, and the `facts` behind it."""

    event: AlertEvent
    title: str
    text: str
    facts: Mapping[str, Any]
    at: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))

    @classmethod
    def of(cls, event: AlertEvent, **facts: Any) -> "Alert":
        """Return the alert of an event; secrets in the facts are masked, those that are None count as unknown."""
        known = {name: masked(plain(fact, name)) for name, fact in facts.items() if fact is not None}
        texts = {name: text for name, fact in known.items() if (text := _text(name, fact))}
        template = TEMPLATES[event]
        title = next(filter(None, (_filled(each, texts) for each in template.titles)))
        lines = filter(None, (_filled(each, texts) for each in template.lines))
        return cls(event, title, "\n".join((title, "", *lines)) + "\n", known)

    def as_plain(self) -> dict[str, Any]:
        """Return the alert as plain data: event, at, title, text, and each fact by its name."""
        return {"event": str(self.event), "at": self.at, "title": self.title, "text": self.text, **self.facts}


def parse_events(value: Any, place: str) -> frozenset[AlertEvent]:
    """Return the events that a list, or a text with commas, names; raise InvalidValueError for any other."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Sequence):
        raise InvalidValueError(f"{place}={quoted(value)}: allowed is a list of {', '.join(AlertEvent)}")
    found = [str(name).strip() for name in names]
    for name in found:
        if name not in tuple(AlertEvent):
            raise InvalidValueError(f"{place}={name}: allowed are {', '.join(AlertEvent)}")
    return frozenset(map(AlertEvent, found))


def _filled(line: str, texts: Mapping[str, str]) -> str | None:
    """Return a line with its facts; None when one is unknown."""
    names = [name for _, name, _, _ in string.Formatter().parse(line) if name]
    return line.format_map(texts) if all(name in texts for name in names) else None


def _text(name: str, fact: Any) -> str:
    """Return a fact as one line of bounded length."""
    if isinstance(fact, Mapping):
        if name in COUNTS:
            text = ", ".join(f"{count} {state}" for state, count in fact.items())
        else:
            text = " ".join(f"{key}={_text('', value)}" for key, value in fact.items())
    elif isinstance(fact, list):
        text = "; ".join(_text("", item) for item in fact)
    elif isinstance(fact, float):
        text = format_clock(fact) if name.endswith("_s") else f"{fact:{'+' if name == 'margin' else ''}.6g}"
    else:
        text = "null" if fact is None else str(fact)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
