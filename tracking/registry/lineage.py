"""Which runs the registered versions came from: what may not be deleted while a version may have to be explained."""

from typing import NamedTuple

from tracking.errors import CorruptFileError
from tracking.registry.models import ModelRegistry


class Descendant(NamedTuple):
    """A registered version of a run."""

    model: str
    version: int
    is_champion: bool

    def __str__(self) -> str:
        champion = ", its champion" if self.is_champion else ""
        return f"version {self.version} of the model {self.model!r}{champion}"


def descendants(registry: ModelRegistry) -> dict[str, list[Descendant]]:
    """The versions by the id of the run they came from; CorruptFileError when a manifest cannot tell."""
    found: dict[str, list[Descendant]] = {}
    for name in registry.models():
        champion = registry.champion(name)
        for version in registry.versions(name, on_error=_refuse):
            found.setdefault(version.run_id, []).append(
                Descendant(
                    name, version.version, champion is not None and version.version == champion.version
                )
            )
    return found


def _refuse(error: CorruptFileError) -> None:
    # fails closed: the version may have come from any run
    raise error
