"""Checks that data is JSON that any browser reads without loss."""

import math
from typing import Any

EXACT = 1 << 53


def assert_plain(value: Any) -> None:
    """Check that any browser reads a value without loss."""
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, float):
        assert math.isfinite(value)
    else:
        assert value is None or type(value) is bool or (type(value) is int and abs(value) <= EXACT)
