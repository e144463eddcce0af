"""ModelRegistry: register versions of models, promote champions, and load them.

A version is a folder, claimed by creating it. The manifest is written last and atomically; a folder without one is
not a version.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tracking.errors import (
    CorruptFileError,
    InvalidValueError,
    UnknownModelError,
    quoted,
)
from tracking.files import atomic, folders, locks
from tracking.paths import ModelPaths, RunPaths
from tracking.registry.events import add_event, champions, read_events, refresh_aliases
from tracking.registry.loading import check_loader, loader_of
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion, Verdict
from tracking.registry.versions import (
    add_version,
    folder_numbers,
    manifest_of,
    read_version,
    sources_of,
    verify,
)
from tracking.store.scan import warn_left_out
from tracking.store.store import Store
from tracking.values.jsontext import revive
from tracking.values.names import check_component


class ModelRegistry:
    """The models of a store; safe to share between processes.

    Creating the object touches nothing on disk and fixes the folder.
    """

    def __init__(self, base_dir: str | os.PathLike[str] = "experiments") -> None:
        self._store = Store(base_dir)

    def register(
        self,
        model_name: str,
        run_id: str,
        *,
        files: Sequence[str] = ("model_best.pt",),
        objective: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
        loader: str | None = None,
    ) -> ModelVersion:
        """Copy artifacts of a run, and its config.yaml, into a new version of a model.

        `objective` is {"metric", "mode", "value"}; `metrics` default to the run's last values; `loader` is
        "module:function", called by `load` with the version's folder. A run that is registered already returns its
        version. Raise InvalidValueError if the run logged the objective's metric and `value` is neither its last value
        nor an extreme. After an error no version is left, and no number is used twice.
        """
        paths = self._paths(model_name)
        run = self._store.scan.record(self._store.require(run_id))
        check_loader(loader)
        sources = sources_of(RunPaths(run.run_dir), files)
        manifest = manifest_of(run, objective, metrics, loader)
        with locks.lock(paths.lock):
            # under the lock, so that two processes do not register one run twice
            for version in self._readable(model_name, self._numbers(model_name), warn_left_out):
                if version.run_id == run_id:
                    _note_registration(paths, version.version, run_id)
                    return version
            number = add_version(paths, sources, manifest)
            _note_registration(paths, number, run_id)
        return self.version(model_name, number)

    def models(self) -> list[str]:
        """Return the names of all models that have a version, sorted."""
        return [name for name in folders.named_folders(self._store.paths.models) if self._numbers(name)]

    def versions(
        self, name: str, *, on_error: Callable[[CorruptFileError], None] = warn_left_out
    ) -> list[ModelVersion]:
        """Return all versions of a model, oldest first; raise UnknownModelError without any.

        A version whose manifest is damaged or of a newer format is left out and passed to `on_error`.
        """
        return list(self._readable(name, self._known_numbers(name), on_error))

    def version(self, name: str, number: int) -> ModelVersion:
        """Return one version of a model."""
        paths = self._paths(name)
        if type(number) is not int:  # True is an int, and 3.0 == 3
            raise InvalidValueError(
                f"version {quoted(number)} of model {name!r} is not an int; give a number, such as 3"
            )
        try:
            return read_version(name, number, paths)
        except FileNotFoundError:
            numbers = ", ".join(map(str, self._known_numbers(name)))
            raise UnknownModelError(f"model {name!r} has no version {number!r}; it has {numbers}") from None

    def champion(self, name: str) -> ModelVersion | None:
        """Return the champion of a model, or None if no version was promoted."""
        self._known_numbers(name)
        current = champions(read_events(self._paths(name)))
        return self.version(name, current[-1]) if current else None

    def history(self, name: str) -> list[ModelEvent]:
        """Return the events of a model, oldest first."""
        self._known_numbers(name)
        return read_events(self._paths(name))

    def promote(self, name: str, version: int, *, reason: str, by: str | None = None) -> ModelVersion:
        """Make a version the champion, unless it is already. `by` defaults to the user's login.

        Raise ModelLoadError if its files are not those that were registered.
        """
        if not reason.strip():
            raise InvalidValueError("reason is empty; say why, such as 'beats version 2 by 0.01'")
        chosen = self.version(name, version)
        verify(chosen)  # before the lock: hashing large files takes long
        paths = self._paths(name)
        with locks.lock(paths.lock):
            if champions(read_events(paths))[-1:] != [version]:
                add_event(paths, EventKind.PROMOTED, version, reason=reason, by=by)
            else:
                refresh_aliases(paths)
        return chosen

    def rollback(self, name: str, *, reason: str = "") -> ModelVersion:
        """Make the previous champion the champion again; raise UnknownModelError without one."""
        self._known_numbers(name)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            past = champions(read_events(paths))
            if len(past) < 2:
                now = f"version {past[0]} is the first champion" if past else "it has no champion"
                raise UnknownModelError(f"model {name!r} cannot be rolled back: {now}")
            before = self.version(name, past[-2])  # raises if it is gone, before the event is written
            add_event(paths, EventKind.ROLLED_BACK, past[-2], reason=reason, by=None)
        return before

    def record_verdict(self, name: str, version: int, verdict: Verdict) -> None:
        """Store the gate's decision with the version."""
        self.version(name, version)
        atomic.write_json(self._paths(name).verdict(version), verdict.to_json())

    def verdict(self, name: str, version: int) -> Verdict | None:
        """Return the decision stored with a version, or None."""
        self.version(name, version)
        path = self._paths(name).verdict(version)
        try:
            return Verdict.from_json(revive(atomic.read_object(path)))
        except FileNotFoundError:
            return None
        except (KeyError, TypeError) as error:
            raise CorruptFileError(f"{path} is not a verdict ({error!r}); remove the file") from None

    def load(self, name: str, version: int | None = None, *, allow: Sequence[str] = ()) -> Any:
        """Load a version, by default the champion, with the loader it was registered with.

        Check the hash of every file first. Call the loader only if it is `trainer:load_model`, or is defined in a
        package in `allow`; a loader with a parameter `allow`, for the classes it may import, gets the same.
        """
        chosen = self.champion(name) if version is None else self.version(name, version)
        if chosen is None:
            raise UnknownModelError(f"model {name!r} has no champion; promote a version or name one")
        verify(chosen)
        packages = (allow,) if isinstance(allow, str) else tuple(allow)
        loader = loader_of(chosen, packages)
        if "allow" in inspect.signature(loader).parameters:
            return loader(chosen.path, allow=packages)
        return loader(chosen.path)

    def _paths(self, name: str) -> ModelPaths:
        return ModelPaths(self._store.paths.models / check_component("model name", name))

    def _numbers(self, name: str) -> list[int]:
        paths = self._paths(name)
        return [number for number in folder_numbers(paths) if paths.manifest(number).exists()]

    def _readable(
        self, name: str, numbers: Sequence[int], on_error: Callable[[CorruptFileError], None]
    ) -> Iterator[ModelVersion]:
        for number in numbers:
            try:
                yield self.version(name, number)
            except CorruptFileError as error:
                on_error(error)

    def _known_numbers(self, name: str) -> list[int]:
        numbers = self._numbers(name)
        if not numbers:
            known = ", ".join(self.models()) or "none"
            place = self._store.paths.named / "models"
            raise UnknownModelError(f"no model {name!r} in {str(place)!r}; known: {known}")
        return numbers


def _note_registration(paths: ModelPaths, number: int, run_id: str) -> None:
    """Add the event of a registration unless it is there; a killed process may have left it or aliases.json out."""
    if any((each.kind, each.version) == (EventKind.REGISTERED, number) for each in read_events(paths)):
        refresh_aliases(paths)
    else:
        add_event(paths, EventKind.REGISTERED, number, reason=f"from {run_id}", by=None)
