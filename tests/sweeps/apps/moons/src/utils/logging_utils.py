import logging
from typing import Any


class RankedLogger(logging.LoggerAdapter):
    """A logger that says which process of a distributed training it speaks for."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name), {})

    def process(self, msg: str, kwargs: Any) -> tuple[str, Any]:
        return f"[rank: 0] {msg}", kwargs
