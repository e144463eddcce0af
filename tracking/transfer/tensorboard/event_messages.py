"""Events of TensorBoard: what a reader takes from them, and those that a writer of ours makes.

The messages are those of tensorboard/compat/proto: event.proto, summary.proto, tensor.proto and
tensorboard/plugins/hparams/plugin_data.proto. Field numbers stand beside each name.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tracking.transfer.protobuf import (
    BYTES,
    VARINT,
    Field,
    bytes_field,
    double_field,
    fields,
    float_field,
    read_varint,
    whole_field,
)
from tracking.values.floats import short_float

WALL_TIME, STEP, FILE_VERSION, GRAPH, SUMMARY, META_GRAPH = 1, 2, 3, 4, 5, 9  # of Event
TAG, SIMPLE_VALUE, OLD_HISTOGRAM, IMAGE, HISTOGRAM, AUDIO, TENSOR, METADATA = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
)  # of Summary.Value
DTYPE, SHAPE, CONTENT, HALVES = 1, 2, 4, 13  # of TensorProto
SESSION_START, HPARAMS = 3, 1  # of HParamsPluginData and of its SessionStartInfo
HPARAMS_PLUGIN = "hparams"
HPARAMS_TAG = "_hparams_/session_start_info"
VERSION = "brain.Event:2"  # the first event of every file

# The element types of tensors that hold numbers: how one is packed in `tensor_content`.
_PACKED = {
    1: "<f",
    2: "<d",
    3: "<i",
    4: "<B",
    5: "<h",
    6: "<b",
    9: "<q",
    10: "<?",
    17: "<H",
    19: "<e",
    22: "<I",
    23: "<Q",
}
_BRAIN_FLOAT, _HALF, _FLOAT = 14, 19, 1
_WALL_TIME_KEY, _STEP_KEY, _SIMPLE_VALUE_KEY = 0x09, 0x10, 0x15  # number and wire type of a field
_SHORTEST = 20  # bytes of a time and a scalar without a name
_DOUBLE, _FLOAT32 = struct.Struct("<d"), struct.Struct("<f")
# The fields that hold elements one by one: floats, doubles, whole numbers of all kinds.
_FLOATS, _DOUBLES, _WHOLES = 5, 6, {7, 10, 11, 16, 17}
_KINDS = {OLD_HISTOGRAM: "histograms", IMAGE: "images", HISTOGRAM: "histograms", AUDIO: "audio"}
_KINDS_OF_PLUGINS = {
    "histograms": "histograms",
    "images": "images",
    "audio": "audio",
    "text": "texts",
    "pr_curves": "curves",
}


@dataclass
class Event:
    """What one event says: scalars by tag, hyper-parameters, and the kinds of whatever else it holds."""

    wall_time: float = 0.0
    step: int = 0
    scalars: list[tuple[str, float]] = field(default_factory=list)
    hparams: dict[str, Any] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)


def decode_event(data: bytes) -> Event:
    """Return what an event says; raise ValueError for bytes that are none."""
    return _one_scalar(data) or decode_any(data)


def _one_scalar(data: bytes) -> Event | None:
    """Return an event of one scalar as nearly all writers make it; None for any other, which takes ten times as long."""
    size = len(data)
    if not _SHORTEST <= size < 128 or data[0] != _WALL_TIME_KEY:
        return None
    step, at = read_varint(data, 10) if data[9] == _STEP_KEY else (0, 9)
    # summary, its length, value, its length, tag, its length; the tag; the number
    if at + 11 > size or step >= 1 << 63:
        return None
    expected = (0x2A, size - at - 2, 0x0A, size - at - 4, 0x0A, size - at - 11)
    if tuple(data[at : at + 6]) != expected or data[size - 5] != _SIMPLE_VALUE_KEY:
        return None
    (wall_time,), (value,) = _DOUBLE.unpack_from(data, 1), _FLOAT32.unpack_from(data, size - 4)
    return Event(wall_time, step, [(data[at + 6 : size - 5].decode(), short_float(value))])


def decode_any(data: bytes) -> Event:
    """Return what an event says, whatever the order of its fields."""
    found = Event()
    for each in fields(data):
        if each.number == WALL_TIME:
            found.wall_time = each.real
        elif each.number == STEP:
            found.step = each.whole
        elif each.number == SUMMARY:
            for value in fields(each.data):
                if value.number == 1:
                    _add_value(found, value.data)
        elif each.number in (GRAPH, META_GRAPH):
            found.others.add("graphs")
    return found


def _add_value(found: Event, data: bytes) -> None:
    tag, plugin, content, number = "", "", b"", None
    kinds = set()
    for each in fields(data):
        if each.number == TAG:
            tag = each.text
        elif each.number == SIMPLE_VALUE:
            number = short_float(each.real)
        elif each.number == TENSOR:
            number = _scalar(each.data)
            kinds |= {"tensors"} if number is None else set()
        elif each.number == METADATA:
            plugin, content = _plugin(each.data)
        elif each.number in _KINDS:
            kinds.add(_KINDS[each.number])
    if plugin == HPARAMS_PLUGIN:
        found.hparams |= _hparams(content)
    elif number is not None:
        found.scalars.append((tag, number))
    elif kinds:
        found.others |= {_KINDS_OF_PLUGINS.get(plugin, kind) for kind in kinds}


def _scalar(data: bytes) -> float | None:
    """Return the number of a tensor that has one element and no dimension; None for any other tensor."""
    dtype, elements, content = 0, [], None
    for each in fields(data):
        if each.number == DTYPE:
            dtype = each.whole
        elif each.number == SHAPE and any(part.number == 2 for part in fields(each.data)):
            return None
        elif each.number == CONTENT:
            content = each.data
        elif each.number in (_FLOATS, _DOUBLES, HALVES, *_WHOLES):
            elements += _elements(each)
            if len(elements) > 1:
                return None
    if content is not None and dtype == _BRAIN_FLOAT:
        content, dtype = b"\0\0" + content, _FLOAT  # the upper half of a float
    if content and dtype in _PACKED:
        if len(content) != struct.calcsize(_PACKED[dtype]):
            return None
        elements = [struct.unpack(_PACKED[dtype], content)[0]]
    if not elements or (dtype not in _PACKED and dtype != _BRAIN_FLOAT):
        return None
    number = elements[0]
    if (
        isinstance(number, int) and content is None and dtype in (_HALF, _BRAIN_FLOAT)
    ):  # its bits as a whole number
        bits = number.to_bytes(2, "little") if 0 <= number < 1 << 16 else b"\0\0"
        number = struct.unpack("<e", bits)[0] if dtype == _HALF else struct.unpack("<f", b"\0\0" + bits)[0]
    return short_float(number) if isinstance(number, float) and dtype == _FLOAT else float(number)


def _elements(each: Field) -> list[int | float]:
    """Return the elements in a field of a tensor, packed or single."""
    if each.kind == VARINT:
        return [each.whole]
    if each.kind != BYTES:
        return [each.real]
    data = each.data
    if each.number in (_FLOATS, _DOUBLES):
        code, size = ("f", 4) if each.number == _FLOATS else ("d", 8)
        return list(
            struct.unpack(f"<{min(len(data) // size, 2)}{code}", data[: min(len(data) // size, 2) * size])
        )
    found: list[int | float] = []
    at = 0
    while at < len(data) and len(found) < 2:
        number, at = read_varint(data, at)
        found.append(Field(0, VARINT, number).whole)
    return found


def _plugin(metadata: bytes) -> tuple[str, bytes]:
    name, content = "", b""
    for each in fields(metadata):
        if each.number == 1:
            for part in fields(each.data):
                if part.number == 1:
                    name = part.text
                elif part.number == 2:
                    content = part.data
    return name, content


def _hparams(content: bytes) -> dict[str, Any]:
    """Return the hyper-parameters that a session began with; nothing for other messages of that plug-in."""
    found = {}
    for start in fields(content):
        if start.number != SESSION_START:
            continue
        for entry in fields(start.data):
            if entry.number == HPARAMS:
                parts = {each.number: each.data for each in fields(entry.data)}
                found[parts.get(1, b"").decode()] = _value(parts.get(2, b""), 0)
    return found


def _value(data: bytes, depth: int) -> Any:
    """Return a google.protobuf.Value: every number is a float there, so a whole one is an int again."""
    for each in fields(data):
        if each.number == 2:
            return int(each.real) if each.real.is_integer() and abs(each.real) < 1 << 53 else each.real
        if each.number == 3:
            return each.text
        if each.number == 4:
            return bool(each.whole)
        if each.number == 6 and depth < 20:
            return [_value(item.data, depth + 1) for item in fields(each.data) if item.number == 1]
    return None


def version_event(wall_time: float) -> bytes:
    """Return the event that begins a file."""
    return double_field(WALL_TIME, wall_time) + bytes_field(FILE_VERSION, VERSION)


def scalar_event(wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
    """Return an event with scalars of one step, as 32-bit floats."""
    summary = b"".join(
        bytes_field(1, bytes_field(TAG, tag) + float_field(SIMPLE_VALUE, value))
        for tag, value in values.items()
    )
    return double_field(WALL_TIME, wall_time) + whole_field(STEP, step) + bytes_field(SUMMARY, summary)


def hparams_event(wall_time: float, params: Mapping[str, Any]) -> bytes:
    """Return the event that TensorBoard's page of hyper-parameters reads; a value that is no number, boolean or text is text."""
    entries = b"".join(
        bytes_field(HPARAMS, bytes_field(1, name) + bytes_field(2, _encoded(value)))
        for name, value in params.items()
    )
    content = whole_field(1, 0) + bytes_field(SESSION_START, entries + double_field(5, wall_time))
    metadata = bytes_field(1, bytes_field(1, HPARAMS_PLUGIN) + bytes_field(2, content))
    value = bytes_field(TAG, HPARAMS_TAG) + bytes_field(METADATA, metadata)
    return double_field(WALL_TIME, wall_time) + bytes_field(SUMMARY, bytes_field(1, value))


def _encoded(value: Any) -> bytes:
    if isinstance(value, bool):
        return whole_field(4, value)
    if isinstance(value, int | float) and math.isfinite(value):
        return double_field(2, value)
    return bytes_field(3, value if isinstance(value, str) else str(value))
