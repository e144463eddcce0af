"""ModelRegistry: the versions of each model, which one is the champion, and how to load it.

A version is a folder that is claimed by making it and becomes a version when its manifest is written, last and at
once. What never got that far is invisible.
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
from tracking.registry.events import add_event, champions, read_events
from tracking.registry.model_records import EventKind, ModelEvent, ModelVersion, Verdict
from tracking.store.scan import warn_left_out
from tracking.store.store import Store
from tracking.values import timestamps
from tracking.values.jsontext import revive
from tracking.values.names import check_artifact, check_component, is_component, natural_key
from tracking.values.plain import plain

RESERVED = frozenset({"manifest.json", "verdict.json", "config.yaml"})

TRUSTED = ("trainer",)  # packages whose loaders may be called without being asked for


class ModelRegistry:
    """The models of a store. Making one touches nothing on disk and fixes the folder; processes may share it."""

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
        "module:function", called by `load` with the version's folder. The same run again gives the version it
        already is. InvalidValueError when the run logged the objective's metric and `value` is neither its last
        value nor an extreme. When this raises, nothing that looks like a version is left, and no number is ever
        given twice.
        """
        paths = self._paths(model_name)
        run = self._store.scan.record(self._store.require(run_id))
        _check_loader(loader)
        sources = _sources(RunPaths(run.run_dir), files)
        manifest = _manifest(run, objective, metrics, loader)
        with locks.lock(paths.lock):
            for version in self._readable(model_name, self._numbers(model_name), warn_left_out):
                if version.run_id == run_id:
                    return version
            number = _add_version(paths, sources, manifest)
            add_event(paths, EventKind.REGISTERED, number, reason=f"from {run_id}", by=None)
        return self.version(model_name, number)

    def models(self) -> list[str]:
        """The names of all models that have a version, sorted."""
        with contextlib.suppress(FileNotFoundError):
            names = [
                entry.name
                for entry in os.scandir(self._store.paths.models)
                if entry.is_dir() and is_component(entry.name)
            ]
            return sorted((name for name in names if self._numbers(name)), key=natural_key)
        return []

    def versions(
        self, name: str, *, on_error: Callable[[CorruptFileError], None] = warn_left_out
    ) -> list[ModelVersion]:
        """All versions of a model, oldest first; UnknownModelError without any.

        Those with a damaged manifest, or one of a newer format, are left out and told to `on_error`.
        """
        return list(self._readable(name, self._known_numbers(name), on_error))

    def version(self, name: str, number: int) -> ModelVersion:
        """One version of a model."""
        paths = self._paths(name)
        if type(number) is not int:
            raise InvalidValueError(
                f"version {quoted(number)} of model {name!r} is no int; give a number, such as 3"
            )
        try:
            return _read_version(name, number, paths)
        except FileNotFoundError:
            numbers = ", ".join(map(str, self._known_numbers(name)))
            raise UnknownModelError(f"model {name!r} has no version {number!r}; it has {numbers}") from None

    def champion(self, name: str) -> ModelVersion | None:
        """The version to use, or None when none was promoted yet."""
        self._known_numbers(name)
        current = champions(read_events(self._paths(name)))
        return self.version(name, current[-1]) if current else None

    def history(self, name: str) -> list[ModelEvent]:
        """What happened to a model, oldest first."""
        self._known_numbers(name)
        return read_events(self._paths(name))

    def promote(self, name: str, version: int, *, reason: str, by: str | None = None) -> ModelVersion:
        """Make a version the champion; nothing happens when it already is. `by` defaults to the user's login.

        ModelLoadError when its files are not those that were registered.
        """
        if not reason.strip():
            raise InvalidValueError(
                "reason is empty: a promotion says why, such as 'beats version 2 by 0.01'"
            )
        chosen = self.version(name, version)
        verify(chosen)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            if champions(read_events(paths))[-1:] != [version]:
                add_event(paths, EventKind.PROMOTED, version, reason=reason, by=by)
        return chosen

    def rollback(self, name: str, *, reason: str = "") -> ModelVersion:
        """Make the champion before this one the champion again; UnknownModelError when there is none."""
        self._known_numbers(name)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            past = champions(read_events(paths))
            if len(past) < 2:
                now = f"version {past[0]} is the first champion" if past else "it has no champion"
                raise UnknownModelError(f"model {name!r} cannot be rolled back: {now}")
            before = self.version(name, past[-2])
            add_event(paths, EventKind.ROLLED_BACK, past[-2], reason=reason, by=None)
        return before

    def record_verdict(self, name: str, version: int, verdict: Verdict) -> None:
        """Keep the gate's decision beside the version."""
        self.version(name, version)
        atomic.write_json(self._paths(name).verdict(version), verdict.to_json())

    def verdict(self, name: str, version: int) -> Verdict | None:
        """The decision kept for a version, or None."""
        self.version(name, version)
        path = self._paths(name).verdict(version)
        try:
            return Verdict.from_json(revive(atomic.read_object(path)))
        except FileNotFoundError:
            return None
        except (KeyError, TypeError) as error:
            raise CorruptFileError(f"{path} is no verdict ({error!r}); remove the file") from None

    def load(self, name: str, version: int | None = None, *, allow: Sequence[str] = ()) -> Any:
        """Load a version, by default the champion, with the loader it was registered with.

        Every file's hash is checked first. The loader is only called when its top-level package is `trainer` or in
        `allow`; one that takes an `allow` of its own, for the classes it may import, is given the same.
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
        with contextlib.suppress(FileNotFoundError):
            texts = [
                entry.name.removeprefix("v")
                for entry in os.scandir(paths.folder)
                if entry.name.startswith("v")
            ]
            return sorted(
                int(text) for text in texts if text.isdecimal() and paths.manifest(int(text)).exists()
            )
        return []

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
    """Raise ModelLoadError when a file of a version is missing or not what was registered."""
    for name, expected in version.files.items():
        path = version.path / name
        if not path.is_file():
            raise ModelLoadError(
                f"{path} is missing; restore it or register the run again under another name"
            )
        if atomic.sha256(path) != expected:
            raise ModelLoadError(f"{path} is not the file that was registered: its SHA-256 is not {expected}")


def _sources(run: RunPaths, names: Sequence[str]) -> dict[str, Path]:
    if isinstance(names, str) or not names:
        raise InvalidValueError(
            f"files must be a list of artifact names, such as ['model_best.pt'], not {quoted(names)}"
        )
    sources = {}
    for name in map(check_artifact, names):
        if name in RESERVED:
            raise InvalidNameError(
                f"artifact name {name!r} is taken by the registry; log the file under another name"
            )
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
        return  # not logged there: nothing to contradict; and without a value the gate refuses
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
        atomic.write_json(paths.manifest(number), {**manifest, "version": number, "files": kept})
    except BaseException:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        raise
    return number


def _highest(paths: ModelPaths) -> int:
    """The highest number that was ever given, though its folder may be gone."""
    texts = [folder.name.removeprefix("v") for folder in paths.folder.iterdir()]
    numbers = [int(text) for text in texts if text.isdecimal()]
    return max([*numbers, *(event.version for event in read_events(paths))], default=0)


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
            f"{paths.manifest(number)} is no manifest ({error!r}); restore the file"
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
    if module.partition(".")[0] not in allow:
        raise ModelLoadError(
            f"{label} asks for the loader {version.loader!r}, and only {', '.join(allow)} may be "
            f"called; pass allow=[{module.partition('.')[0]!r}] if you trust it"
        )
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ModelLoadError(f"the loader {version.loader!r} of {label} cannot be found: {error}") from error
