"""Random streams of a run, one per purpose, derived from its seed.

A run does not use torch's global random state, so it gives the same numbers alone and beside other runs. A
change to one purpose, such as more dropout, leaves the other streams as they were. Models that draw from
the global state run inside `Ambient`, which replaces it for a while.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, purpose: str) -> int:
    """Return a 63-bit seed made from the run's seed and a purpose; different purposes give unrelated streams."""
    # Not `hash`, which differs between processes.
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the generator of one purpose ("init", "order", "dropout") on a device."""
    return torch.Generator(device=device).manual_seed(derive(seed, purpose))


class Ambient:
    """A stream that replaces torch's global random state while foreign code runs.

    Each block continues where the last one stopped. When the block ends, also by an exception, the global
    state is restored. Covers the state of the CPU and of a CUDA device, not `random` or numpy. Use it in one
    thread only, because all threads share the global state.
    """

    def __init__(self, seed: int, purpose: str, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        devices = [torch.device("cpu"), *([self._device] if self._device.type == "cuda" else [])]
        self._states = [generator(seed, purpose, each).get_state() for each in devices]

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Replace the global state by this stream inside the block."""
        outside = self._get()
        self._set(self._states)
        try:
            yield
        finally:
            self._states = self._get()
            self._set(outside)

    def state_dict(self) -> dict[str, list[torch.Tensor]]:
        """Return the position of the stream, for a later process to continue from."""
        return {"states": [each.clone() for each in self._states]}

    def load_state_dict(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Continue from the position of a saved stream."""
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
