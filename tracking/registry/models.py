"""ModelRegistry: register versions of models, promote champions, and load them.

A version is a folder, claimed by creating it. The manifest is written last and atomically; a folder without one is
not a version.
"""

import inspect
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tracking.errors import (
    CorruptFileError,
    InvalidValueError,
    ModelLoadError,
    UnknownModelError,
    quoted,
)
from tracking.files import atomic, folders, locks, regular
from tracking.paths import ModelPaths, RunPaths
from tracking.registry.events import (
    CHAMPION,
    add_event,
    aliases_of,
    lost_aliases,
    lost_champion,
    read_events,
    refresh_aliases,
    registrations,
    removed,
    standing,
)
from tracking.registry.loading import check_loader, loader_of
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion, Verdict
from tracking.registry.versions import (
    add_version,
    folder_numbers,
    is_complete,
    is_same,
    manifest_of,
    read_version,
    remove_folder,
    sources_of,
    verify,
)
from tracking.store.scan import OnError, warn_left_out
from tracking.store.store import Store
from tracking.values.jsontext import revive
from tracking.values.names import check_component

log = logging.getLogger("tracking")


class ModelRegistry:
    """The models of a store; safe to share between processes.

    Creating the object touches nothing on disk and fixes the folder.
    """

    def __init__(self, base_dir: str | os.PathLike[str] = "experiments") -> None:
        self._store = Store(base_dir)

    def __repr__(self) -> str:
        return f"ModelRegistry({str(self._store.paths.named)!r})"

    def _repr_html_(self) -> str:
        from tracking.values import htmltext  # for those who look at a registry

        rows = []
        for name in self.models():
            champion, numbers = self.champion(name), self._numbers(name)
            objective = champion.objective if champion else {}
            version, run_id = (champion.version, champion.run_id) if champion else (None, None)
            rows.append(
                (name, len(numbers), version, objective.get("metric"), objective.get("value"), run_id)
            )
        columns = ("model", "versions", "champion", "metric", "value", "run")
        notes = [] if rows else ["no models yet"]
        return htmltext.table(columns, rows, title=f"Models in {self._store.paths.named}", notes=notes)

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
        """Copy artifacts of a run (`["*"]`: all), and its config.yaml, into a new version of a model.

        `objective` is {"metric", "mode", "value"} and may say by "at" which value of the run it is, and by "runs" that it is
        the mean over these, such as folds; `metrics` default to those of the run at the step of its value, which the
        version's objective names as "step"; `loader` is "module:function", called by `load` with the version's folder. A run that is registered already with the same
        files and arguments returns its version; otherwise it gets a new one. Raise InvalidValueError if the run logged
        the objective's metric and `value` is neither its last value nor an extreme, or not that mean. After an error no version is left,
        and no number is used twice.
        """
        paths = self._paths(model_name)
        run = self._store.scan.record(self._store.require(run_id))
        run_id = run.run_id
        check_loader(loader)
        sources = sources_of(RunPaths(run.run_dir), files)
        repeats = [self._store.scan.record(self._store.require(each)) for each in objective.get("runs", ())]
        manifest = manifest_of(
            run, objective, metrics, loader, repeats, full=lambda: self._store.full(run_id) or {}
        )
        with locks.lock(paths.lock):
            # under the lock, so that two processes do not register one run twice
            for version in self._readable(model_name, self._numbers(model_name), warn_left_out):
                if is_same(version, sources, manifest):
                    _note_registration(paths, version.version, run_id)
                    return version
            number = add_version(paths, sources, manifest)
            _note_registration(paths, number, run_id)
        return self.version(model_name, number)

    def models(self, *, on_error: OnError = warn_left_out) -> list[str]:
        """Return the names of all models that have a version, sorted; one that cannot be read goes to `on_error`."""
        found = []
        root = self._store.paths.models
        for name in folders.named_folders(root):
            try:
                if regular.is_folder(root / name) and self._numbers(name):
                    found.append(name)
            except CorruptFileError as error:
                on_error(error)
        return found

    def versions(self, name: str, *, on_error: OnError = warn_left_out) -> list[ModelVersion]:
        """Return all versions of a model, oldest first; raise UnknownModelError without any.

        A version that is lost, damaged or of a newer format is left out and passed to `on_error`.
        """
        return list(self._readable(name, self._known_numbers(name), on_error))

    def version(self, name: str, number: int) -> ModelVersion:
        """Return one version of a model; raise CorruptFileError for one that is lost or damaged."""
        if type(number) is not int:  # True is an int, and 3.0 == 3
            raise InvalidValueError(
                f"version {quoted(number)} of model {name!r} is not an int; give a number, such as 3"
            )
        numbers = self._known_numbers(name)
        if number not in numbers:
            known = ", ".join(map(str, numbers))
            raise UnknownModelError(f"model {name!r} has no version {number!r}; it has {known}")
        return read_version(number, self._paths(name))

    def origins(self, name: str) -> dict[int, str]:
        """Return the run that each version came from, also for lost and damaged ones.

        Raise CorruptFileError for a version of which neither the manifest nor the history says it.
        """
        paths = self._paths(name)
        told = registrations(self._events_if_readable(paths))
        found = {}
        for number in self._known_numbers(name):
            try:
                found[number] = read_version(number, paths).run_id
            except CorruptFileError:
                run_id = told.get(number)
                if run_id is None:
                    raise
                found[number] = run_id
        return found

    def champion(self, name: str) -> ModelVersion | None:
        """Return the champion of a model, or None if no version was promoted."""
        current = self.aliases(name).get(CHAMPION)
        return None if current is None else self.version(name, current)

    def aliases(self, name: str) -> dict[str, int]:
        """Return the number of the version that each alias names; "champion" is one of them."""
        self._known_numbers(name)
        return aliases_of(self._paths(name))

    def history(self, name: str) -> list[ModelEvent]:
        """Return the events of a model, oldest first; those of a removed model too."""
        events = read_events(self._paths(name))
        if not events:
            self._known_numbers(name)
        return events

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
            events = read_events(paths)
            # a champion without an event gets one: its own was lost
            if standing(paths, events)[-1:] != [version] or lost_champion(paths, events) == version:
                add_event(paths, EventKind.PROMOTED, version, reason=reason, by=by)
            else:
                refresh_aliases(paths)
        return chosen

    def rollback(self, name: str, *, reason: str = "", by: str | None = None) -> ModelVersion:
        """Make the newest earlier champion that is intact the champion again; log those that it steps over.

        Raise UnknownModelError when there is none.
        """
        self._known_numbers(name)
        paths = self._paths(name)
        while True:
            past = standing(paths)
            before = self._intact_before(name, past)
            with locks.lock(paths.lock):
                if standing(paths) == past:  # else another process was faster: look again
                    add_event(paths, EventKind.ROLLED_BACK, before.version, reason=reason, by=by)
                    return before

    def set_alias(
        self, name: str, alias: str, version: int, *, reason: str = "", by: str | None = None
    ) -> ModelVersion:
        """Let an alias, such as "staging", name a version; it names no other then.

        Raise ModelLoadError if its files are not those that were registered.
        """
        _check_alias(alias)
        chosen = self.version(name, version)
        verify(chosen)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            events = read_events(paths)
            is_lost = lost_aliases(paths, events).get(alias) == version
            if is_lost or aliases_of(paths, events).get(alias) != version:
                add_event(paths, EventKind.ALIASED, version, reason=reason, by=by, alias=alias)
            else:
                refresh_aliases(paths)
        return chosen

    def remove_alias(self, name: str, alias: str, *, reason: str = "", by: str | None = None) -> None:
        """Let an alias name nothing; raise UnknownModelError when it names nothing already."""
        _check_alias(alias)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            version = self._named(name, alias)
            add_event(paths, EventKind.UNALIASED, version, reason=reason, by=by, alias=alias)

    def remove(
        self, name: str, version: int | None = None, *, reason: str = "", by: str | None = None
    ) -> list[int]:
        """Remove a version for good, or with None all of a model; return their numbers, which are not used again.

        The history stays, and runs that only these versions came from can be deleted. Raise InvalidValueError for a
        single version that is the champion or has an alias.
        """
        paths = self._paths(name)
        self._known_numbers(name)  # so that an unknown model gets no folder by the lock
        with locks.lock(paths.lock):
            numbers = self._known_numbers(name)
            if version is not None:
                self._check_removable(name, version, numbers)
                numbers = [version]
            # first: a kill in between leaves folders that are no versions, which doctor removes
            add_event(paths, EventKind.REMOVED, *numbers, reason=reason, by=by)
            for number in numbers:
                remove_folder(paths.version(number))
        return numbers

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

    def load(self, name: str, version: int | str | None = None, *, allow: Sequence[str] = ()) -> Any:
        """Load a version, given by number or alias and by default the champion, with the loader it was registered with.

        Check the hash of every file first. Call the loader only if it is `trainer:load_model`, or is defined in a
        package in `allow`; a loader with a parameter `allow`, for the classes it may import, gets the same.
        """
        number = self._named(name, version or CHAMPION) if isinstance(version, str | None) else version
        chosen = self.version(name, number)
        verify(chosen)
        packages = (allow,) if isinstance(allow, str) else tuple(allow)
        loader = loader_of(chosen, packages)
        if "allow" in inspect.signature(loader).parameters:
            return loader(chosen.path, allow=packages)
        return loader(chosen.path)

    def _paths(self, name: str) -> ModelPaths:
        models = self._store.paths.models
        paths = ModelPaths(models / check_component("model name", name))
        regular.refuse_link(models, paths.folder)  # here, because every method asks here where a model lies
        return paths

    def _numbers(self, name: str) -> list[int]:
        """Return the versions that have a manifest, and the lost ones that only the history has."""
        paths = self._paths(name)
        events = self._events_if_readable(paths)
        there = {number for number in folder_numbers(paths) if is_complete(paths, number)}
        return sorted((there | registrations(events).keys()) - removed(events))

    def _events_if_readable(self, paths: ModelPaths) -> list[ModelEvent]:
        try:
            return read_events(paths)
        except CorruptFileError:
            return []  # versions are listed without it; whoever asks for the history gets the error

    def _readable(self, name: str, numbers: Sequence[int], on_error: OnError) -> Iterator[ModelVersion]:
        paths = self._paths(name)
        for number in numbers:
            try:
                yield read_version(number, paths)
            except CorruptFileError as error:
                on_error(error)

    def _named(self, name: str, alias: str) -> int:
        """Return the number of the version that an alias names."""
        aliases = self.aliases(name)
        if alias not in aliases and alias == CHAMPION:
            raise UnknownModelError(f"model {name!r} has no champion; promote a version or name one")
        if alias not in aliases:
            known = ", ".join(aliases) or "none"
            raise UnknownModelError(f"model {name!r} has no alias {quoted(alias)}; it has: {known}")
        return aliases[alias]

    def _intact_before(self, name: str, past: Sequence[int]) -> ModelVersion:
        """Return the newest champion before the last that can be loaded."""
        refused = f"model {name!r} cannot be rolled back"
        if not past:
            raise UnknownModelError(f"{refused}: it has no champion")
        earlier = [number for number in dict.fromkeys(reversed(past)) if number != past[-1]]
        faults = []
        for number in earlier:
            try:
                version = self.version(name, number)
                verify(version)
            except (CorruptFileError, ModelLoadError, UnknownModelError) as error:
                faults.append(f"version {number} cannot be the champion of {name!r}: {error}")
                continue
            for fault in faults:
                log.warning("stepped over: %s", fault)
            return version
        raise UnknownModelError(
            f"{refused}: {'; '.join(faults) or f'version {past[-1]} is the first champion'}"
        )

    def _check_removable(self, name: str, version: int, numbers: Sequence[int]) -> None:
        if version not in numbers or type(version) is not int:
            self.version(name, version)  # says what is wrong
        paths = self._paths(name)
        by_alias = aliases_of(paths, self._events_if_readable(paths))
        held = [alias for alias, number in by_alias.items() if number == version]
        if held:
            raise InvalidValueError(
                f"version {version} of {name!r} is its {' and '.join(held)}; promote or roll back to another version, "
                "let the alias name another, or remove the whole model"
            )

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
        reason = f"from {run_id}"
        add_event(paths, EventKind.REGISTERED, number, reason=reason, by=None, run_id=run_id)


def _check_alias(alias: str) -> None:
    check_component("alias", alias, example="staging")
    if alias == CHAMPION:
        raise InvalidValueError(
            "the alias 'champion' is moved by promote and rollback alone; choose another name"
        )
    if alias.isdecimal():
        raise InvalidValueError(
            f"alias {alias!r} reads like the number of a version; choose a name such as 'staging'"
        )
