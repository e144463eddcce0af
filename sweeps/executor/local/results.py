"""The return value of a task on its way from the child to the parent: its numbers, or Hydra's whole result.

Our sweeper reads only numbers; stock sweepers read Hydra's own result.
"""

import base64
import contextlib
import pickle
from typing import SupportsFloat

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus

from sweeps.plan.hydra_versions import CARRIES_ERRORS
from tracking.values.returned import named

MAX_BYTES = 1 << 20  # of a packed result, including the return value


def pack_result(result: JobReturn) -> str | None:
    """Return the result of a job as text; None for that of a failed job which cannot travel with what the job raised.

    The return value is reduced to its numbers if it is larger than `MAX_BYTES` or cannot be pickled.
    """
    is_completed = result.status is JobStatus.COMPLETED
    if not (is_completed or CARRIES_ERRORS):
        return None
    packed = b""
    with contextlib.suppress(Exception):  # a user's object may raise anything
        packed = cloudpickle.dumps(result)
    if not 0 < len(packed) <= MAX_BYTES:
        if not is_completed:
            return None
        result.return_value = plain_value(result.return_value)
        packed = cloudpickle.dumps(result)
    return base64.b64encode(packed).decode()


def unpack_result(packed: str) -> JobReturn:
    """Return the result that `pack_result` packed; raises whatever the user's classes raise when they are loaded."""
    result: JobReturn = pickle.loads(base64.b64decode(packed))  # noqa: S301 - of the app's own process
    return result


def plain_value(value: object) -> float | dict[str, float] | None:
    """Return a task's return value as a number or a mapping of numbers; None if it is neither.

    The items of a tuple or list have the names ``objective_0``, ``objective_1``, ... One-element tensors and arrays
    count as numbers. Non-finite numbers are kept.
    """
    values = named(value)
    if values is None:
        return _number(value)
    numbers = {name: _number(item) for name, item in values.items()}
    return {name: number for name, number in numbers.items() if number is not None} or None


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, SupportsFloat) and not isinstance(value, bool) else None
    except Exception:  # noqa: BLE001 - a user's __float__ may raise anything; such a value is no number
        return None
