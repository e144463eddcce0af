"""Numbers that a 32-bit float has made longer: 0.1 reads as 0.10000000149011612.

Files and frameworks that compute in 32 bits hand such numbers on.
"""

import math
import struct
from typing import Any

_FLOAT32 = struct.Struct("<f")


def short_float(value: float) -> float:
    """Return a 32-bit float as the shortest decimal that means it: 0.1, where its 64 bits say 0.10000000149.

    Seven digits are enough for most, nine for all.
    """
    if not math.isfinite(value) or value.is_integer():
        return value
    for digits in (7, 8):
        short = float(f"{value:.{digits}g}")
        if _FLOAT32.unpack(_FLOAT32.pack(short))[0] == value:
            return short
    return float(f"{value:.9g}")


def shortened(value: Any) -> Any:
    """Return a setting that was rounded to 32 bits as the number that was meant; any other value unchanged.

    It may have been written with nine digits meanwhile: 0.300000012 is 0.3 too.
    """
    if type(value) is not float or abs(value) > 1e38:
        return value
    (rounded,) = _FLOAT32.unpack(_FLOAT32.pack(value))
    return short_float(rounded) if value in (rounded, float(f"{rounded:.9g}")) else value
