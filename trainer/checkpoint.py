"""Checkpoints: the state of a training after an epoch, saved to a file and loaded by a later attempt.

The state is that of all parts (weights, optimizer, scheduler, random streams, best epoch) and the metrics
logged so far. A training that continues from it gives the same numbers to the last digit as one that was
never interrupted. The file holds plain values and tensors, and is loaded as such.
"""

import contextlib
import copy
import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from tracking.files import write_bytes
from trainer.eager import without_compiler

logger = logging.getLogger(__name__)

CHECKPOINT, FORMAT = "checkpoint.pt", 1


def write_tensors(file: Path, content: Any) -> None:
    """Save plain values and tensors to a file, which is never partial."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(file, buffer.getvalue())


def read_tensors(file: Path, *, known: Sequence[Any] = ()) -> Any:
    """Return what a file holds: plain values, tensors, and objects of `known` classes; log damage and return None."""
    try:
        with torch.serialization.safe_globals(list(known)):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - damaged bytes make torch raise anything
        logger.warning("%s is damaged, training starts again: %s", file, error)
        return None


class Stateful(Protocol):
    """An object with a state to save and load, as torch's modules and optimizers."""

    def state_dict(self) -> Any:
        """Return the state as plain values and tensors."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Load a state that `state_dict` returned."""


class State:
    """A training after an epoch; `history` holds the metrics of each epoch."""

    def __init__(self, parts: Mapping[str, Stateful | None], streams: Mapping[str, torch.Generator]) -> None:
        self._parts = {name: part for name, part in parts.items() if part is not None}
        self._streams = streams
        self.history: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        """The number of epochs done."""
        return len(self.history)

    def capture(self) -> dict[str, Any]:
        """Return a copy of the state, which later training does not change."""
        with without_compiler():
            parts = {name: part.state_dict() for name, part in self._parts.items()}
        return {
            "history": [dict(metrics) for metrics in self.history],
            # A copy, because a state dict shares its tensors with the model.
            "parts": _copied(parts),
            "streams": {name: stream.get_state() for name, stream in self._streams.items()},
        }

    def load(self, captured: Mapping[str, Any]) -> None:
        """Load a captured state, which stays unchanged; raise what a part raises whose state does not fit."""
        with without_compiler():
            for name, part in self._parts.items():
                # A copy, because an optimizer keeps the tensors it gets and changes them while training.
                part.load_state_dict(_copied(captured["parts"][name]))
        for name, stream in self._streams.items():
            stream.set_state(captured["streams"][name])
        self.history = [dict(metrics) for metrics in captured["history"]]


def _copied(value: Any) -> Any:
    """Return a copy of a state; of a tensor that is part of a larger one, such as a stack of models, that part alone."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        copied = copy.copy(value)  # its class and attributes, which those of modules have
        copied.update({key: _copied(each) for key, each in value.items()})
        return copied
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    return copy.deepcopy(value)


class Checkpoints:
    """The checkpoint of a run in `folder`, and those of earlier attempts in the `earlier` folders.

    The run has one of its own before it begins if it was pruned and goes on. Only a checkpoint of the same `recipe` is
    loaded. With `every_s` None one is written only where a training is to go on later.
    """

    def __init__(
        self,
        folder: Path,
        earlier: Sequence[Path],
        *,
        recipe: str,
        every_s: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = folder / CHECKPOINT
        self._earlier = [each / CHECKPOINT for each in earlier]
        self._recipe = recipe
        self._every_s = every_s
        self._clock = clock
        self._saved_at = clock()
        self._unsaved: dict[str, Any] | None = None
        self._state: State | None = None  # of the last epoch

    def restore(self, state: State) -> None:
        """Load the newest checkpoint that is readable and of this recipe; without one, leave the state as it is."""
        for file in reversed([*self._earlier, self._file]):
            captured = self._read(file)
            if captured is None:
                continue
            before = state.capture()  # a part that does not fit may fail after others were loaded
            try:
                state.load(captured)
            except Exception as error:  # noqa: BLE001 - a user's model may raise anything
                logger.warning("%s does not fit, training starts again: %s", file, error)
                state.load(before)
            else:
                logger.info("continuing after epoch %d from %s", state.epoch, file)
                self._unsaved = captured  # written to this attempt's folder, too, if it is stopped
                return

    def keep(self, state: State) -> None:
        """Capture the state, and write it when `every_s` have passed since the last write."""
        self._state = state
        if self._every_s is None:
            return
        self._unsaved = state.capture()
        if self._clock() - self._saved_at >= self._every_s:
            self._save()

    @contextlib.contextmanager
    def saved_when_stopped(self) -> Iterator[None]:
        """Write the last epoch's state when Ctrl-C or SIGTERM ends the block."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self._every_s is not None:
                self._save()
            raise

    def save(self) -> None:
        """Write the state of the last epoch, which has just ended, for a training that goes on later."""
        if self._unsaved is None and self._state is not None:
            self._unsaved = self._state.capture()
        self._save()

    def remove(self) -> None:
        """Remove the checkpoints of this and earlier attempts."""
        for file in (self._file, *self._earlier):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def _save(self) -> None:
        if self._unsaved is None:
            return
        write_tensors(self._file, {"format": FORMAT, "recipe": self._recipe, **self._unsaved})
        self._unsaved, self._saved_at = None, self._clock()

    def _read(self, file: Path) -> dict[str, Any] | None:
        if not file.exists():
            return None
        content = read_tensors(file)
        if content is None:
            return None
        try:
            made_for, version = content["recipe"], content["format"]
        except (KeyError, TypeError, IndexError) as error:
            logger.warning("%s is damaged, training starts again: %r", file, error)
            return None
        if (made_for, version) != (self._recipe, FORMAT):
            logger.warning("%s is of another config, training starts again", file)
            return None
        return dict(content)
