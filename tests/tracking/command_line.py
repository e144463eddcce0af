"""The type of the fixture ``say``, which runs ``python -m tracking`` in this process."""

from collections.abc import Callable

Say = Callable[..., tuple[int, str, str]]
