"""What a task returned, as it travels from a job's child to the parent: its numbers, or all of Hydra's own result.

Our sweeper takes numbers and nothing else from a job; stock sweepers ask for Hydra's own result.
"""

import base64
import contextlib
import pickle
from collections.abc import Mapping

import cloudpickle
from hydra.core.utils import JobReturn, JobStatus

MAX_BYTES = 1 << 20  # of a packed result, what the task returned included


def pack_result(result: JobReturn) -> str | None:
    """Return the result of a completed job as text; None for one that failed.

    What the task returned is reduced to its numbers if it is larger than `MAX_BYTES` or cannot be pickled.
    """
    if result.status is not JobStatus.COMPLETED:
        return None
    packed = b""
    with contextlib.suppress(Exception):  # a user's object may raise anything
        packed = cloudpickle.dumps(result)
    if not 0 < len(packed) <= MAX_BYTES:
        result.return_value = plain_value(result.return_value)
        packed = cloudpickle.dumps(result)
    return base64.b64encode(packed).decode()


def unpack_result(packed: str) -> JobReturn:
    """Return what `pack_result` packed; raises whatever the user's classes raise when they are loaded."""
    result: JobReturn = pickle.loads(base64.b64decode(packed))  # noqa: S301 - of the app's own process
    return result


def plain_value(value: object) -> float | dict[str, float] | None:
    """Reduce a task's return value to a number or a mapping of numbers; anything else is None.

    One-element tensors and arrays count as numbers. Non-finite numbers are kept.
    """
    if isinstance(value, Mapping):
        numbers = {str(key): _number(item) for key, item in value.items()}
        return {key: number for key, number in numbers.items() if number is not None} or None
    return _number(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool | str | bytes) or value is None:
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # asked, not assumed: any object may offer __float__
    except Exception:  # noqa: BLE001 - a user's __float__ may raise anything; such a value is no number
        return None
