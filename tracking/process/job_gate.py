"""The gate of a job: where its runs ask whether to go on, each time they have logged so many values of its objective.

Whoever runs the job answers. A gate counts what its own process logs; the processes that the job starts have none.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verdict:
    """Whether a job goes on, and after how many values it asks again; None: it does not."""

    goes_on: bool
    until: int | None = None


Ask = Callable[[Path, int], Verdict]


class Gate:
    """Asks once a run has logged each of `metrics` `until` times, and again when the answer says so.

    `ask` gets the folder of the run and the number of values, and waits for the answer. `tell` gets the folder at the
    first question of a run, which may come before its first value: this run stops by itself when it is asked to.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        until: int | None,
        ask: Ask,
        tell: Callable[[Path], object] = lambda _run_dir: None,
    ) -> None:
        self._metrics = tuple(metrics)
        self._until = until
        self._ask = ask
        self._tell = tell
        self._told: set[Path] = set()
        self._counts: dict[Path, Counter[str]] = {}
        self._counting, self._asking = threading.Lock(), threading.Lock()
        self._is_closed = False
        self._pid = os.getpid()

    def begin(self, run_dir: Path, counts: Mapping[str, int]) -> None:
        """Take over the number of values that a run had logged before it went on."""
        with self._counting:
            self._counts[run_dir] = Counter(counts)

    def count(self, run_dir: Path, names: Iterable[str]) -> None:
        """Count one more value of each of these metrics."""
        with self._counting:
            counts = self._counts.setdefault(run_dir, Counter())
            for name in self._metrics:
                counts[name] += name in names

    def closes(self, run_dir: Path) -> bool:
        """Return whether the run is to stop; wait for the answer when it is time to ask."""
        if self._is_closed or os.getpid() != self._pid:
            return self._is_closed
        if run_dir not in self._told:
            self._told.add(run_dir)
            self._tell(run_dir)
        counts = self._counts.get(run_dir, Counter())
        level = min((counts[name] for name in self._metrics), default=0)
        if not level:
            return False
        with self._asking:
            while not self._is_closed and self._until is not None and level >= self._until:
                verdict = self._ask(run_dir, level)
                self._is_closed, self._until = not verdict.goes_on, verdict.until
        return self._is_closed
