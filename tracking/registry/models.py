"""ModelRegistry: register versions of models, promote champions, and load them.

A version is a folder, claimed by creating it. The manifest is written last and atomically; a folder without one is
not a version.
"""

import contextlib
import importlib
import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tracking.errors import (
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    ModelLoadError,
    UnknownModelError,
    quoted,
)
from tracking.files import atomic, folders, locks
from tracking.paths import ModelPaths, RunPaths
from tracking.records import FORMAT, RunRecord, check_format
from tracking.registry.events import add_event, champions, read_events, refresh_aliases
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion, Verdict
from tracking.store.scan import warn_left_out
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.jsontext import revive
from tracking.values.names import check_artifact, check_component
from tracking.values.plain import plain

RESERVED = frozenset({"manifest.json", "verdict.json", "config.yaml"})
TRUSTED = ("trainer",)  # packages whose loaders may be called without `allow`


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
        _check_loader(loader)
        sources = _sources(RunPaths(run.run_dir), files)
        manifest = _manifest(run, objective, metrics, loader)
        with locks.lock(paths.lock):
            # under the lock, so that two processes do not register one run twice
            for version in self._readable(model_name, self._numbers(model_name), warn_left_out):
                if version.run_id == run_id:
                    _note_registration(paths, version.version, run_id)
                    return version
            number = _add_version(paths, sources, manifest)
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
            return _read_version(name, number, paths)
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

        Check the hash of every file first. Call the loader only if its top-level package is `trainer` or in `allow`;
        a loader with a parameter `allow`, for the classes it may import, gets the same.
        """
        chosen = self.champion(name) if version is None else self.version(name, version)
        if chosen is None:
            raise UnknownModelError(f"model {name!r} has no champion; promote a version or name one")
        verify(chosen)
        loader = _loader(chosen, (*TRUSTED, *allow))
        if "allow" in inspect.signature(loader).parameters:
            return loader(chosen.path, allow=tuple(allow))
        return loader(chosen.path)

    def _paths(self, name: str) -> ModelPaths:
        return ModelPaths(self._store.paths.models / check_component("model name", name))

    def _numbers(self, name: str) -> list[int]:
        paths = self._paths(name)
        return [number for number in _folder_numbers(paths) if paths.manifest(number).exists()]

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


def verify(version: ModelVersion) -> None:
    """Raise ModelLoadError if a file of a version is missing or differs from the registered one."""
    for name, expected in version.files.items():
        path = version.path / name
        if not path.is_file():
            raise ModelLoadError(
                f"{path} is missing; restore it or register the run again under another name"
            )
        if atomic.sha256(path) != expected:
            raise ModelLoadError(f"{path} is not the file that was registered: its SHA-256 is not {expected}")


def check_files(names: Sequence[str]) -> list[str]:
    """Return the names of artifacts that may make up a model; raise InvalidValueError or InvalidNameError for others."""
    if isinstance(names, str) or not names:
        raise InvalidValueError(
            f"files must be a list of artifact names, such as ['model_best.pt'], not {quoted(names)}"
        )
    checked = [check_artifact(name) for name in names]
    for name in checked:
        if name in RESERVED:
            raise InvalidNameError(
                f"artifact name {name!r} is taken by the registry; log the file under another name"
            )
    return checked


def _sources(run: RunPaths, names: Sequence[str]) -> dict[str, Path]:
    sources = {}
    for name in check_files(names):
        sources[name] = run.artifacts / name
        if not sources[name].is_file():
            present = sorted(
                str(path.relative_to(run.artifacts)) for path in run.artifacts.rglob("*") if path.is_file()
            )
            raise MissingFileError(
                f"run {run.folder.name} has no artifact {name!r}; it has: {', '.join(present) or 'none'}"
            )
    return {**sources, **({"config.yaml": run.config} if run.config.exists() else {})}


def _manifest(
    run: RunRecord, objective: Mapping[str, Any], metrics: Mapping[str, float] | None, loader: str | None
) -> dict[str, Any]:
    if not objective.get("metric") or objective.get("mode") not in ("max", "min"):
        raise InvalidValueError(
            f"objective {quoted(dict(objective))} needs 'metric', 'mode' ('max' or 'min') and 'value'"
        )
    _check_value(run, objective["metric"], objective.get("value"))
    return {
        "format": FORMAT,
        "run_id": run.run_id,
        "experiment_name": run.experiment_name,
        "created_at": timestamps.now(),
        "objective": plain(objective, "objective"),
        "metrics": plain(metrics or run.last_values, "metrics"),
        "data": run.data,
        "sweep": run.sweep,
        "loader": loader,
    }


def _check_value(run: RunRecord, metric: str, value: Any) -> None:
    summary = run.summary.get(metric)
    if summary is None or value is None:
        return  # the run did not log it, or the gate will refuse it
    logged = {"last": summary.last, "min": summary.min, "max": summary.max}
    if not any(_is_same(value, known) for known in logged.values() if known is not None):
        text = ", ".join(f"{name} {known}" for name, known in logged.items())
        raise InvalidValueError(
            f"the objective's value {quoted(value)} contradicts run {run.run_id}, whose {metric} is: {text}; give one of these"
        )


def _is_same(value: Any, known: float) -> bool:
    try:
        return math.isclose(value, known, rel_tol=1e-9) or (math.isnan(value) and math.isnan(known))
    except TypeError:
        return False


def _add_version(paths: ModelPaths, sources: Mapping[str, Path], manifest: dict[str, Any]) -> int:
    number, folder = folders.claim_dir(paths.folder, "v{}".format, first=1 + _highest(paths))
    try:
        for name, source in sources.items():
            folders.make_dir((folder / name).parent)
            atomic.copy_file(source, folder / name)
        kept = {
            name: {"sha256": atomic.sha256(folder / name), "bytes": (folder / name).stat().st_size}
            for name in sources
        }
        # last: without a manifest the folder is not a version
        atomic.write_json(paths.manifest(number), {**manifest, "version": number, "files": kept})
    except BaseException:
        import shutil  # most processes never need it

        shutil.rmtree(folder, ignore_errors=True)
        raise
    return number


def _note_registration(paths: ModelPaths, number: int, run_id: str) -> None:
    """Add the event of a registration unless it is there; a killed process may have left it or aliases.json out."""
    if any((each.kind, each.version) == (EventKind.REGISTERED, number) for each in read_events(paths)):
        refresh_aliases(paths)
    else:
        add_event(paths, EventKind.REGISTERED, number, reason=f"from {run_id}", by=None)


def _highest(paths: ModelPaths) -> int:
    """Return the highest number ever used, though its folder may be gone."""
    return max([*_folder_numbers(paths), *(event.version for event in read_events(paths))], default=0)


def _folder_numbers(paths: ModelPaths) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        names = (entry.name for entry in os.scandir(paths.folder) if entry.name.startswith("v"))
        return sorted(int(name[1:]) for name in names if name[1:].isdecimal())
    return []


def _read_version(name: str, number: int, paths: ModelPaths) -> ModelVersion:
    manifest = atomic.read_object(paths.manifest(number))
    check_format(manifest, paths.manifest(number))
    try:
        return ModelVersion(
            name=name,
            version=number,
            path=paths.version(number),
            run_id=manifest["run_id"],
            files={check_artifact(file): kept["sha256"] for file, kept in manifest["files"].items()},
            objective=revive(manifest["objective"]),
            metrics=revive(manifest["metrics"]),
            data=manifest["data"],
            sweep=manifest["sweep"],
            loader=manifest["loader"],
            created_at=timestamps.parse(manifest["created_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(
            f"{paths.manifest(number)} is not a manifest ({error!r}); restore the file"
        ) from None


def _check_loader(loader: str | None) -> None:
    if loader is None:
        return
    module, colon, function = loader.partition(":")
    if not (colon and all(part.isidentifier() for part in [*module.split("."), function])):
        raise InvalidValueError(
            f"loader {quoted(loader)} must be 'module:function', such as 'trainer:load_model'"
        )


def _loader(version: ModelVersion, allow: Sequence[str]) -> Any:
    label = f"version {version.version} of {version.name!r}"
    if version.loader is None:
        raise ModelLoadError(f"{label} was registered without a loader; read its files in {version.path}")
    _check_loader(version.loader)
    module, _, function = version.loader.partition(":")
    # importing a module runs its code, so the manifest alone must not choose it
    if module.partition(".")[0] not in allow:
        raise ModelLoadError(
            f"{label} asks for the loader {version.loader!r}, and only {', '.join(allow)} may be "
            f"called; pass allow=[{module.partition('.')[0]!r}] if you trust it"
        )
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ModelLoadError(f"the loader {version.loader!r} of {label} cannot be found: {error}") from error
