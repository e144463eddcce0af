"""Text that looks like numbers or times is told where it becomes many categories, or is left out; codes are not."""

from pathlib import Path

import numpy as np
import pytest

from trainer.data.inspection import Columns
from trainer.data.reading.doubts import doubt

ROWS = range(120)
DAYS = [f"2020-{1 + row % 12:02}-{1 + row % 28:02}" for row in ROWS]

ALIKE = {
    "half ISO, half day first": [
        day if row % 2 else "/".join(day.split("-")[::-1]) for row, day in enumerate(DAYS)
    ],
    "days of years": [f"2021-{1 + row:03}" for row in ROWS],
    "months of no language we read": [f"{1 + row % 28} styczeń {1900 + row}" for row in ROWS],
    "zones": [f"{day} 10:30 WAT" for day in DAYS],
    "limits": [f"{'<' if row % 2 else '>'}{row}.5" for row in ROWS],
    "with an error": [f"{row}.5 ± 0.{row}" for row in ROWS],
    "feet": [f"{4 + row % 3}'{row}\"" for row in ROWS],
    "digits of other scripts": [
        str(row).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")) for row in ROWS
    ],
    "months and years": [f"P{row}Y{row % 12}M" for row in ROWS],
}
SEVERAL = {
    "coordinates": [f"37.{row:03},43.{row:03}" for row in ROWS],
    "in brackets": [f"[{row}, {2 * row}]" for row in ROWS],
    "blood pressure": [f"{100 + row}/{60 + row % 40}" for row in ROWS],
    "sizes": [f"{row}x{2 * row}" for row in ROWS],
}
HONEST = {
    "postal codes": [f"{10000 + row}-{row:04}" for row in ROWS],
    "tickets": [f"PC {row}" for row in ROWS],
    "cabins": [f"C{row}" for row in ROWS],
    "addresses of computers": [f"10.{row}.{row}.{row}" for row in ROWS],
    "with a port": [f"10.0.0.{row}:80{row:02}" for row in ROWS],
    "telephones": [f"+1-555-{row:04}" for row in ROWS],
    "hashes": [f"{2654435761 * (row + 7) % 2**32:08x}" for row in ROWS],
    "articles": [f"{row:03}-{row:04}" for row in ROWS],
    "versions": [f"1.{row}.{row % 7}" for row in ROWS],
    "seats": [f"{row}{'ABC'[row % 3]}" for row in ROWS],
    "films": [f"Film {row} ({1950 + row % 70})" for row in ROWS],
    "streets": [f"{row} Main St" for row in ROWS],
    "few different": [f"{row % 40}/{row % 40}" for row in ROWS],
    "many rows of each": [f"{row % 60}x{row % 60}" for row in range(400)],
}  # fmt: skip


@pytest.mark.parametrize("values", ALIKE.values(), ids=ALIKE.keys())
def test_what_looks_like_numbers_or_times_is_told(values: list[str]) -> None:
    found = doubt(np.array(values, object))
    assert found is not None
    assert "look like numbers or times" in found.told
    assert values[0] in found.others


@pytest.mark.parametrize("values", SEVERAL.values(), ids=SEVERAL.keys())
def test_several_numbers_in_a_cell_are_told(values: list[str]) -> None:
    found = doubt(np.array(values, object))
    assert found is not None
    assert "hold several numbers" in found.told
    assert "a column of its own" in found.way


@pytest.mark.parametrize("values", HONEST.values(), ids=HONEST.keys())
def test_codes_are_no_news(values: list[str]) -> None:
    assert doubt(np.array(values, object)) is None


def test_one_warning_tells_what_became_of_the_column_and_the_ways_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = zip(ALIKE["half ISO, half day first"], SEVERAL["coordinates"], strict=True)
    path.write_text("day;place;n\n" + "".join(f"{day};{place};{len(day)}\n" for day, place in rows))
    warnings = Columns.of({"path": str(path), "cache": "never"}).profile.warnings
    assert len(warnings) == 2
    assert "column 'day' is taken as 84 categories, but its values look like numbers or times" in warnings[0]
    assert "data.drop=[day]" in warnings[0]
    assert "data.categorical=[day] to keep it so" in warnings[0]
    assert (
        "column 'place' is text that is different in each row, so it is left out, but its values hold"
        in warnings[1]
    )
    assert "data.categorical=[place]" in warnings[1]
    kept = Columns.of({"path": str(path), "categorical": ["day", "place"]}).profile.warnings
    assert kept == []
    assert Columns.of({"path": str(path), "cache": "always"}).profile.warnings == warnings
