"""How much is measured, and where: what every benchmark is handed."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.contestants import PODIUM, SETUP, Contestant, DriverError
from benchmarks.figures import Figure, figure

BUDGET_S = 60.0  # for one task of one contestant, in all rounds together


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
        """How often each is asked; the rounds of all are interleaved."""
        return self.pick(1, 5)

    def peers(self, *contestants: Contestant) -> tuple[Contestant, ...]:
        """Return the given peers, unless peers are left out."""
        return contestants if self.with_peers else ()

    def store(self, contestant: Contestant, runs: int, use: str = "read") -> Path:
        """Return the folder of a contestant's store with so many runs, filled when it is first asked for.

        A store that an earlier run of the benchmarks left in the folder is used again. Who adds to it names another
        use, so that readers find as many runs as they asked for.
        """
        folder = self.folder / f"{contestant.module}-{use}-{runs}"
        done = folder.with_suffix(".filled")
        if not done.exists():
            contestant.ask("fill", folder, runs)
            done.touch()
        return folder

    def place(self, contestant: Contestant) -> Path:
        """Return a folder of the contestant's own for what it writes."""
        return self.folder / f"{contestant.module}-written"

    def side_by_side(
        self, task: str, work: Sequence[tuple[Contestant, Path | None, int]]
    ) -> Iterator[tuple[Contestant, list[dict[str, Any]] | str]]:
        """Ask everybody in turn, round by round; the answers of each, or why there are none.

        Who has used up BUDGET_S leaves the other rounds to the others. Without a folder a contestant works on a store of `count` runs, made for it.
        """
        answers: dict[Contestant, list[dict[str, Any]]] = {who: [] for who, _, _ in work}
        trouble: dict[Contestant, str] = {
            who: f"skipped: not installed ({SETUP})" for who, _, _ in work if not who.is_installed
        }
        spent_s = dict.fromkeys(answers, 0.0)
        for _ in range(self.rounds):
            for who, folder, count in work:
                if who in trouble or spent_s[who] > BUDGET_S:
                    continue
                try:
                    place = folder or self.store(who, count)
                    started = time.monotonic()
                    answers[who].append(who.ask(task, place, count))
                    spent_s[who] += time.monotonic() - started
                except DriverError as error:
                    trouble[who] = f"failed: {error}"
        for who, _, _ in work:
            yield who, trouble.get(who) or answers[who]


def figures_of(
    who: Contestant,
    answers: Sequence[Mapping[str, Any]] | str,
    keys: Mapping[str, str],
    *,
    targets: Mapping[str, float] | None = None,
    note: str = "",
) -> Iterator[Figure]:
    """Return a figure per key of the answers; `keys` gives each its case, and the key's end its unit. Targets are podium's."""
    for key, case in keys.items():
        unit = key.partition("_")[0] if key.startswith("us_") else key.rpartition("_")[2]
        if isinstance(answers, str):
            yield Figure(case, who.title, unit, note=answers)
            continue
        target = (targets or {}).get(key) if who is PODIUM else None
        yield figure(case, who.title, unit, [answer[key] for answer in answers], target=target, note=note)
