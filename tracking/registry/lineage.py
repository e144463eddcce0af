"""The runs that registered versions came from, which must not be deleted while the versions exist."""

from typing import NamedTuple

from tracking.errors import CorruptFileError
from tracking.registry.models import ModelRegistry


class Descendant(NamedTuple):
    """A model version that was registered from a run."""

    model: str
    version: int
    is_champion: bool

    def __str__(self) -> str:
        champion = ", its champion," if self.is_champion else ""
        return f"version {self.version} of the model {self.model!r}{champion}"


def descendants(registry: ModelRegistry) -> dict[str, list[Descendant]]:
    """Return the versions by the id of their run; raise CorruptFileError for a damaged manifest."""
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
    # the version may have come from any run, so none may be deleted
    raise error
