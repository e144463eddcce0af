"""The tables that are known by their file's name, and how each is read.

All are public: from the UCI Machine Learning Repository, and California housing from StatLib. The folder that holds them is
given on the command line; a table that is not there is skipped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ADULT = "adult"


@dataclass(frozen=True)
class Entry:
    """A table and the overrides that make it a data set; `files` are those that must be there."""

    name: str
    files: tuple[str, ...]
    overrides: tuple[str, ...]

    @classmethod
    def of(cls, name: str, file: str, target: str, *more: str) -> "Entry":
        """Return an entry of one file."""
        return cls(name, (file,), ("data=csv", f"data.target='{target}'", *more))

    def located(self, folder: Path) -> list[str]:
        """Return the overrides with the path of the data."""
        path = folder if self.name == ADULT else folder / self.files[0]
        return [*self.overrides, f"data.path='{path}'"]


KNOWN = (
    Entry.of("heart", "heart_disease.csv", "target"),
    Entry.of("cleveland", "processed.cleveland.data", "classe"),
    Entry.of("wisconsin", "wisc_bc_data.csv", "diagnosis"),
    Entry.of("german credit", "credit_german.csv", "class"),
    Entry.of("red wine, classes", "winequality-red.csv", "column_12"),
    Entry.of("red wine, number", "winequality-red.csv", "column_12", "task=regression"),
    Entry.of("spambase", "spambase.csv", "58"),
    Entry.of("mushrooms", "mushrooms.csv", "type"),
    Entry.of("seoul bikes", "SeoulBikeData.csv", "Rented Bike Count"),
    Entry.of(
        "air quality",
        "air_quality.csv",
        "C6H6(GT)",
        "data.missing_values=['-200']",
        "data.missing_target=skip",
    ),
    Entry.of("online shoppers", "online_shoppers.csv", "Revenue"),
    Entry.of("california housing", "california_housing.csv", "median_house_value"),
    Entry.of("credit default", "credit_default.csv", "default.payment.next.month"),
    Entry.of("bank marketing", "bank-full.parquet", "y"),
    Entry(ADULT, ("adult.data", "adult.test"), ("data=adult",)),
)


def found(
    folders: Sequence[Path], only: Sequence[str], others: Sequence[str]
) -> Iterator[tuple[Entry, Path]]:
    """Yield the tables that are there, each with its folder; `others` are further ones, as FILE=TARGET."""
    more = [_given(each) for each in others]
    for entry in (*KNOWN, *more):
        if only and entry.name not in only and entry not in more:
            continue
        home = next((each for each in folders if all((each / file).exists() for file in entry.files)), None)
        if home is None:
            print(f"{entry.name}: skipped, {entry.files[0]} is in none of the folders", flush=True)
        else:
            yield entry, home


def _given(text: str) -> Entry:
    file, separator, target = text.partition("=")
    if not separator:
        raise SystemExit(f"--also {text}: give the file and its target, as FILE=COLUMN")
    return Entry.of(Path(file).stem, file, target)
