"""The figures as data, as text and as Markdown."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number: the best and the median of the rounds, in `unit`, lower being better.

    Without a value, `note` says why. `target` is what podium promises.
    """

    case: str
    who: str
    unit: str
    best: float | None = None
    median: float | None = None
    target: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the best round keeps the target."""
        if self.target is None:
            return ""
        return "ok" if self.best is not None and self.best <= self.target else "over"


@dataclass(frozen=True)
class Chapter:
    """The figures of one benchmark, with what was done."""

    name: str
    title: str
    figures: tuple[Figure, ...]

    def ratio(self, figure: Figure) -> float | None:
        """Return how many times podium's figure of the same case this one is; None for podium's own."""
        asked = (figure.case, "podium", figure.unit)
        own = next((each for each in self.figures if (each.case, each.who, each.unit) == asked), None)
        if own is None or own is figure or not own.best or figure.best is None:
            return None
        return figure.best / own.best

    def data(self) -> dict[str, Any]:
        """Return the chapter as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Chapter":
        """Return the chapter that `data` was made of."""
        return cls(**{**data, "figures": tuple(Figure(**figure) for figure in data["figures"])})


def figure(
    case: str, who: str, unit: str, rounds: Sequence[float], *, target: float | None = None, note: str = ""
) -> Figure:
    """Return the figure of some rounds."""
    return Figure(case, who, unit, min(rounds), statistics.median(rounds), target, note)


COLUMNS = ("what", "who", "best", "median", "unit", "target", "", "x podium", "note")


def rows(chapter: Chapter) -> list[list[str]]:
    """Return the chapter as rows of text, under COLUMNS."""
    return [
        [
            each.case,
            each.who,
            number(each.best),
            number(each.median),
            each.unit,
            f"<= {number(each.target)}" if each.target is not None else "",
            each.verdict,
            number(chapter.ratio(each)),
            each.note,
        ]
        for each in chapter.figures
    ]


def number(value: float | None) -> str:
    """Return a number with three significant digits."""
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def as_text(chapter: Chapter) -> str:
    """Return the chapter for a terminal."""
    lines = [list(COLUMNS), *rows(chapter)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    shown = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([f"{chapter.name}: {chapter.title}", *("  " + line.rstrip() for line in shown)])


def as_markdown(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table of a Markdown page."""
    table = [columns, ["---"] * len(columns), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)
