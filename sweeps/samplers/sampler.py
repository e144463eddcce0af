"""The contract between a sweep and whatever chooses its points."""

from typing import Protocol

from sweeps.jobs import Outcome
from sweeps.space import Point


class Sampler(Protocol):
    """Choose the points of a sweep, one at a time, and learn from the outcomes of their jobs.

    The sweep numbers points in the order in which it asks for them and records each in its ledger before the job
    starts. It calls `ask` and `tell` under one lock, from any thread. A resumed sweep tells the outcomes that it keeps
    before it asks for further points.
    """

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the points, such as that there are fewer than asked for."""

    @property
    def total(self) -> int | None:
        """The number of points that `ask` returns in all; None if it depends on outcomes.

        A sweep asks for all points at its start when their number is known, so that it can check them first and start
        long jobs early. Otherwise it asks when a slot is free, and for jobs of a group for as many as the processes that
        run several could take.
        """

    def ask(self) -> Point | None:
        """Return the next point, as overrides; None when there is none."""

    def tell(self, number: int, outcome: Outcome, value: float | None) -> None:
        """Record the outcome of a job and its objective, None if it has none."""
