"""Files of W&B as it writes them, for tests: records in blocks of LevelDB's log, and the messages in them."""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from tracking.transfer.protobuf import bytes_field, whole_field
from tracking.transfer.wandb.log_blocks import BLOCK_BYTES, FIRST, FULL, HEADER, LAST, MIDDLE

START = 1_700_000_000


def log_of(records: list[bytes]) -> bytes:
    """Return a file with records, cut into pieces where a block ends."""
    found = bytearray(HEADER)
    for record in records:
        rest, is_first = record, True
        while is_first or rest:
            room = BLOCK_BYTES - len(found) % BLOCK_BYTES
            if room < 7:
                found += bytes(room)
                continue
            piece, rest = rest[: room - 7], rest[room - 7 :]
            kind = (FIRST if rest else FULL) if is_first else (MIDDLE if rest else LAST)
            found += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            is_first = False
    return bytes(found)


def items(values: Mapping[str, Any], number: int = 1) -> bytes:
    """Return items of a config, a summary or a row; a dotted name is a nested key."""
    return b"".join(
        bytes_field(
            number,
            b"".join(bytes_field(2, part) for part in name.split(".")) + bytes_field(16, json.dumps(value)),
        )
        for name, value in values.items()
    )


def run(
    run_id: str = "abc", project: str = "ctr", config: Mapping[str, Any] = {}, *, start: int = START
) -> bytes:
    """Return the record of a run."""
    told = (
        bytes_field(1, run_id)
        + bytes_field(3, project)
        + bytes_field(4, items(config))
        + bytes_field(8, "first")
    )
    return bytes_field(
        17, told + bytes_field(10, "a") + bytes_field(10, "b") + bytes_field(17, whole_field(1, start))
    )


def row(step: int, values: Mapping[str, Any]) -> bytes:
    """Return the record of one log call."""
    return bytes_field(
        2, items({**values, "_step": step, "_timestamp": START + step + 0.5, "_runtime": step})
    )


def exit_code(code: int) -> bytes:
    """Return the record of the end."""
    return bytes_field(18, whole_field(1, code) if code else b"")
