"""Thin a curve to what a screen can show: of each part of it the lowest and the highest point.

The first and the last point stay, and so do points whose values are not finite, so the outline is that of all points.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

MOST_MARKS = 200  # of values that are not finite, in one curve


def thinned(values: Sequence[float], most: int) -> list[int]:
    """Return the places of at most about `most` points that show a curve, in their order.

    Of points whose values are not finite up to about 200 stay beyond that: of more the first and the last of each row of
    them, of very many rows some, and the end of the curve.
    """
    most = max(most, 4)
    if math.isfinite(sum(values)):
        return _extremes(range(len(values)), values, most)
    finite = [place for place, value in enumerate(values) if math.isfinite(value)]
    known, last = set(finite), len(values) - 1
    lost = [place for place in range(len(values)) if place not in known]
    if len(lost) > MOST_MARKS:
        edges = [place for place in lost if place in (0, last) or {place - 1, place + 1} & known]
        lost = sorted({*edges[:: -(-len(edges) // MOST_MARKS)], edges[-1]})
    return sorted({*_extremes(finite, values, most), *lost})


def _extremes(places: Sequence[int], values: Sequence[float], most: int) -> list[int]:
    """Return the places of the first, the last, and the lowest and highest of each of about `most` / 2 parts."""
    count = len(places)
    if count <= most:
        return list(places)
    parts = most // 2 - 1
    is_whole = len(places) == len(values)
    kept = [places[0]]
    for start, end in pairwise(1 + (count - 2) * part // parts for part in range(parts + 1)):
        some = values[start:end] if is_whole else [values[place] for place in places[start:end]]
        low, high = start + some.index(min(some)), start + some.index(max(some))
        if low == high:
            kept.append(places[low])
        else:
            kept += (places[min(low, high)], places[max(low, high)])
    kept.append(places[-1])
    return kept
