"""scores.npz of a version: what the gate compared, row by row, for whoever wants to compare it again.

Its arrays are `row`, `target`, `challenger` and, where there are any, `weight` and `champion`. It holds no pickle.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.errors import CorruptFileError
from tracking.files import regular
from tracking.gate.scores import Scores


def scores_bytes(challenger: Scores, champion: Scores | None) -> bytes:
    """Return the content of scores.npz; equal scores give equal bytes."""
    arrays: dict[str, Any] = {
        "row": challenger.row,
        "target": challenger.target,
        "weight": challenger.weight,
        "challenger": challenger.prediction,
        "champion": None if champion is None else champion.prediction,
    }
    whole = io.BytesIO()
    np.savez_compressed(whole, **{name: array for name, array in arrays.items() if array is not None})
    return whole.getvalue()


def read_scores(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a scores.npz; raise CorruptFileError for a file that is none, and FileNotFoundError."""
    with regular.open_file(path) as file:
        whole = file.read()
    try:
        with np.load(io.BytesIO(whole), allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptFileError(f"{path} holds no scores ({error}); judge the version again") from None
