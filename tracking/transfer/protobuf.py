"""Protobuf messages, field by field, without a schema and without the protobuf library.

The wire format is that of https://protobuf.dev/programming-guides/encoding. A reader asks for the fields that it knows by
their numbers, and passes over all others.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT = 1 << 64

_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


class Field(NamedTuple):
    """One field: its number, its wire type, and a whole number (VARINT) or the bytes of anything else."""

    number: int
    kind: int
    value: int | bytes

    @property
    def data(self) -> bytes:
        """The bytes of a message, a text or a packed list; raise ValueError for a number."""
        if self.kind != BYTES or not isinstance(self.value, bytes):
            raise ValueError(f"field {self.number} is a number, where bytes belong")
        return self.value

    @property
    def text(self) -> str:
        """The text; raise ValueError for one that is no UTF-8."""
        return self.data.decode()

    @property
    def real(self) -> float:
        """The number of a float or a double; raise ValueError for any other field."""
        if isinstance(self.value, bytes) and self.kind in (FIXED32, FIXED64):
            number: float = (_FLOAT if self.kind == FIXED32 else _DOUBLE).unpack(self.value)[0]
            return number
        raise ValueError(f"field {self.number} is no float")

    @property
    def whole(self) -> int:
        """The signed 64-bit number; raise ValueError for any other field."""
        if not isinstance(self.value, int):
            raise ValueError(f"field {self.number} is no whole number")
        return self.value - MAX_VARINT if self.value >= MAX_VARINT >> 1 else self.value


def fields(data: bytes) -> Iterator[Field]:
    """Yield the fields of a message in their order; raise ValueError where it is cut or no message."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]  # of one byte, as nearly all are
        key, at = (key, at + 1) if key < 128 else read_varint(data, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise ValueError("a field has the number 0")
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield Field(number, kind, value)
            continue
        if kind == BYTES:
            size, at = read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"field {number} has the wire type {kind}, which no current writer makes")
        if size > end - at:
            raise ValueError(f"field {number} is cut: {end - at} of {size} bytes")
        yield Field(number, kind, data[at : at + size])
        at += size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a position, and the position after it; raise ValueError where it is cut."""
    result = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            if result >= MAX_VARINT:
                break
            return result, at
        shift += 7
        if shift > 63:
            break
    else:
        raise ValueError("a number is cut")
    raise ValueError("a number has more than 64 bits")


def varint(number: int) -> bytes:
    """Return a whole number of at most 64 bits, a negative one as its complement."""
    number %= MAX_VARINT
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def whole_field(number: int, value: int) -> bytes:
    """Return a field with a whole number."""
    return varint(number << 3 | VARINT) + varint(value)


def float_field(number: int, value: float) -> bytes:
    """Return a field with a 32-bit float; one beyond its range becomes an infinity."""
    try:
        data = _FLOAT.pack(value)
    except OverflowError:
        data = _FLOAT.pack(float("inf") if value > 0 else float("-inf"))
    return varint(number << 3 | FIXED32) + data


def double_field(number: int, value: float) -> bytes:
    """Return a field with a 64-bit float."""
    return varint(number << 3 | FIXED64) + _DOUBLE.pack(value)


def bytes_field(number: int, value: bytes | str) -> bytes:
    """Return a field with bytes, a text or a message."""
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data
