"""The records of a `.wandb` file: LevelDB's log format behind a header of seven bytes.

https://github.com/google/leveldb/blob/main/doc/log_format.md describes blocks of 32 KiB and their pieces. W&B's checksum is
the plain CRC-32 of the type and the data.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import regular

HEADER = b":W&B\xe1\xbe\x00"
BLOCK_BYTES = 1 << 15
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MAX_RECORD_BYTES = 1 << 28

_PIECE = struct.Struct("<IHB")


def is_wandb_file(path: Path) -> bool:
    """Return whether a file begins as W&B's do; a newer version of the format too."""
    with regular.open_file(path) as file:
        return file.read(len(HEADER) - 1) == HEADER[:-1]


def read_records(path: Path, damaged: list[str]) -> Iterator[bytes]:
    """Yield the records of a file; name in `damaged` what cannot be read, which costs the rest of its block.

    A record that is cut at the end of the file is left out: its writer may be at work, or was killed. Raise
    CorruptFileError for a file of another kind or of a newer format.
    """
    with regular.open_file(path) as file:
        head = file.read(len(HEADER))
        if head[:-1] != HEADER[:-1]:
            raise CorruptFileError(f"{path} does not begin as a file of W&B")
        if head != HEADER:
            raise CorruptFileError(
                f"{path} has version {head[-1]} of W&B's format; this podium knows version 0"
            )
        begun: bytearray | None = None
        at, size = len(head), BLOCK_BYTES - len(head)
        while block := file.read(size):
            for place, kind, data in _pieces(block, is_cut=len(block) < size):
                if kind == 0:
                    damaged.append(
                        f"the record at byte {at + place} of {path.name}: its checksum or its type is wrong"
                    )
                    begun = None
                elif kind == FULL:
                    yield data
                elif kind == FIRST:
                    begun = bytearray(data)
                elif begun is not None:  # else the beginning was in a damaged block
                    begun += data
                    if kind == LAST:
                        yield bytes(begun)
                    if kind == LAST or len(begun) > MAX_RECORD_BYTES:
                        begun = None
            at, size = at + len(block), BLOCK_BYTES


def _pieces(block: bytes, *, is_cut: bool) -> Iterator[tuple[int, int, bytes]]:
    """Yield place, type and data of the pieces in a block; type 0 for the damaged one after which nothing is read."""
    at = 0
    while len(block) - at >= _PIECE.size:
        checksum, length, kind = _PIECE.unpack_from(block, at)
        begin = at + _PIECE.size
        data = block[begin : begin + length]
        if len(data) < length and is_cut:
            return
        if kind not in (FULL, FIRST, MIDDLE, LAST) or zlib.crc32(bytes([kind]) + data) != checksum:
            if block[at:].strip(b"\0"):  # else it was made in advance, and not written
                yield at, 0, b""
            return
        yield at, kind, data
        at = begin + length
