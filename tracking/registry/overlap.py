"""Sketches of sets of rows: the smallest hashes of each, which tell how many rows two sets share.

A hash is 64 bits, spread evenly. Below the largest hash that both sketches reach, each knows all hashes of its set, so the share
that is found there is that of the whole set, up to the chance of a sample (Broder 1997; Beyer et al. 2007).
"""

import base64
import binascii
import heapq
import struct
from collections.abc import Iterable, Sequence

SIZE = 512  # hashes of a sketch: a share of a tenth is known to about 0.013
BITS = 64


def sketch_of(hashes: Iterable[int]) -> tuple[int, ...]:
    """Return the smallest different hashes, in their order."""
    return tuple(heapq.nsmallest(SIZE, set(hashes)))


def shared(new: Sequence[int], old: Sequence[int]) -> float:
    """Return the share of the rows of `new` that `old` has too, estimated from their sketches; 0 where they tell nothing."""
    if not (new and old):
        return 0.0
    ends = [sketch[-1] for sketch in (new, old) if len(sketch) >= SIZE]  # a shorter one knows its whole set
    end = min(ends, default=1 << BITS)
    known, within = set(old), [each for each in new if each <= end]
    return sum(each in known for each in within) / len(within) if within else 0.0


def written(sketch: Sequence[int]) -> str:
    """Return a sketch as text, about 5 kB."""
    return base64.b64encode(struct.pack(f"<{len(sketch)}Q", *sketch)).decode()


def read(text: str | None) -> tuple[int, ...]:
    """Return the sketch of a text; an empty one for none, and for what is no sketch."""
    try:
        raw = base64.b64decode(text or "", validate=True)
        return struct.unpack(f"<{len(raw) // 8}Q", raw)
    except (binascii.Error, ValueError, struct.error):
        return ()
