"""The contract between a sweep and whatever runs its jobs.

A job is plain data on its way out and an outcome is plain data on its way back; nothing a job does
reaches the sweep in any other form.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from sweeps.jobs import Event, Job, Outcome


class Listener(Protocol):
    """Hears about events; called from whichever thread supervises the job, so it must be thread-safe."""

    def __call__(self, event: Event) -> None:
        """Take note of `event`; must not raise."""


class Executor(Protocol):
    """Runs jobs somewhere, several at once.

    Guarantees: `jobs` is pulled from lazily, not more than one ahead of a free place. Each job pulled
    yields exactly one outcome, in the order they end. Whatever a job does (raise, exit, die, return
    what cannot be sent) is that job's outcome alone. `run` raises only for faults of the executor.
    """

    def run(self, jobs: Iterable[Job], listener: Listener) -> Iterator[Outcome]:
        """Run `jobs` and yield their outcomes as they end."""

    def stop(self) -> None:
        """Start nothing more and end what runs: gently first, by force after a grace period.

        Called again, ends what runs by force at once. Safe to call from a signal handler.
        """
