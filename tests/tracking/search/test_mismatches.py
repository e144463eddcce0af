"""A comparison that no run can pass, because its constant is of another type than all values, is explained."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking import ExperimentTracker
from tracking.browse.reader import StoreReader
from tracking.cli.app import main
from tracking.search.query import Field, FieldKind, mismatches, parse_query

LR = Field(FieldKind.PARAM, "lr")
NAME = Field(FieldKind.PARAM, "name")
KNOWN = {LR: [0.1, 1, None], NAME: ["adam", "7", "sgd"]}
ALL = "params.lr is a number in all 2 runs that have it; "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.lr < 'a'", [f"{ALL}'a' is text"]),
        ("'a' > params.lr", [f"{ALL}'a' is text"]),
        ("params.lr == '0.1'", [f"{ALL}'0.1' is text, so write 0.1"]),
        ("params.lr in ['a', 'b']", [f"{ALL}no item of ['a', 'b'] is"]),
        ("params.lr < True", [f"{ALL}True is true or false"]),
        ("params.name == 7", ["params.name is text in all 3 runs; 7 is a number, so write '7'"]),
        ("params.name >= 1 and (params.lr < 1 or not params.lr < 'x')",
         ["params.name is text in all 3 runs; 1 is a number, so write '1'", f"{ALL}'x' is text"]),
        ("params.lr < 1 and params.name == 'adam'", []),
        ("params.lr == True", []),  # 1 is
        ("params.lr != 'a'", []),  # which all runs pass
        ("params.lr in ['a', 0.1] or params.lr is None or params.lr == None", []),
        ("params.other < 'a'", []),
    ],
)  # fmt: skip
def test_what_no_value_can_be_compared_with_is_named(text: str, expected: list[str]) -> None:
    assert mismatches(parse_query(text).root, KNOWN) == expected


def test_a_field_with_values_of_several_types_is_left_alone() -> None:
    assert mismatches(parse_query("params.lr < 'a'").root, {LR: [0.1, "auto"]}) == []


VALUES = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.text("a1", max_size=2)


@given(
    st.lists(VALUES, max_size=6),
    st.sampled_from(["<", "<=", ">", ">=", "=="]),
    st.sampled_from(["'a'", "'1'", "1", "0.5", "True", "['a', 1]"]),
    st.booleans(),
)
def test_no_run_passes_a_comparison_that_is_named(
    values: list[Any], sign: str, constant: str, is_mirrored: bool
) -> None:
    query = parse_query(f"{constant} {sign} params.lr" if is_mirrored else f"params.lr {sign} {constant}")
    if mismatches(query.root, {LR: values}):
        assert query.passing({LR: values}, len(values)) == []


@pytest.fixture
def store(tracker: ExperimentTracker) -> ExperimentTracker:
    for lr in (0.1, 0.2):
        with tracker.start_run("ctr_model", params={"lr": lr}) as run:
            run.log({"auc": 0.5})
    return tracker


@pytest.mark.parametrize("by_seeds", [False, True])
def test_the_table_of_a_page_says_why_it_is_empty(
    store: ExperimentTracker, base: Any, by_seeds: bool
) -> None:
    reader = StoreReader(base)
    table = reader.table(text="lr < 'a'", by_seeds=by_seeds)
    assert (table["matching"], table["warnings"]) == (0, ["params.lr is a number in all 2 runs; 'a' is text"])
    reader.close()


def test_search_says_on_stderr_what_no_run_can_pass(
    store: ExperimentTracker, base: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "auc > 'a'", "--store", str(base)]) == 0
    said = capsys.readouterr()
    assert "metrics.auc is a number in all 2 runs; 'a' is text" in said.err
    assert "No run" in said.out
    assert main(["compare", "ctr_model", "--filter", "lr == '0.1'", "--store", str(base)]) == 1
    assert (
        "passes the filter; params.lr is a number in all 2 runs; '0.1' is text, so write 0.1"
        in capsys.readouterr().err
    )
