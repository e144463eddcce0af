"""Random streams that a run owns, one per purpose, derived from its seed.

The one idea: nothing here reads or moves torch's global random state, so a run gives the same numbers
alone and in any company, and a change to one purpose (say, more dropout) leaves the others as they were.
Models that draw from the global state by themselves are run inside `Ambient`, which lends them a stream.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, purpose: str) -> int:
    """Derive a 63-bit seed from the run's seed and a purpose; distinct purposes give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Make the generator of one purpose ("init", "order", "dropout") on a device."""
    return torch.Generator(device=device).manual_seed(derive(seed, purpose))


class Ambient:
    """A stream that stands in for torch's global random state while foreign code runs.

    Each entry continues where the last one stopped; on the way out, also by an exception, the global
    state is what it was before. Covers the CPU and, when the device is one, the CUDA state of torch;
    not `random` or numpy. Not for several threads at once: the global state is theirs together.
    """

    def __init__(self, seed: int, purpose: str, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        devices = [torch.device("cpu"), *([self._device] if self._device.type == "cuda" else [])]
        self._states = [generator(seed, purpose, each).get_state() for each in devices]

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Put this stream in the place of the global state for the length of the block."""
        outside = self._get()
        self._set(self._states)
        try:
            yield
        finally:
            self._states = self._get()
            self._set(outside)

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """Where the stream stands; for a later process to go on from."""
        return {"states": [each.clone() for each in self._states]}

    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Go on from where a stream stood."""
        self._states = [each.clone() for each in state["states"]]

    def _get(self) -> list[torch.Tensor]:
        states = [torch.get_rng_state()]
        if self._device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self._device))
        return states

    def _set(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(states[1], self._device)
