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


def shared(new: Sequence[int], *old: Sequence[int]) -> float:
    """Return the share of the rows of `new` that any of `old` has too, estimated from their sketches; 0 where they tell nothing.

    Each of `old` adds the rows that those which reach further lack, so that a large set, of which a sketch knows little,
    blurs its own part alone.
    """
    share, before = 0.0, set[int]()
    for sketch in sorted(filter(None, old), key=_end, reverse=True):
        end, known = min(_end(sketch), _end(new)), set(sketch)
        within = [each for each in new if each <= end]
        if within:
            share += sum(each in known and each not in before for each in within) / len(within)
        before |= known
    return min(1.0, share)


def _end(sketch: Sequence[int]) -> int:
    """Return the largest hash below which a sketch knows all of its set; a short one knows the whole set."""
    return sketch[-1] if len(sketch) >= SIZE else 1 << BITS


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
