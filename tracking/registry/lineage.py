"""The runs that registered versions came from, which must not be deleted while the versions exist."""

from typing import NamedTuple

from tracking.errors import CorruptFileError
from tracking.registry.events import CHAMPION
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
    """Return the versions by the id of their run, lost and damaged ones too.

    Raise CorruptFileError for one whose run is not known: it may have come from any, so none may be deleted.
    """
    found: dict[str, list[Descendant]] = {}
    for name in registry.models(on_error=_refuse):
        champion = _champion(registry, name)
        for version, run_id in registry.origins(name).items():
            found.setdefault(run_id, []).append(Descendant(name, version, version == champion))
    return found


def _champion(registry: ModelRegistry, name: str) -> int | None:
    try:
        return registry.aliases(name).get(CHAMPION)
    except CorruptFileError:
        return None  # only the words of a message depend on it


def _refuse(error: CorruptFileError) -> None:
    raise error
