"""The saved model that `model=` names, found and described without torch, so that reading can begin before it is loaded."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking import ModelRegistry, ModelVersion, TrackingError
from tracking.files import read_json
from tracking.process.users_modules import find_users_modules
from trainer.data.encode import Encoder
from trainer.data.reading.reader import Reader
from trainer.data.target import Target
from trainer.errors import LoadError, did_you_mean

if TYPE_CHECKING:
    from trainer.saved_model import Predictor

WEIGHTS, SIDECAR = "model_best.pt", "model.json"  # as trainer.saved_model has them, which loads torch


@dataclass(frozen=True)
class Chosen:
    """A model, not loaded yet: how it reads and encodes a table, and what it predicts."""

    name: str
    folder: Path
    encoder: Encoder
    reader: Reader | None
    target: Target
    version: ModelVersion | None = None  # in the registry of the store
    store: str = "experiments"

    @property
    def needed(self) -> list[str]:
        """The columns that the model needs."""
        return self.encoder.names

    def load(self, allow: Sequence[str] = ()) -> "Predictor":
        """Load the model; the files of a registered version are checked against their hashes first."""
        if allow:
            find_users_modules()
        was_on = gc.isenabled()
        gc.disable()  # torch makes a million objects that stay: looking through them takes a tenth of its import
        try:
            from trainer.saved_model import Predictor, load_model

            if self.version is None or self.version.loader is None:
                return load_model(self.folder, allow=allow)
            loaded: Any = ModelRegistry(self.store).load(self.version.name, self.version.version, allow=allow)
            if isinstance(loaded, Predictor):
                return loaded
            raise LoadError(
                f"model {self.name!r} is loaded by {self.version.loader}, which returns {type(loaded).__name__} and not a "
                "trainer.Predictor; use it from Python"
            )
        finally:
            gc.freeze()
            if was_on:
                gc.enable()


def choose(asked: str, store: str = "experiments") -> Chosen:
    """Find a model by a folder, a run id, or a registered name with an alias or a version; raise LoadError if there is none.

    `NAME` alone is the champion. A folder comes first, then a run of the store, then a registered model.
    """
    version = None
    folder = _folder(asked, store)
    if folder is None:
        version = _version(asked, store)
        folder = version.path
    try:
        sidecar = read_json(folder / SIDECAR)
        encoder = Encoder.from_json(sidecar["encoder"])
        reader = None if sidecar.get("reader") is None else Reader.from_json(sidecar["reader"])
        if "target" in sidecar:
            target = Target.from_json(sidecar["target"])
        else:  # podium 0.1.0 wrote none
            target = Target(encoder.target, classes=(f"not {encoder.positive}", encoder.positive))
    except FileNotFoundError:
        raise LoadError(f"{folder} holds no {SIDECAR}, which describes the model") from None
    except (TrackingError, OSError, ValueError, KeyError, TypeError) as error:
        why = error if isinstance(error, TrackingError) else repr(error)
        raise LoadError(f"{folder / SIDECAR} is damaged: {why}") from error
    name = asked if version is None else f"{version.name}@{version.version}"
    return Chosen(name, folder, encoder, reader, target, version, store)


def _folder(asked: str, store: str) -> Path | None:
    """Return the folder of model files that a path or a run id means, or None."""
    path = Path(asked)
    places = [path.parent] if path.is_file() else [path, path / "artifacts"]
    if len(path.parts) == 1:
        places.append(Path(store) / "runs" / path / "artifacts")
    return next((each for each in places if (each / WEIGHTS).is_file()), None)


def _version(asked: str, store: str) -> ModelVersion:
    registry = ModelRegistry(store)
    name, _, which = asked.partition("@")
    known = registry.models()
    if name not in known:
        listed = ", ".join(known) or "none"
        raise LoadError(
            f"model={asked}: there is no folder with {WEIGHTS}, no such run and no registered model in the store "
            f"{store!r}{did_you_mean(name, known)}; registered are: {listed}"
        )
    number = which.removeprefix("v")
    if number.isdecimal() and number.isascii():
        return registry.version(name, int(number))
    aliases, alias = registry.aliases(name), which or "champion"
    if alias in aliases:
        return registry.version(name, aliases[alias])
    versions = ", ".join(f"{name}@{each.version}" for each in registry.versions(name)[-5:])
    named = ", ".join(f"{name}@{each}" for each in aliases) or "none"
    raise LoadError(
        f"model={asked}: model {name!r} has no {'champion' if alias == 'champion' else f'alias {alias!r}'}; "
        f"its aliases are: {named}; its newest versions: {versions}"
    )
