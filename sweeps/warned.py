"""The warnings of the jobs of a sweep, by their kind: what differs in numbers alone is of one kind.

Bounded, whatever the jobs say: so many kinds are kept, and the others are counted.
"""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sweeps.jobs import Event
from tracking.values.secrets import masked_text
from tracking.values.units import counted

MOST_KINDS = 20
LETTERS = 400  # of a text, by which kinds are told apart
# A name in quotes keeps its digits, unless it is a path.
_QUOTED_OR_NUMBER = re.compile(
    r"""(?<!\w)'[^'/]*'|(?<!\w)"[^"/]*"|0x[0-9a-fA-F]+|(?<![A-Za-z])\d+(?:[.,:_]\d+)*(?:[eE][+-]?\d+)?|\bnan\b|\binf\b"""
)


def kind_of(how: str, text: str) -> str:
    """Return what warnings of one kind have in common: how they are made, and their text without its numbers."""
    begin = " ".join(text.split())[:LETTERS]
    return f"{how}: {_QUOTED_OR_NUMBER.sub(_without_numbers, begin)}"


def _without_numbers(found: re.Match[str]) -> str:
    return found[0] if found[0][0] in "'\"" else "0"


@dataclass
class Kind:
    """A kind of warnings: the first one, and the jobs that have it."""

    how: str
    text: str
    job: int
    jobs: set[int] = field(default_factory=set)

    @property
    def said(self) -> str:
        """The text of the first one, after the level or the category if that tells more than that it warns."""
        return self.text if self.how == "WARNING" else f"{self.how}: {self.text}"

    @property
    def first(self) -> str:
        """The first one, with its job."""
        return f"job {self.job} {self._verb}: {self.said}"

    @property
    def all(self) -> str:
        """The first one, with the number of jobs that have one of its kind."""
        others = len(self.jobs) - 1
        also = f" (also in {counted(others, 'further job')})" if others else ""
        return f"job {self.job} {self._verb}{also}: {self.said}"

    @property
    def _verb(self) -> str:
        # A level of logging is in capitals, a category of warnings is a class.
        return "logs" if self.how.isupper() and self.how != "WARNING" else "warns"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"how": self.how, "text": self.text, "job": self.job, "jobs": len(self.jobs)}


class Warned:
    """The kinds that jobs have told so far, in the order of their first; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[str, Kind] = {}
        self._known: set[str] = set()
        self.further = 0  # warnings of kinds that are not kept

    @property
    def kinds(self) -> list[Kind]:
        """The kinds that are kept."""
        with self._lock:
            return list(self._kinds.values())

    def know(self, texts: Iterable[str]) -> None:
        """Leave out warnings that the sweep itself has said already."""
        self._known.update(kind_of("WARNING", text) for text in texts)

    def hear(self, event: Event) -> Kind | None:
        """Count a warning of a job; return its kind if it is a new one."""
        how, text = str(event.data["how"]), masked_text(str(event.data["text"]))
        kind = kind_of(how, text)
        with self._lock:
            known = self._kinds.get(kind)
            if known is not None:
                known.jobs.add(event.job)
            elif kind in self._known:
                pass
            elif len(self._kinds) >= MOST_KINDS:
                self.further += 1
            else:
                self._kinds[kind] = Kind(how, text, event.job, {event.job})
                return self._kinds[kind]
        return None
