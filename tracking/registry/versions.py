"""The folder of one version: made from the artifacts of a run, read, and checked against its hashes."""

import math
import os
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tracking.errors import (
    CorruptFileError,
    InvalidNameError,
    InvalidValueError,
    MissingFileError,
    ModelLoadError,
    quoted,
)
from tracking.files import atomic, folders, regular
from tracking.objective import At, Objective
from tracking.paths import ModelPaths, RunPaths
from tracking.process.program import command
from tracking.records import FORMAT, RunRecord, check_format
from tracking.registry.counted import counted
from tracking.registry.events import read_events
from tracking.registry.given import names_of
from tracking.registry.model_records import ModelVersion
from tracking.values import timestamps
from tracking.values.jsontext import jsonable, kept, revive
from tracking.values.names import check_artifact, composed
from tracking.values.plain import plain

BESIDE = frozenset(
    {"manifest.json", "verdict.json", "scores.npz", "verdicts", "provenance.json", "provenance.patch"}
)
RESERVED = BESIDE | {"config.yaml"}
ALL = "*"  # stands for every artifact of a run

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_TYPES = {
    **dict.fromkeys(("files", "objective", "metrics", "data"), dict),
    "run_id": str,
    "sweep": dict | None,
    "loader": str | None,
}


def verify(version: ModelVersion) -> None:
    """Raise ModelLoadError if a file of a version is missing or differs from the registered one."""
    for name, expected in version.files.items():
        path = version.path / name
        if not regular.is_file(path):
            raise ModelLoadError(f"{path} is missing; restore it, or register the run again as a new version")
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
        if name.partition("/")[0] in RESERVED:
            raise InvalidNameError(
                f"artifact name {name!r} is taken by the registry; log the file under another name"
            )
    return checked


def sources_of(run: RunPaths, names: Sequence[str]) -> dict[str, Path]:
    """Return the artifacts of a run by name, and its config; raise MissingFileError for one that it lacks.

    The name `*` stands for all artifacts, which may be none.
    """
    sources: dict[str, Path] = {}
    names = names_of("files", names, "['model_best.pt']")
    if ALL in names:
        there = run.artifacts.iterdir() if run.artifacts.is_dir() else ()
        names = sorted({*names, *(each.name for each in there)} - {ALL})
    for name in check_files(names) if names else ():
        path = run.artifacts / name
        path = folders.followed(
            path if path.exists() else run.artifacts / composed(name), run.folder.parents[1]
        )
        if regular.is_folder(path):
            below = {each.relative_to(path).as_posix(): each for each in folders.walk(path)}
            sources |= {
                check_artifact(f"{name}/{inner}"): each
                for inner, each in sorted(below.items())
                if regular.is_file(each)
            }
            continue
        sources[name] = path
        if not sources[name].is_file():
            present = sorted(
                str(path.relative_to(run.artifacts)) for path in run.artifacts.rglob("*") if path.is_file()
            )
            raise MissingFileError(
                f"run {run.folder.name} has no artifact {name!r}; it has: {', '.join(present) or 'none'}"
            )
    return {**sources, **({"config.yaml": run.config} if regular.is_file(run.config) else {})}


def manifest_of(
    run: RunRecord,
    objective: Mapping[str, Any],
    metrics: Mapping[str, float] | None,
    loader: str | None,
    repeats: Sequence[RunRecord] = (),
    *,
    full: Callable[[], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the manifest of a version except its number and files; raise InvalidValueError for a wrong objective.

    With `repeats` the objective's value is the mean over these runs. Without `metrics` they are those of the run at the
    step of the objective's value, which the manifest names; `full` returns the run with its points.
    """
    if not objective.get("metric") or objective.get("mode") not in ("max", "min"):
        raise InvalidValueError(
            f"objective {quoted(dict(objective))} needs 'metric', 'mode' ('max' or 'min') and 'value'"
        )
    if repeats:
        _check_mean(repeats, objective)
    else:
        _check_value(run, objective["metric"], objective.get("value"))
    if not metrics:
        metrics, step = counted(run, objective, full)
        objective = {**objective, "step": step}
    return {
        "format": FORMAT,
        "run_id": run.run_id,
        "experiment_name": run.experiment_name,
        "created_at": timestamps.now(),
        "objective": kept(plain(objective, "objective")),
        "metrics": plain(metrics, "metrics"),
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


def _check_mean(runs: Sequence[RunRecord], objective: Mapping[str, Any]) -> None:
    kind = Objective.of(objective["metric"], objective["mode"], objective.get("at") or At.BEST)
    values = [kind.value(run) for run in runs if kind.metric in run.summary]
    if not values:
        return  # no run logged it, as above
    known = [value for value in values if value is not None]
    mean = statistics.fmean(known) if len(known) == len(runs) else None
    if mean is None or not _is_same(objective.get("value"), mean):
        raise InvalidValueError(
            f"the objective's value {quoted(objective.get('value'))} is not the mean of the {kind.at} {kind.label} of "
            f"{', '.join(run.run_id for run in runs)}, which is {mean}"
        )


def _is_same(value: Any, known: float) -> bool:
    try:
        return math.isclose(value, known, rel_tol=1e-9) or (math.isnan(value) and math.isnan(known))
    except TypeError:
        return False


def add_version(
    paths: ModelPaths,
    sources: Mapping[str, Path],
    manifest: dict[str, Any],
    *,
    beside: Mapping[str, Path] | None = None,
    expected: Mapping[str, str] | None = None,
) -> int:
    """Copy the files into a new version and return its number; leave nothing when that fails.

    The files of `beside` are copied too, and are none of the model's. Raise CorruptFileError for a copy whose SHA-256 is not
    the one of `expected`.
    """
    number, folder = folders.claim_dir(paths.folder, "v{}".format, first=1 + _highest(paths))
    try:
        for name, source in {**sources, **(beside or {})}.items():
            folders.make_dir((folder / name).parent)
            atomic.copy_file(source, folder / name)
            if expected is not None and atomic.sha256(folder / name) != expected.get(name):
                raise CorruptFileError(
                    f"{source} is not the file that was exported; export the version again"
                )
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


def folder_numbers(paths: ModelPaths) -> list[int]:
    """Return the numbers of the folders of versions, complete or not; raise CorruptFileError if they cannot be listed."""
    if paths.folder.is_symlink():
        return []
    try:
        with os.scandir(paths.folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith("v")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CorruptFileError(
            f"{paths.folder} cannot be listed ({error.strerror or error}); make it readable"
        ) from None
    return sorted(int(name[1:]) for name in names if _NUMBER.fullmatch(name[1:]))


def is_complete(paths: ModelPaths, number: int) -> bool:
    """Return whether a version has a manifest, though it may be damaged."""
    if not regular.is_folder(paths.version(number)):
        return False
    try:
        paths.manifest(number).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # reading it will name what is wrong
    return True


def read_version(number: int, paths: ModelPaths) -> ModelVersion:
    """Return a version from its manifest; raise CorruptFileError for one that is damaged or lost."""
    name, path = paths.folder.name, paths.manifest(number)
    try:
        manifest = atomic.read_object(path)
    except (FileNotFoundError, NotADirectoryError):
        raise CorruptFileError(
            f"{paths.version(number)} is lost, the folder or its manifest.json: version {number} of model {name!r} was "
            f"registered; restore it, or remove the version: {command(f'remove {name}@{number}')}"
        ) from None
    except OSError as error:
        raise CorruptFileError(
            f"{path} cannot be read ({error.strerror or error}); restore the file"
        ) from None
    check_format(manifest, path)
    try:
        return version_of(manifest, name, number, paths.version(number))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not a manifest ({error!r}); restore the file") from None


def version_of(manifest: Mapping[str, Any], name: str, number: int, folder: Path) -> ModelVersion:
    """Return the version that a manifest describes; raise KeyError, TypeError, ValueError or AttributeError when it is none."""
    _check_types(manifest)
    return ModelVersion(
        name=name,
        version=number,
        path=folder,
        run_id=manifest["run_id"],
        files={check_artifact(file): kept["sha256"] for file, kept in manifest["files"].items()},
        objective=revive(manifest["objective"]),
        metrics=revive(manifest["metrics"]),
        data=manifest["data"],
        sweep=manifest["sweep"],
        loader=manifest["loader"],
        created_at=timestamps.parse(manifest["created_at"]),
        origin=manifest.get("origin"),
    )


def is_same(version: ModelVersion, sources: Mapping[str, Path], manifest: Mapping[str, Any]) -> bool:
    """Return whether a version is intact and what these files and this manifest would make."""
    for name in ("run_id", "objective", "metrics", "loader"):
        stated, meant = jsonable(getattr(version, name)), jsonable(manifest[name])
        if name == "objective":  # version 0.1.0 does not say which value of the run it is, nor of which step
            stated, meant = ({**each, "at": None, "step": None} for each in (stated, meant))
        if stated != meant:
            return False
    if {name: atomic.sha256(source) for name, source in sources.items()} != version.files:
        return False
    try:
        verify(version)
    except ModelLoadError:
        return False  # what was registered is no longer there
    return True


def remove_folder(folder: Path) -> None:
    """Remove the folder of a version, or what lies in its place; a missing one is fine."""
    if folder.is_dir() and not folder.is_symlink():
        folders.remove(folder)
    else:
        folder.unlink(missing_ok=True)


def _highest(paths: ModelPaths) -> int:
    """Return the highest number ever used, though its folder may be gone."""
    return max([*folder_numbers(paths), *(event.version for event in read_events(paths))], default=0)


def _check_types(manifest: Mapping[str, Any]) -> None:
    if not isinstance(manifest.get("origin"), dict | None):
        raise TypeError(f"origin is {quoted(manifest['origin'])}")
    for name, kinds in _TYPES.items():
        if not isinstance(manifest[name], kinds):
            raise TypeError(f"{name} is {quoted(manifest[name])}")
