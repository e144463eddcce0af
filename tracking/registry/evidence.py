"""What is known of the run that a version came from, as plain data: from the run, or from what an import brought."""

from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, TrackingError
from tracking.files import atomic, regular
from tracking.paths import RunPaths
from tracking.registry.model_records import ModelVersion
from tracking.store.store import Store
from tracking.values.jsontext import jsonable
from tracking.values.names import is_component

PROVENANCE, PATCH = "provenance.json", "provenance.patch"  # in the folder of an imported version
MOST_BYTES = 16 << 20  # of a file of facts
_SHOWN = ("experiment_name", "status", "created_at", "finished_at", "description", "tags", "params")
_KINDS: dict[str, type] = {
    **dict.fromkeys(
        ("tags", "params", "metrics", "data", "sweep", "git", "environment", "patch", "config"), dict
    ),
    "overrides": list,
}
_TEXT_BYTES = 1 << 20  # of the overrides


def evidence_of(store: Store, version: ModelVersion) -> dict[str, Any]:
    """Return the run with its parameters, metrics, data, sweep, code and environment; `left_out` says what is missing."""
    if version.origin is not None:
        return _imported(version)
    return run_facts(store, version.run_id)


def run_facts(store: Store, run_id: str) -> dict[str, Any]:
    """Return the facts of a run; of one that is gone, its id and in `left_out` why."""
    try:
        run = store.scan.record(store.require(run_id))
    except (TrackingError, OSError) as error:
        return {"run_id": run_id, "left_out": [str(error)]}
    paths, left_out = store.paths.run(run.run_id), list[str]()
    facts: dict[str, Any] = {"run_id": run.run_id}
    facts |= {name: _plain(getattr(run, name)) for name in _SHOWN}
    facts |= {"metrics": run.last_values, "data": run.data, "sweep": run.sweep}
    facts |= {"git": _object(paths.git, left_out), "environment": _object(paths.environment, left_out)}
    facts |= {
        "patch": _digest(paths.patch, left_out),
        "config": _digest(paths.config, left_out),
        "overrides": _lines(paths.overrides, left_out),
        "left_out": left_out,
    }
    found: dict[str, Any] = jsonable(facts)
    return found


def patch_of(store: Store, version: ModelVersion) -> Path | None:
    """Return the file with the changes to the commit that the run's code had; None without any."""
    if version.origin is not None:
        path = version.path / PATCH
    elif is_component(version.run_id):  # a manifest may come from anybody, and must not lead out of the store
        regular.refuse_link(store.paths.runs, store.paths.runs / version.run_id)
        path = RunPaths(store.paths.runs / version.run_id).patch
    else:
        return None
    return path if regular.is_file(path) else None


def _imported(version: ModelVersion) -> dict[str, Any]:
    left_out: list[str] = []
    path = version.path / PROVENANCE
    found = _object(path, left_out) or {}
    odd = [name for name, kind in _KINDS.items() if not isinstance(found.get(name), kind | None)]
    left_out += [f"{path} has {name} of another kind; export the version again" for name in odd]
    told = found.get("left_out")
    known = {name: value for name, value in found.items() if name not in odd}
    return {
        **known,
        "run_id": version.run_id,
        "left_out": [*left_out, *(told if isinstance(told, list) else ())],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _object(path: Path, left_out: list[str]) -> dict[str, Any] | None:
    try:
        return atomic.read_object(path, MOST_BYTES)
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        left_out.append(str(error))
        return None


def _digest(path: Path, left_out: list[str]) -> dict[str, Any] | None:
    try:
        return {"sha256": atomic.sha256(path), "bytes": path.stat().st_size}
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        left_out.append(str(error))
        return None


def _lines(path: Path, left_out: list[str]) -> list[str] | None:
    try:
        text = regular.read_bytes(path, _TEXT_BYTES).decode(errors="backslashreplace")
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        left_out.append(str(error))
        return None
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
