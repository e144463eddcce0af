"""The contract between a sweep and a search: what a free slot does next, and what the search hears.

A search decides by what it has heard alone, in the order in which it heard it: no clock, no files, no thread of its own.
So a search that hears the events of a ledger again goes on as the one that wrote them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sweeps.space.axes import Point


@dataclass(frozen=True)
class NewJob:
    """Begin a job at a point.

    `until` is the number of values of the objective after which the job waits for a judgement; None if it runs to its
    end. `repeats` is the job whose point this one has, with another seed, to confirm its value.
    """

    point: Point
    until: int | None = None
    repeats: int | None = None


@dataclass(frozen=True)
class GoOn:
    """Let a job that was paused or lost go on, to the judgement after `until` values or to its end."""

    job: int
    until: int | None = None


Decision = NewJob | GoOn


@dataclass(frozen=True)
class Arrival:
    """A job that has logged `level` values of the objective: what it came to so far, one number per objective.

    A value counts as the sweep's objective says, the best or the last one of those `level`. None stands for a value that is
    no number. `violations` are those of an `End`, of the constraints whose metric has been logged so far.
    """

    job: int
    level: int
    values: tuple[float | None, ...]
    violations: Mapping[str, float] = field(default_factory=dict)


class EndKind(StrEnum):
    """How a job ended, to a search."""

    COMPLETED = "completed"
    PAUSED = "paused"  # by a judgement; it may go on
    FAILED = "failed"  # by its parameters, or it has no value that is a number
    LOST = "lost"  # by the machine or an order to stop, which says nothing of its parameters


@dataclass(frozen=True)
class End:
    """The end of a job: its values as in `Arrival`, how many of them it logged, and by how much it breaks each constraint.

    A constraint is kept where its number is 0 or less.
    """

    kind: EndKind
    values: tuple[float | None, ...] = ()
    epochs: int = 0
    violations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EarlierJob:
    """A job of an earlier sweep, to learn from before the first job starts.

    `point` holds its values by key, `history` its values as in `Arrival` after 1, 2, 3, ... epochs; one item stands for
    a job of which only the end is known. `violations` are those of an `End`.
    """

    point: Mapping[str, Any]
    history: tuple[tuple[float | None, ...], ...] = ()
    failed: bool = False
    violations: Mapping[str, float] = field(default_factory=dict)


class Search(Protocol):
    """Decides what free slots do, and how far jobs go."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to decide: no `decide` will return anything any more, whatever jobs that run will do."""

    @property
    def ending(self) -> str:
        """Why no new point is tried, as the end of a sentence: "the target is reached"; empty while one may be."""

    def decide(self) -> Decision | None:
        """Return what a free slot should do now; None when it must wait for a job that runs, or the search `is_over`.

        The same until the search hears something.
        """

    def asked(self, job: int, decision: Decision) -> None:
        """Hear that a job begins, or goes on, as `decide` said; on a resumed sweep, as its ledger says."""

    def reached(self, arrivals: Sequence[Arrival]) -> Mapping[int, int | None]:
        """Hear that jobs wait for a judgement; return those that go on, with the `until` of each. The others are to end."""

    def ended(self, job: int, end: End) -> None:
        """Hear how a job ended."""

    def until(self, job: int) -> int | None:
        """Return how far a job may go that has begun and not ended, for one that is begun again after a crash."""

    def budget_spent(self, share: float) -> None:
        """Hear that so much of a budget in time is spent; at 1 the search is over."""

    def prepare(self) -> None:
        """Compute the next suggestion ahead. It changes how long `decide` takes, and nothing that it says.

        The one method that may run beside the others, without the lock of the sweep. Call it after `asked`.
        """
