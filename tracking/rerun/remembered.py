"""What the files of a run say of its objective, its config, its overrides and its seed."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tracking.errors import CorruptFileError, RerunError
from tracking.files import atomic, regular
from tracking.objective import At, Objective, best_available_metric
from tracking.paths import RunPaths
from tracking.records import RunRecord
from tracking.values import jsontext, yamltext

BYTES = 4 << 20
SEED_NAMES = ("seed", "random_seed", "random_state")


def object_of(path: Path) -> Mapping[str, Any]:
    """Return the object in git.json or env.json, an empty one without the file; raise RerunError for a damaged file."""
    try:
        return atomic.read_object(path)
    except FileNotFoundError:
        return {}
    except CorruptFileError as error:
        raise RerunError(f"what the run remembers cannot be read: {error}") from None


def recorded_config(paths: RunPaths) -> Path | None:
    """Return the file with the config of a run; None if it has none."""
    return paths.config if regular.is_file(paths.config) else None


def digest_of(record: RunRecord, paths: RunPaths) -> str:
    """Return the SHA-256 of all that a run is made again from: its code, command, environment, config, overrides, data."""
    digest = hashlib.sha256(str(record.fingerprint).encode())
    for path in (paths.git, paths.patch, paths.environment, paths.config, paths.overrides):
        held = atomic.sha256(path) if regular.is_file(path) else "none"
        digest.update(f"\n{path.name} {held}".encode())
    return digest.hexdigest()


def overrides_of(paths: RunPaths) -> list[str]:
    """Return the overrides of a run, each a line of YAML that is JSON too."""
    if not regular.is_file(paths.overrides):
        return []
    with regular.open_file(paths.overrides) as file:
        lines = file.read(BYTES).splitlines()
    found = []
    for line in lines:
        text = line.removeprefix(b"- ")
        try:
            found.append(str(jsontext.decode(text)))
        except ValueError:
            found.append(text.decode(errors="replace"))  # of other code, which writes YAML without quotes
    return found


def objective_of(record: RunRecord, paths: RunPaths, metric: str | None) -> Objective:
    """Return what a run is judged by: the metric that is asked for, that of its sweep, of its config, or the usual one.

    Raise RerunError for a metric that the run does not have.
    """
    if metric is not None:
        if metric not in record.summary:
            raise RerunError(
                f"run {record.run_id!r} has no metric {metric!r}; it has: {', '.join(record.summary) or 'none'}"
            )
        return Objective.of(metric, None, At.LAST)
    swept = (record.sweep or {}).get("objective")
    configured = _config(paths).get("objective")
    for told in (swept, configured):
        if isinstance(told, dict) and told.get("metric") in record.summary:
            return Objective.of(told["metric"], told.get("mode"), str(told.get("at") or At.BEST))
    return Objective.of(best_available_metric([record]), None, At.LAST)


def seed_of(
    env: Mapping[str, Any], paths: RunPaths, composed: Mapping[str, Any]
) -> tuple[str | None, int | None]:
    """Return the key of the config that sets the seed, and the seed; None for what is not known.

    The key is that which the run named with its seeds, else `seed`, else the one key of that name in a section. For a run
    that recorded no config, `composed` holds the whole numbers that Hydra composed when it was made again.
    """
    named = env.get("seeds")
    seeds = {
        name: value for name, value in (named if isinstance(named, dict) else {}).items() if _is_seed(value)
    }
    known = dict(_leaves(_config(paths), "")) or composed
    leaves = {key: value for key, value in known.items() if _is_seed(value)}
    below = [key for key in leaves if key.rpartition(".")[2] in SEED_NAMES]
    chosen = [key for key in (*seeds, *SEED_NAMES) if key in leaves] or (below if len(below) == 1 else [])
    if chosen:
        return chosen[0], leaves[chosen[0]]
    return None, next(iter(seeds.values()), None)


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _config(paths: RunPaths) -> dict[str, Any]:
    if not regular.is_file(paths.config):
        return {}
    with regular.open_file(paths.config) as file:
        text = file.read(BYTES)
    try:
        found = jsontext.decode(text)
    except ValueError:
        found = _yaml(text)
    return found if isinstance(found, dict) else {}


def _yaml(text: bytes) -> Any:
    try:
        return yamltext.decode(text)
    except (ImportError, ValueError):  # PyYAML comes with Hydra, which the tracker does not need
        return None


def _leaves(group: Mapping[Any, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in group.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
