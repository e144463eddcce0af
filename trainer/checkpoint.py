"""What the training loop needs to go on where it was: captured after an epoch, kept in a file, loaded again.

The one idea: a training is its parts (weights, optimizer, scheduler, random streams, the watch over the best
epoch) and the metrics logged so far. All of them are put back, so a training that was cut off gives the same
numbers to the last digit as one that was not. The file holds plain values and tensors, and is loaded as such.
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

logger = logging.getLogger(__name__)

CHECKPOINT, FORMAT = "checkpoint.pt", 1


class Stateful(Protocol):
    """What has a state of its own to give and to take back, as torch's modules and optimizers do."""

    def state_dict(self) -> Any:
        """Give the state as plain values and tensors."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Take a state that `state_dict` gave."""


class State:
    """A training as it stands after an epoch; `history` holds the metrics of each epoch."""

    def __init__(self, parts: Mapping[str, Stateful | None], streams: Mapping[str, torch.Generator]) -> None:
        self._parts = {name: part for name, part in parts.items() if part is not None}
        self._streams = streams
        self.history: list[dict[str, float]] = []

    @property
    def epoch(self) -> int:
        """The epochs done."""
        return len(self.history)

    def capture(self) -> dict[str, Any]:
        """Copy the state as it is now; what is trained later does not change the copy."""
        return {
            "history": [dict(metrics) for metrics in self.history],
            "parts": {name: copy.deepcopy(part.state_dict()) for name, part in self._parts.items()},
            "streams": {name: stream.get_state() for name, stream in self._streams.items()},
        }

    def load(self, captured: Mapping[str, Any]) -> None:
        """Become what was captured, and leave that as it is; raises whatever a part raises that cannot take its state."""
        for name, part in self._parts.items():
            # A copy: an optimizer keeps the tensors that it is given, and goes on training with them.
            part.load_state_dict(copy.deepcopy(captured["parts"][name]))
        for name, stream in self._streams.items():
            stream.set_state(captured["streams"][name])
        self.history = [dict(metrics) for metrics in captured["history"]]


class Checkpoints:
    """Keeps a training in `folder`, and finds what an earlier attempt kept in one of the `earlier` folders.

    A checkpoint is of use to the same `recipe` alone. With `every_s` None nothing is kept.
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

    def restore(self, state: State) -> None:
        """Load the newest checkpoint that is whole and of this recipe; without one, leave the state as it is."""
        for file in reversed(self._earlier):
            captured = self._read(file)
            if captured is None:
                continue
            before = state.capture()
            try:
                state.load(captured)
            except Exception as error:  # noqa: BLE001 - a model of anybody's, with whatever it raises
                logger.warning("%s does not fit, starting anew: %s", file, error)
                state.load(before)
            else:
                logger.info("going on after epoch %d from %s", state.epoch, file)
                self._unsaved = captured  # so that this attempt's own folder has it too when it is stopped
                return

    def keep(self, state: State) -> None:
        """Take note of an epoch's end; written when `every_s` have passed since it was written last."""
        if self._every_s is None:
            return
        self._unsaved = state.capture()
        if self._clock() - self._saved_at >= self._every_s:
            self._save()

    @contextlib.contextmanager
    def saved_when_stopped(self) -> Iterator[None]:
        """Write the last epoch's state when the block is left by Ctrl-C or SIGTERM."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if self._every_s is not None:
                self._save()
            raise

    def remove(self) -> None:
        """Remove the checkpoints, own and earlier ones: the training is done."""
        for file in (self._file, *self._earlier):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def _save(self) -> None:
        if self._unsaved is None:
            return
        content = io.BytesIO()
        torch.save({"format": FORMAT, "recipe": self._recipe, **self._unsaved}, content)
        write_bytes(self._file, content.getvalue())
        self._unsaved, self._saved_at = None, self._clock()

    def _read(self, file: Path) -> dict[str, Any] | None:
        if not file.exists():
            return None
        try:
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            made_for, version = content["recipe"], content["format"]
        except Exception as error:  # noqa: BLE001 - torch raises whatever the damaged bytes provoke
            logger.warning("%s is damaged, starting anew: %s", file, error)
            return None
        if (made_for, version) != (self._recipe, FORMAT):
            logger.warning("%s is of another config, starting anew", file)
            return None
        return content
