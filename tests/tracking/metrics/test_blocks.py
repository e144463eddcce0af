"""Lines that are taken apart as text give the same points as lines that are parsed one by one."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.metrics import blocks, metrics_json
from tracking.metrics.blocks import UNIFORM_LINES, Block, block_of, blocks_of, parse_blocks, parse_calls
from tracking.metrics.line import Line
from tracking.metrics.metrics_json import MetricsText, text_of

STEPS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats())
NAMES = st.lists(
    st.sampled_from(["a", "step", "b,c", "x:y", "{", "}}", 'q"', "é", "\\"]), min_size=1, unique=True
)


@st.composite
def uniform_lines(draw: st.DrawFn) -> list[bytes]:
    """Lines of log calls with the same names, enough to be taken apart as text."""
    names, count = draw(NAMES), draw(st.integers(UNIFORM_LINES - 1, UNIFORM_LINES + 3))
    return [
        Line(
            draw(STEPS), f"2024-11-15T10:30:{index:02d}+01:00", {name: draw(VALUES) for name in names}
        ).encode()
        for index in range(count)
    ]


def points(found: list[Block]) -> dict[str, list[tuple[str, str, str]]]:
    told: dict[str, list[tuple[str, str, str]]] = {}
    for block in found:
        for name, values in block.values.items():
            rows = zip(block.steps, block.stamps, values, strict=True)
            told.setdefault(name, []).extend((repr(step), stamp, repr(value)) for step, stamp, value in rows)
    return told


def text(found: list[Block]) -> bytes:
    made = MetricsText()
    for block in found:
        made.add(block)
    return b"".join(made.pieces())


def in_turn(lines: bytes) -> list[Block]:
    return blocks_of(parse_calls(lines, Path("metrics.jsonl"), []))


@settings(deadline=None)
@given(uniform_lines())
def test_uniform_lines_give_the_points_and_the_text_of_single_lines(lines: list[bytes]) -> None:
    whole = b"".join(lines)
    found, each = parse_blocks(whole, Path("metrics.jsonl"), []), in_turn(whole)
    assert points(found) == points(each)
    assert text(found) == text(each)


@settings(deadline=None)
@given(
    uniform_lines(),
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from([b"", b'"', b",", b":", b"}", b"{", b"\x00", b"1", b"\n", b'"a":1,', b"}}\n"]),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_damaged_lines_give_no_other_points_than_single_lines(
    lines: list[bytes], damage: list[tuple[float, bytes, bool]]
) -> None:
    whole = b"".join(lines)
    for share, piece, replaces in damage:
        at = int(share * (len(whole) - 1))
        whole = whole[:at] + piece + whole[at + replaces :]
    whole = whole[: whole.rfind(b"\n") + 1]
    if whole:
        assert points(parse_blocks(whole, Path("metrics.jsonl"), [])) == points(in_turn(whole))


def test_the_usual_lines_of_a_run_are_taken_apart_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("lines were parsed one by one")

    monkeypatch.setattr(blocks, "parse_calls", refuse)
    lines = [
        Line(step, "2024-11-15T10:30:00+01:00", {"loss": 1 / (step + 1), "val/auc": 0.5}).encode()
        for step in range(UNIFORM_LINES)
    ]
    (found,) = parse_blocks(b"".join(lines), Path("metrics.jsonl"))
    assert found.steps == list(range(UNIFORM_LINES))
    assert found.values["loss"] == [1 / (step + 1) for step in range(UNIFORM_LINES)]


@given(st.dictionaries(st.sampled_from("ab"), st.lists(st.tuples(STEPS, VALUES), min_size=1)))
def test_a_history_that_is_encoded_part_by_part_has_the_text_of_the_whole(
    history: dict[str, list[tuple[float | None, float]]],
) -> None:
    whole = {
        name: [
            {"step": step, "value": value, "timestamp": f"at {place}"}
            for place, (step, value) in enumerate(rows)
        ]
        for name, rows in history.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics_json, "BLOCK_POINTS", 3)
        parts = b"".join(text_of(whole).pieces())
    assert parts == text([block_of(name, rows) for name, rows in whole.items()])
