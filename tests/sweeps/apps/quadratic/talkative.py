"""A module that prints where nobody asked it to."""

from omegaconf import DictConfig

print("a word at import")  # noqa: T201 - what it is for


def check(cfg: DictConfig) -> None:
    print("a word about", cfg.x)  # noqa: T201 - likewise
