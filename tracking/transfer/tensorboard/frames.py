"""The frames of an event file (TFRecord): length, its checksum, data, its checksum.

Both checksums are CRC-32C (Castagnoli, RFC 3720 appendix B.4), rotated and shifted by a constant as TensorFlow does, so that data which
holds checksums can be checksummed again.
"""

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tracking.errors import CorruptFileError
from tracking.files import regular

LENGTH_BYTES, CHECKSUM_BYTES = 8, 4
HEADER_BYTES = LENGTH_BYTES + CHECKSUM_BYTES
CHECKED_BYTES = 1 << 16  # a longer frame holds pictures or a graph, and no scalar worth a second per 10 MB
MAX_FRAME_BYTES = 1 << 26  # a longer frame is passed over
MARK_BYTES = 32  # the end of a frame, with the checksum of all of it: enough to know the frame by

_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, its bits reversed
_LENGTH, _CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes; it takes about 0.07 µs per byte."""
    table, found = _TABLE, 0xFFFFFFFF
    for byte in data:
        found = table[(found ^ byte) & 255] ^ found >> 8
    return found ^ 0xFFFFFFFF


def masked(checksum: int) -> int:
    """Return a checksum as it is written beside the data that it is of."""
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF


@functools.lru_cache(maxsize=1024)
def _checksum_of_length(length: bytes) -> bytes:
    return _CHECKSUM.pack(masked(crc32c(length)))  # most frames of a file have one of few lengths


def framed(data: bytes) -> bytes:
    """Return the frame of a record."""
    length = _LENGTH.pack(len(data))
    return b"".join((length, _checksum_of_length(length), data, _CHECKSUM.pack(masked(crc32c(data)))))


class Record(NamedTuple):
    """The data of a frame, where it begins in the file, and what is wrong with it, if anything."""

    at: int
    data: bytes
    fault: str = ""


class FrameReader:
    """Reads the frames of a file from where the last reading ended, while another program may append to it.

    A frame that is not complete is left for the next reading: its writer may be at work, or have died there. A frame whose
    data does not fit its checksum is left out. Where a length does not, the rest of the file is lost (`is_lost`): the place
    of the next frame is unknown. `has_huge` once a frame was passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.is_lost = self.has_huge = False
        self._mark, self._marked = b"", 0  # the last bytes that were read, and their place

    @property
    def has_begun(self) -> bool:
        """Whether anything was read."""
        return bool(self._mark)

    def read(self) -> Iterator[Record]:
        """Yield the complete frames beyond the offset, and move it.

        Raise CorruptFileError if what was read before is there no more. A copy of the file that is longer may take its place.
        """
        with regular.open_file(self.path) as file:
            size = file.seek(0, 2)
            file.seek(self._marked)
            if file.read(len(self._mark)) != self._mark:
                raise CorruptFileError(f"{self.path} was written anew")
            file.seek(self.offset)
            while not self.is_lost and size - self.offset >= HEADER_BYTES:
                head, at = file.read(HEADER_BYTES), self.offset
                if len(head) < HEADER_BYTES:
                    return  # it was cut meanwhile
                if _checksum_of_length(head[:LENGTH_BYTES]) != head[LENGTH_BYTES:]:
                    self.is_lost = True
                    self._mark, self._marked = head, at
                    yield Record(at, b"", "the checksum of a length is wrong, so the rest cannot be read")
                    return
                length: int = _LENGTH.unpack(head[:LENGTH_BYTES])[0]
                end = at + HEADER_BYTES + length + CHECKSUM_BYTES
                if end > size:
                    return
                if length > MAX_FRAME_BYTES:
                    self.has_huge = True
                    file.seek(end - MARK_BYTES)
                    self._pass(file.read(MARK_BYTES), end)
                    continue
                body = file.read(length + CHECKSUM_BYTES)
                if len(body) < length + CHECKSUM_BYTES:
                    return  # it was cut meanwhile
                self._pass(body[-MARK_BYTES:], end)
                data, told = body[:length], body[length:]
                wrong = length <= CHECKED_BYTES and _CHECKSUM.pack(masked(crc32c(data))) != told
                yield Record(at, b"" if wrong else data, "its checksum is wrong" if wrong else "")

    def _pass(self, mark: bytes, end: int) -> None:
        self.offset, self._mark, self._marked = end, mark, end - len(mark)
