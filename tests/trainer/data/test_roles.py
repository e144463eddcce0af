"""The role of each column is found from its values and said, and a key overrules it."""

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from trainer.data.profile import Profile
from trainer.data.reading.reader import Options, Reader
from trainer.data.roles import ColumnRole, Given, Role, find, override
from trainer.errors import DataError

ROWS = 60
COLUMNS: dict[str, list[Any]] = {
    "RowNumber": [*range(ROWS)],
    "customer_id": [(row * 37) % 1009 + 10**6 for row in range(ROWS)],
    "code": [f"c{row}" for row in range(ROWS)],
    "note": [f"we called about {row} things" for row in range(ROWS)],
    "age": [20 + row * 7 % 23 for row in range(ROWS)],
    "amount": [(row * 37) % 997 for row in range(ROWS)],
    "city": ["Bonn", "Oslo", "Rome"] * 20,
    "day": [f"2024-01-{row % 28 + 1:02}" for row in range(ROWS)],
    "member": [row % 2 == 0 for row in range(ROWS)],
    "same": ["x"] * ROWS,
    "gap": [None] * ROWS,
    "age again": [20 + row * 7 % 23 for row in range(ROWS)],
    "y copy": [row * 7 % 5 % 2 for row in range(ROWS)],
    "outcome": ["late" if row * 7 % 5 % 2 else "in time" for row in range(ROWS)],
    "y": [row * 7 % 5 % 2 for row in range(ROWS)],
}


def roles(columns: dict[str, list[Any]] = COLUMNS, keep: Any = (), **keys: Any) -> dict[str, ColumnRole]:
    wanted = {"numeric": "number", "categorical": "text", "time": "time"}
    given = {name: wanted[key] for key, names in keys.items() if key in wanted for name in names}
    _, table = Reader.fit(columns, Options(wanted=given))
    given_roles = Given.of([*table], keep=keep, **{"target": ["y"], **keys})
    return {each.name: each for each in find(table, given_roles, target="y")}


def test_the_role_of_a_column_follows_from_its_values() -> None:
    assert {name: each.role.value for name, each in roles().items()} == {
        "RowNumber": "identifier",
        "customer_id": "identifier",
        "code": "identifier",
        "note": "text",
        "age": "numeric",
        "amount": "numeric",
        "city": "categorical",
        "day": "time",
        "member": "categorical",
        "same": "constant",
        "gap": "empty",
        "age again": "duplicate",
        "y copy": "leak",
        "outcome": "categorical",
        "y": "target",
    }


def test_a_column_that_is_left_out_says_how_to_keep_it() -> None:
    found = roles()
    for name, words in {
        "RowNumber": "different in each row, and in order",
        "code": "text that is different in each row",
        "note": "free text",
        "age again": "is a copy of column 'age'",
    }.items():
        (warning,) = found[name].warnings
        assert words in warning
        assert f"{name!r}" in warning
        assert "data.keep=" in warning
    assert "is a copy of the target 'y'" in found["y copy"].warnings[0]
    assert "alone determines the target 'y' in all 60 rows" in found["outcome"].warnings[0]
    assert not found["city"].warnings


def test_a_key_overrules_what_is_found() -> None:
    found = roles(
        keep=["RowNumber", "note"],
        numeric=["customer_id"],
        categorical=["age"],
        drop=["city"],
        text=["outcome"],
    )
    assert found["RowNumber"].role is found["customer_id"].role is Role.NUMERIC
    assert found["note"].role is found["age"].role is Role.CATEGORICAL
    assert found["city"].role is Role.DROPPED
    assert found["outcome"].role is Role.TEXT
    assert found["age"].reason == "data.categorical"


@pytest.mark.parametrize(
    ("values", "keys", "role", "warnings"),
    [
        (
            [*(f"{row % 23}.5" for row in range(ROWS - 1)), "oops"],
            {},
            "categorical",
            [
                "column 'v' is taken as categories: 59 of 60 values are numbers, but row 60 holds 'oops'; set "
                "data.missing_values=[oops] to have it read as numbers, or data.categorical=[v] to keep it so"
            ],
        ),
        (
            ["n. d.", *(f"{row}.5" for row in range(ROWS - 1))],
            {},
            "identifier",
            [
                "column 'v' is taken as identifier: 59 of 60 values are numbers, but row 1 holds 'n. d.'; set "
                "\"data.missing_values=['n. d.']\" to have it read as numbers, or data.categorical=[v] to have it as categories"
            ],
        ),
        (
            ["a", "b", "c", "d", *(f"{row % 9}.5" for row in range(ROWS - 4))],
            {"keep": ["v"]},
            "categorical",
            [
                "column 'v' is taken as categories: 56 of 60 values are numbers, but row 1 holds 'a', and 3 more hold such "
                "values (4 differ); name them in data.missing_values to have it read as numbers, or data.categorical=[v] to "
                "keep it so"
            ],
        ),
        (["x", *("12" * (ROWS // 2))[1:]], {}, "categorical", []),
        ([*(f"{row % 23}.5" for row in range(ROWS - 1)), "oops"], {"categorical": ["v"]}, "categorical", []),
        ([*(f"{row % 23}.5" for row in range(ROWS - 1)), "oops"], {"drop": ["v"]}, "dropped", []),
    ],
)  # fmt: skip
def test_a_value_that_keeps_a_column_from_being_numbers_is_told(
    values: list[str], keys: Any, role: str, warnings: list[str]
) -> None:
    found = roles({"v": values, "age": COLUMNS["age"], "y": COLUMNS["y"]}, **keys)["v"]
    assert (found.role.value, [*found.warnings]) == (role, warnings)


def test_a_target_that_one_value_makes_classes_is_told() -> None:
    _, table = Reader.fit({"x": COLUMNS["age"], "y": ["?!", *map(str, COLUMNS["y"][1:])]})
    (warning,) = find(table, Given.of([*table], target="y"), target="y")[1].warnings
    assert "59 of 60 values are numbers, but row 1 holds '?!'; set 'data.missing_values=[\"?!\"]'" in warning


def test_words_that_count_as_missing_are_named_beside_categories() -> None:
    found = roles({"v": ["NA", "EU", "US"] * 20, "w": ["NA", "1", "2"] * 20, "y": COLUMNS["y"]})
    assert (found["v"].reason, found["w"].reason) == ("'NA' counts as missing", "numbers")
    lines = Profile("t.csv", ROWS, tuple(found.values()), {}, "1").text().splitlines()
    assert [line.endswith("'NA' counts as missing") for line in lines[3:5]] == [True, False]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"drop": ["aged"]}, r"data\.drop: there is no column 'aged' \(did you mean 'age'"),
        ({"keep": ["x"]}, r"data\.keep: there is no column 'x'"),
        *(
            ({key: ["AGE"]}, rf"data\.{key}: there is no column 'AGE' \(did you mean 'age'\?\)")
            for key in ("drop", "keep", "numeric", "time", "time_column", "group_column", "weight_column")
        ),
        ({"drop": [" AGEE"]}, r"no column ' AGEE' \(did you mean 'age'"),
        ({"drop": ["y"]}, r"column 'y' is named in both data\.target and data\.drop; name it once"),
        ({"drop": ["age"], "numeric": ["age"]}, "'age' is named in both"),
    ],
)
def test_a_name_that_is_no_column_is_refused(keys: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        roles(**keys)


def test_text_is_used_when_no_other_column_is_left() -> None:
    found = roles({"note": COLUMNS["note"], "id": COLUMNS["RowNumber"], "y": COLUMNS["y"]})
    assert found["note"].role is Role.CATEGORICAL
    assert "is used, because no other column is left" in found["note"].warnings[0]
    assert found["id"].role is Role.IDENTIFIER
    with pytest.raises(
        DataError, match=r"no feature column is left beside target 'y'; columns: same \(constant\), y"
    ):
        roles({"same": COLUMNS["same"], "y": COLUMNS["y"]})


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("year", range(1960, 1960 + ROWS), "numeric"),
        ("season", range(1960 + ROWS, 1960, -1), "numeric"),
        ("temp", range(-20, ROWS - 20), "numeric"),
        ("degrees", range(1, ROWS + 1), "numeric"),
        ("t_minutes", range(ROWS), "numeric"),
        ("reading", range(0, 5 * ROWS, 5), "numeric"),
        ("epoch", [1672531200 + 3600 * row for row in range(ROWS)], "numeric"),
        ("sorted", [row * row for row in range(ROWS)], "numeric"),
        ("span", [timedelta(hours=row) for row in range(ROWS)], "numeric"),
        ("month", pd.period_range("2020-01", periods=ROWS, freq="M"), "time"),
        ("n", range(ROWS), "identifier"),
        ("case", range(ROWS, 0, -1), "identifier"),
        ("order", range(100_001, 100_001 + ROWS), "identifier"),
        ("year_id", range(1960, 1960 + ROWS), "identifier"),
        ("visit_id", [row * row for row in range(ROWS)], "identifier"),
        ("column_1", range(5, 5 * ROWS + 5, 5), "identifier"),
    ],
)
def test_numbers_in_order_are_identifiers_if_they_number_the_rows(name: str, values: Any, role: str) -> None:
    found = roles({name: [*values], "x": COLUMNS["age"], "y": COLUMNS["y"]})[name]
    assert found.role.value == role
    assert bool([each for each in found.warnings if "data.keep" in each]) == (role == "identifier")


def test_numbers_that_nearly_all_are_dates_are_told_with_the_ways_out() -> None:
    days = [*(20230101 + row % 28 for row in range(ROWS - 1)), 20230100]
    (warning,) = roles({"day": days, "y": COLUMNS["y"]})["day"].warnings
    assert warning == (
        "column 'day' is taken as numbers: 59 of 60 values are dates written as numbers, but row 60 holds '20230100'; set "
        "\"data.missing_values=['20230100']\" to have it read as times, or data.numeric=[day] to keep it so"
    )
    assert not roles({"day": days, "y": COLUMNS["y"]}, numeric=["day"])["day"].warnings


def test_few_rows_tell_no_identifier() -> None:
    found = roles({name: values[:10] for name, values in COLUMNS.items()})
    assert found["RowNumber"].role is Role.NUMERIC
    assert found["code"].role is Role.CATEGORICAL


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("age", "data.drop=[age]"),
        ("y.1", "data.drop=[y.1]"),
        ("Unnamed: 0", "\"data.drop=['Unnamed: 0']\""),
        ("it's", "\"data.drop=['it\\'s']\""),
        ("58", "\"data.drop=['58']\""),
        ("null", "\"data.drop=['null']\""),
        ("a,b", "\"data.drop=['a,b']\""),
    ],
)
def test_an_override_is_quoted_for_the_shell_and_hydra(name: str, shown: str) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    assert override("data.drop", name) == shown
    (parsed,) = OverridesParser.create().parse_overrides([shown.strip('"')])
    assert [str(each) for each in parsed.value()] == [name]  # type: ignore[union-attr]


def test_the_profile_is_a_table_and_json() -> None:
    profile = Profile("t.csv", ROWS, tuple(roles().values()), {"0": 36, "1": 24}, "1", ("a note",))
    lines = profile.text().splitlines()
    assert lines[0] == "t.csv: 60 rows, 15 columns"
    assert lines[1] == "target y, binary: 0 36, 1 24 (positive: 1)"
    assert lines[2].split() == ["column", "role", "kind", "missing", "distinct", "why"]
    assert next(line for line in lines if line.startswith("gap")).split()[:5] == [
        "gap",
        "empty",
        "text",
        "100.0%",
        "0",
    ]
    assert "numeric age, amount; time day" in profile.summary()
    assert "left out RowNumber (identifier)" in profile.summary()
    assert profile.warnings[0] == "a note"
    assert profile.to_json()["columns"][0]["role"] == "identifier"
