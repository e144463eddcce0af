"""A checkpoint for a training function of the user: what the next attempt at the same job continues from.

A sweep that is resumed, and a job that is retried, start a new run. Its function finds here what the function of the
attempt before it kept. The state is plain values, tensors and arrays, and loads as such. Anything else goes into the folder
as files, which only the function itself reads.
"""

import contextlib
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from tracking import Run
from trainer.checkpoint import State, read_tensors, write_tensors
from trainer.errors import CheckpointError
from trainer.job.run import earlier_runs

logger = logging.getLogger(__name__)

PREFIX, STATE = "checkpoint-", "state.pt"
CHANGES_NOTHING = ("paths", "tracking", "sweep", "promotion", "device")  # sections that change no number
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.Tensor, torch.dtype, torch.device)


class Checkpoint:
    """What a training function keeps for the next attempt at its job.

    `save` and `load` keep a state. `folder` may hold any other files; those of the attempt before are there again. All
    of it is removed once the run is complete.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._saved_at = -float("inf")

    @classmethod
    def of(cls, config: DictConfig, run: Run) -> "Checkpoint":
        """Return the checkpoint of a run, with what an earlier attempt at its job kept, if the config was the same."""
        name = PREFIX + _recipe(config)
        folder = run.artifacts_dir / name
        if not folder.exists():
            for earlier in reversed(earlier_runs(run)):
                if (found := earlier / "artifacts" / name).is_dir():
                    shutil.move(found, folder)
                    break
                if any((earlier / "artifacts").glob(f"{PREFIX}*")):
                    logger.warning("the checkpoint of %s is of another config and is not used", earlier.name)
        folder.mkdir(exist_ok=True)
        return cls(folder)

    def load(self) -> Any:
        """Return the state that was saved last, also by an earlier attempt; None without one."""
        file = self.folder / STATE
        if not file.exists():
            return None
        state = read_tensors(file, known=_of_numpy())
        if state is not None:
            logger.info("continuing from %s", file)
        return state

    def save(self, state: Any, *, every_s: float = 0.0) -> bool:
        """Replace the saved state; do nothing when the last time is less than `every_s` seconds ago.

        A state is made of plain values, tensors, NumPy arrays, and dicts, lists and tuples of these. Return whether it
        was saved; raise CheckpointError for anything else in it. A kill while saving leaves the state before it.
        """
        if time.monotonic() - self._saved_at < every_s:
            return False
        if stranger := next(_strangers(state, "state"), None):
            where, value = stranger
            raise CheckpointError(
                f"{where} is {type(value).__name__}: a state holds plain values, tensors and arrays; give its "
                "state_dict(), or write it to checkpoint.folder yourself"
            )
        write_tensors(self.folder / STATE, state)
        self._saved_at = time.monotonic()
        return True

    def restore(self, state: State) -> None:
        """Load the saved state into that of `trainer.fit`: give this as its `begin`."""
        captured = self.load()
        if captured is not None:
            state.load(captured)

    def keep(self, state: State) -> None:
        """Save the state of `trainer.fit` every ten seconds: give this as its `keep`."""
        self.save(state.capture(), every_s=10.0)


def remove_checkpoints(run: Run) -> None:
    """Remove the checkpoints of a run and of earlier attempts at its job."""
    for folder in (run.run_dir, *earlier_runs(run)):
        for each in (folder / "artifacts").glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                shutil.rmtree(each)


def _recipe(config: DictConfig) -> str:
    plain: Any = OmegaConf.to_container(config, resolve=True)
    kept = {name: value for name, value in plain.items() if name not in CHANGES_NOTHING}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _strangers(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a state that would not load as plain values."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strangers(item, f"{where}[{key!r}]")
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            yield from _strangers(item, f"{where}[{index}]")
    elif isinstance(value, np.ndarray | np.generic):
        if value.dtype.hasobject:
            yield where, value
    elif not isinstance(value, _PLAIN):
        yield where, value


def _of_numpy() -> list[Any]:
    """Return what arrays of NumPy are rebuilt by, all of which only makes arrays."""
    rebuilt = np.zeros(1).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(code)) for code in np.typecodes["AllInteger"] + np.typecodes["AllFloat"] + "?SUmM"}
    import _codecs

    return [rebuilt, scalar, np.ndarray, np.dtype, *kinds, _codecs.encode]
