"""How much is measured, where, and in which order: what every benchmark is given."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.contestants import PODIUM, Contestant, DriverError
from benchmarks.driving import Answer
from benchmarks.figures import Figure, figure

BUDGET_S = 60.0  # for one task of one driver, in all rounds together

Peer = TypeVar("Peer")
Result = tuple[str, Iterable[Figure]]  # what a benchmark did, and its figures


@dataclass
class Answers:
    """What one contestant answered, round by round; or the trouble that kept it from answering."""

    who: str
    rounds: list[Answer] = field(default_factory=list)
    trouble: str = ""

    def values(self, key: str) -> list[Any]:
        """Return one value of each round."""
        return [each[key] for each in self.rounds]

    def figures(
        self, cases: Mapping[str, str], *, targets: Mapping[str, float] | None = None, note: str = ""
    ) -> Iterator[Figure]:
        """Return a figure per case, by the key of its value, the end of which is the unit.

        The targets are podium's. The note is a format of the first answer.
        """
        for key, case in cases.items():
            unit = "us" if key.startswith("us_") else key.rpartition("_")[2]
            if self.trouble:
                yield Figure(case, self.who, unit, note=self.trouble)
                continue
            target = (targets or {}).get(key) if self.who == PODIUM.title else None
            shown = note.format(**self.rounds[0])
            yield figure(case, self.who, unit, self.values(key), target=target, note=shown)

    def ratio(
        self, case: str, other: "Answers", key: str, *, target: float, note: str = ""
    ) -> Iterator[Figure]:
        """Return how many times the value of another contestant this one's is, if both have answers."""
        if not (self.trouble or other.trouble):
            own, others = self.values(key), other.values(key)
            best, median = min(own) / min(others), statistics.median(own) / statistics.median(others)
            yield Figure(case, self.who, "x", best, median, target, note)


def in_turn(rounds: int, contestants: Iterable[str], ask: Callable[[str], Answer]) -> dict[str, Answers]:
    """Ask all in turn, round by round, so that a busy moment of the machine meets all of them.

    A driver that has used up BUDGET_S or has failed skips the other rounds.
    """
    asked = {who: Answers(who) for who in contestants}
    for _ in range(rounds):
        for who, answers in asked.items():
            if answers.trouble or sum(each.get("process_s", 0) for each in answers.rounds) > BUDGET_S:
                continue
            try:
                answers.rounds.append(ask(who))
            except DriverError as error:
                answers.trouble = str(error)
    return asked


class Size(StrEnum):
    """How much work each benchmark does."""

    TINY = "tiny"  # shows that everything works; its figures mean nothing
    USUAL = "usual"
    FULL = "full"


@dataclass
class Plan:
    """The size, the folder for everything that is written, and whether peers take part."""

    folder: Path
    size: Size = Size.USUAL
    with_peers: bool = True

    def pick(self, tiny: int, usual: int, full: int | None = None) -> int:
        """Return the one that fits the size."""
        return {Size.TINY: tiny, Size.USUAL: usual, Size.FULL: usual if full is None else full}[self.size]

    @property
    def rounds(self) -> int:
        """How often each is asked."""
        return self.pick(1, 5)

    def peers(self, *peers: Peer) -> tuple[Peer, ...]:
        """Return the given peers, unless peers are left out."""
        return peers if self.with_peers else ()

    def store(self, contestant: Contestant, runs: int, use: str = "read") -> Path:
        """Return the folder of a contestant's store with so many runs, filled when it is first asked for.

        A store of an earlier run of the benchmarks is used again. A task that adds to a store
        names another use, so that readers find as many runs as they asked for.
        """
        folder = self.folder / f"{contestant.module}-{use}-{runs}"
        done = folder.with_suffix(".filled")
        if not done.exists():
            contestant.ask("fill", folder, runs)
            done.touch()
        return folder

    def place(self, contestant: Contestant, task: str) -> Path:
        """Return the folder for what a task of a contestant writes."""
        return self.folder / f"{contestant.module}-{task}"

    def side_by_side(
        self, task: str, counts: Mapping[Contestant, int], *, stored: bool = False
    ) -> dict[str, Answers]:
        """Ask all to do a task, in turn; with `stored`, on a store of `count` runs that is made for it."""
        contestants = {who.title: who for who in counts}

        def ask(title: str) -> Answer:
            who, count = contestants[title], counts[contestants[title]]
            return who.ask(task, self.store(who, count) if stored else self.place(who, task), count)

        return in_turn(self.rounds, contestants, ask)

    def alone(self, who: Contestant, task: str, folder: Path, count: int = 1) -> Answers:
        """Ask one contestant to do a task in a folder."""
        return in_turn(self.rounds, [who.title], lambda _: who.ask(task, folder, count))[who.title]
