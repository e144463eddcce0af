"""Protobuf's wire format: what is written is read again, and whatever is cut or odd is an error, never a wrong value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.transfer.protobuf import (
    bytes_field,
    double_field,
    fields,
    float_field,
    read_varint,
    varint,
    whole_field,
)

NUMBERS = st.integers(1, (1 << 29) - 1)
PARTS = st.one_of(
    st.tuples(st.just(whole_field), NUMBERS, st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just(double_field), NUMBERS, st.floats(allow_nan=False)),
    st.tuples(st.just(float_field), NUMBERS, st.floats(width=32, allow_nan=False)),
    st.tuples(st.just(bytes_field), NUMBERS, st.binary(max_size=300)),
)


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=3))
def test_a_number_is_read_as_it_was_written_and_no_byte_further(number: int, after: bytes) -> None:
    assert read_varint(varint(number) + after, 0) == (number, len(varint(number)))


@pytest.mark.parametrize(
    ("number", "data"),
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (300, b"\xac\2"), (-1, b"\xff" * 9 + b"\1")],
)
def test_numbers_have_the_bytes_of_the_specification(number: int, data: bytes) -> None:
    assert varint(number) == data


@given(st.lists(PARTS, max_size=8))
def test_fields_are_read_in_their_order_with_their_values(parts: list[tuple[object, int, object]]) -> None:
    message = b"".join(make(number, value) for make, number, value in parts)  # type: ignore[operator]
    found = list(fields(message))
    assert [each.number for each in found] == [number for _, number, _ in parts]
    for each, (make, _, value) in zip(found, parts, strict=True):
        read = {whole_field: "whole", bytes_field: "data"}.get(make, "real")  # type: ignore[call-overload]
        assert getattr(each, read) == value


@given(st.lists(PARTS, min_size=1, max_size=4), st.data())
def test_a_message_that_is_cut_within_a_field_is_an_error(
    parts: list[tuple[object, int, object]], data: st.DataObject
) -> None:
    pieces = [make(number, value) for make, number, value in parts]  # type: ignore[operator]
    message = b"".join(pieces)
    cut = data.draw(st.integers(0, len(message) - 1))
    borders = {sum(map(len, pieces[:count])) for count in range(len(pieces) + 1)}
    if cut in borders:
        assert len(list(fields(message[:cut]))) < len(parts)
    else:
        with pytest.raises(ValueError, match="cut"):
            list(fields(message[:cut]))


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_a_value_error(data: bytes) -> None:
    try:
        found = list(fields(data))
    except ValueError:
        return
    assert sum(len(varint(each.number << 3)) for each in found) <= len(data)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\0\1", "the number 0"),
        (b"\x0b", "the wire type 3"),
        (b"\x08" + b"\xff" * 10 + b"\1", "more than 64 bits"),
        (b"\x0a\xff\xff\xff\xff\x0f", "is cut: 0 of 4294967295"),
    ],
)
def test_what_no_writer_makes_is_named(data: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        list(fields(data))


def test_a_field_of_another_kind_is_no_value() -> None:
    whole, text = fields(whole_field(1, 5) + bytes_field(2, b"\xff"))
    for name in ("data", "real", "text"):
        with pytest.raises(ValueError, match="field 1"):
            getattr(whole, name)
    with pytest.raises(ValueError, match="field 2"):
        _ = text.whole
    with pytest.raises(UnicodeDecodeError):
        _ = text.text


def test_a_float_beyond_32_bits_becomes_an_infinity() -> None:
    assert [each.real for each in fields(float_field(1, 1e300) + float_field(1, -1e300))] == [
        math.inf,
        -math.inf,
    ]
