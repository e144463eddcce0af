"""Messages on a pipe: the length of each in four bytes, the highest first, and the message."""

import os
import struct

LENGTH = struct.Struct(">I")


def write_frame(descriptor: int, message: bytes) -> None:
    """Write a message; raise OSError when its reader has gone. One thread at a time may write."""
    left = memoryview(LENGTH.pack(len(message)) + message)
    while left:
        left = left[os.write(descriptor, left) :]


def read_frame(descriptor: int) -> bytes | None:
    """Wait for a message and return it; None when the pipe ends before a whole one."""
    head = _read(descriptor, LENGTH.size)
    return None if head is None else _read(descriptor, LENGTH.unpack(head)[0])


def _read(descriptor: int, count: int) -> bytes | None:
    parts, left = list[bytes](), count
    while left:
        part = os.read(descriptor, min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
