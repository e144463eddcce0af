"""Event files: frames with their checksums, and the events in them, as TensorBoard's own files have them."""

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.errors import CorruptFileError
from tracking.transfer.protobuf import bytes_field, double_field, float_field, varint, whole_field
from tracking.transfer.tensorboard.event_messages import (
    decode_any,
    decode_event,
    hparams_event,
    scalar_event,
    version_event,
)
from tracking.transfer.tensorboard.frames import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    FrameReader,
    crc32c,
    framed,
    masked,
)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),  # the check value of the catalogue of CRCs
        (b"\0" * 32, 0x8A9136AA),  # RFC 3720, appendix B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums_are_those_of_the_standards(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum
    assert masked(checksum) != checksum


def read(path: Path) -> tuple[list[bytes], list[str]]:
    records = list(FrameReader(path).read())
    return [each.data for each in records if not each.fault], [each.fault for each in records if each.fault]


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_frames_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("frames") / "events"
    path.write_bytes(b"".join(map(framed, records)))
    assert read(path) == (records, [])


def test_a_file_that_is_cut_at_any_byte_has_its_whole_frames_and_goes_on_when_the_rest_arrives(
    tmp_path: Path,
) -> None:
    records = [b"one", b"", b"three" * 5]
    frames = list(map(framed, records))
    whole, path = b"".join(frames), tmp_path / "events"
    ends = [sum(map(len, frames[:count])) for count in range(1, 4)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        reader = FrameReader(path)
        first = [each.data for each in reader.read()]
        assert first == records[: sum(end <= cut for end in ends)]
        with path.open("ab") as file:
            file.write(whole[cut:])
        assert first + [each.data for each in reader.read()] == records
        assert list(reader.read()) == []


def test_a_changed_byte_costs_its_frame_or_what_follows_and_is_named(tmp_path: Path) -> None:
    records = [b"one", b"two", b"three"]
    whole, path = b"".join(map(framed, records)), tmp_path / "events"
    size = len(framed(b"one"))
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found, faults = read(path)
        hit = min(at // size, 2)
        is_header = at - hit * size < HEADER_BYTES
        assert found == (records[:hit] if is_header else records[:hit] + records[hit + 1 :])
        (fault,) = faults
        assert fault == (
            "the checksum of a length is wrong, so the rest cannot be read"
            if is_header
            else "its checksum is wrong"
        )


def test_a_length_beyond_the_file_allocates_nothing_and_waits(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 62)
    (tmp_path / "events").write_bytes(length + struct.pack("<I", masked(crc32c(length))) + b"x" * 100)
    assert read(tmp_path / "events") == ([], [])


def test_a_file_that_lost_what_was_read_of_it_is_not_read_on(tmp_path: Path) -> None:
    path = tmp_path / "events"
    whole = framed(b"one") + framed(b"two" * 20)
    for other in (b"", whole[:-1], framed(b"one") + framed(b"TWO" * 20), whole[:-1] + b"x" + whole):
        path.write_bytes(whole)
        reader = FrameReader(path)
        assert not reader.has_begun
        assert len(list(reader.read())) == 2
        assert reader.has_begun
        path.write_bytes(other)
        with pytest.raises(CorruptFileError, match="written anew"):
            list(reader.read())
        path.write_bytes(whole + framed(b"three"))
        assert [each.data for each in reader.read()] == [b"three"]


def test_a_file_whose_lost_rest_is_mended_is_known_as_another(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(framed(b"one") + bytes(40))  # a block that has not arrived yet
    reader = FrameReader(path)
    assert [bool(each.fault) for each in reader.read()] == [False, True]
    assert list(reader.read()) == []
    path.write_bytes(framed(b"one") + framed(b"two" * 8))
    with pytest.raises(CorruptFileError, match="written anew"):
        list(reader.read())


def test_a_huge_record_is_passed_over_and_known(tmp_path: Path) -> None:
    path = tmp_path / "events"
    length = struct.pack("<Q", MAX_FRAME_BYTES + 1)
    with path.open("wb") as file:
        file.write(framed(b"one") + length + struct.pack("<I", masked(crc32c(length))))
        file.seek(MAX_FRAME_BYTES + 1 + 4, os.SEEK_CUR)
        file.write(framed(b"two"))
    reader = FrameReader(path)
    assert [each.data for each in reader.read()] == [b"one", b"two"]
    assert reader.has_huge
    assert list(reader.read()) == []


NAMES = st.text(min_size=1, max_size=20)
FLOATS = st.floats(width=32)


@given(
    st.floats(0, 4e9),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.dictionaries(NAMES, FLOATS, max_size=4),
)
def test_scalars_are_read_as_they_were_written(wall_time: float, step: int, values: dict[str, float]) -> None:
    event = decode_event(scalar_event(wall_time, step, values))
    assert (event.wall_time, event.step, event.hparams, event.others) == (wall_time, step, {}, set())
    assert [name for name, _ in event.scalars] == list(values)
    for (_, number), value in zip(event.scalars, values.values(), strict=True):
        assert struct.pack("<f", number) == struct.pack("<f", value) or (
            math.isnan(number) and math.isnan(value)
        )


def tensor(dtype: int, *parts: bytes, dims: tuple[int, ...] = ()) -> bytes:
    shape = b"".join(bytes_field(2, whole_field(1, size)) for size in dims)
    return whole_field(1, dtype) + bytes_field(2, shape) + b"".join(parts)


def summary(tag: str, *parts: bytes, plugin: str = "", content: bytes = b"") -> bytes:
    metadata = (
        bytes_field(9, bytes_field(1, bytes_field(1, plugin) + bytes_field(2, content))) if plugin else b""
    )
    return bytes_field(5, bytes_field(1, bytes_field(1, tag) + metadata + b"".join(parts)))


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (tensor(1, bytes_field(4, struct.pack("<f", 0.1))), 0.1),
        (tensor(1, float_field(5, 0.5)), 0.5),
        (tensor(1, bytes_field(5, struct.pack("<f", 0.25))), 0.25),
        (tensor(2, bytes_field(4, struct.pack("<d", 0.1))), 0.1),
        (tensor(2, double_field(6, 0.1)), 0.1),
        (tensor(3, whole_field(7, -5)), -5.0),
        (tensor(9, bytes_field(10, varint(-7))), -7.0),
        (tensor(10, whole_field(11, 1)), 1.0),
        (tensor(19, bytes_field(13, varint(0x3800))), 0.5),  # a half
        (tensor(14, bytes_field(13, varint(0x3F00))), 0.5),  # a brain float
        (tensor(14, bytes_field(4, b"\0\x3f")), 0.5),
        (tensor(1, bytes_field(5, struct.pack("<ff", 1, 2)), dims=(2,)), None),
        (tensor(1, bytes_field(5, struct.pack("<ff", 1, 2))), None),
        (tensor(7, bytes_field(8, "text")), None),
        (tensor(1), None),
        (tensor(1, bytes_field(4, b"\0\0\0")), None),
    ],
)
def test_a_tensor_of_one_number_is_a_scalar_whatever_its_type(given: bytes, number: float | None) -> None:
    event = decode_event(summary("loss", bytes_field(8, given), plugin="scalars"))
    assert event.scalars == ([] if number is None else [("loss", number)])


def test_other_kinds_of_summaries_are_named(tmp_path: Path) -> None:
    text = tensor(7, bytes_field(8, "hi"), dims=(1,))
    data = b"".join(
        [
            summary("h", bytes_field(5, b"")),
            summary("i", bytes_field(4, b"")),
            summary("t", bytes_field(8, text), plugin="text"),
            summary("c", bytes_field(8, text), plugin="unknown"),
            bytes_field(4, b"graph"),
        ]
    )
    assert decode_event(data).others == {"histograms", "images", "texts", "tensors", "graphs"}
    assert decode_event(version_event(1.5)).wall_time == 1.5


@given(
    st.dictionaries(
        NAMES,
        st.one_of(
            st.booleans(),
            st.text(max_size=9),
            st.integers(-(1 << 53), 1 << 53),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
    )
)
def test_hyper_parameters_are_read_as_they_were_written(params: dict[str, object]) -> None:
    found = decode_event(hparams_event(1.0, params)).hparams
    assert found == params
    assert {name: isinstance(value, bool) for name, value in found.items()} == {
        name: isinstance(value, bool) for name, value in params.items()
    }


@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_a_value_error(data: bytes) -> None:
    try:
        decode_event(data)
    except (ValueError, OverflowError):
        return


@given(st.floats(0, 4e9), st.integers(-9, 1 << 40), st.text(max_size=20), FLOATS, st.data())
@settings(max_examples=300)
def test_the_fast_way_to_read_one_scalar_reads_what_the_slow_one_does(
    wall_time: float, step: int, name: str, value: float, data: st.DataObject
) -> None:
    event = bytearray(scalar_event(wall_time, step, {name: value}))
    if data.draw(st.booleans()):
        event[data.draw(st.integers(0, len(event) - 1))] = data.draw(st.integers(0, 255))
    del event[data.draw(st.sampled_from([len(event), len(event) - 1, len(event) - 6])) :]
    found = []
    for decode in (decode_event, decode_any):
        try:
            found.append(repr(decode(bytes(event))))
        except ValueError:
            found.append("none")
    assert found[0] == found[1]
