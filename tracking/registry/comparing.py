"""Two versions beside each other: metrics, parameters, config, data, code, environment and verdicts."""

import difflib
from collections.abc import Mapping
from typing import Any

from tracking.errors import CorruptFileError
from tracking.files import regular
from tracking.registry.evidence import evidence_of
from tracking.registry.model_records import ModelVersion, Verdict
from tracking.store.store import Store
from tracking.values.names import natural_key
from tracking.values.plain import flat

SECTIONS = ("version", "metrics", "params", "data", "code", "environment", "packages", "verdict")
MOST_CONFIG = 4 << 20  # bytes of a config that is compared
_CODE = ("commit", "branch", "dirty", "remote", "folder", "reproducible")
_NOT_COMPARED = ("format", "packages", "argv")  # argv repeats command

Side = dict[str, dict[str, Any]]


def compared(
    store: Store,
    versions: tuple[ModelVersion, ModelVersion],
    verdicts: tuple[Verdict | None, Verdict | None],
    *,
    everything: bool = False,
) -> dict[str, Any]:
    """Return a dict per section from each name to its two values, and the lines in which the configs differ.

    Without `everything` only what differs is there.
    """
    sides = [_side(store, version, verdict) for version, verdict in zip(versions, verdicts, strict=True)]
    labels = [f"{version.name}@{version.version}" for version in versions]
    one, other = (_config(version) for version in versions)
    return {
        "versions": labels,
        **{name: _beside(sides[0][name], sides[1][name], everything=everything) for name in SECTIONS},
        "config": list(difflib.unified_diff(one, other, labels[0], labels[1], lineterm="", n=1)),
    }


def _beside(one: dict[str, Any], other: dict[str, Any], *, everything: bool) -> dict[str, list[Any]]:
    names = sorted({*one, *other}, key=natural_key)
    pairs = {name: [one.get(name), other.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if everything or not _is_same(*pair)}


def _is_same(one: Any, other: Any) -> bool:
    # nan equals nan; 1 differs from True, not from 1.0
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(one == other) or (one != one and other != other)


def _side(store: Store, version: ModelVersion, verdict: Verdict | None) -> Side:
    run = evidence_of(store, version)
    git, env, patch = (_mapping(run.get(name)) for name in ("git", "environment", "patch"))
    command = env.get("command")
    shown = {name: value for name, value in env.items() if name not in _NOT_COMPARED}
    if isinstance(command, list):
        shown["command"] = " ".join(map(str, command))
    return {
        "version": {
            "run": version.run_id,
            "experiment": run.get("experiment_name"),
            "sweep": (version.sweep or {}).get("id"),
            "loader": version.loader,
            **flat(
                {name: version.objective.get(name) for name in ("metric", "mode", "value", "step")},
                "objective.",
            ),
            **{f"files.{name}": f"sha256:{digest[:12]}" for name, digest in version.files.items()},
        },
        "metrics": dict(version.metrics),
        "params": flat(_mapping(run.get("params"))),
        "data": flat(version.data),
        "code": {
            **{name: git[name] for name in _CODE if name in git},
            **({"patch": f"sha256:{str(patch.get('sha256'))[:12]}"} if patch else {}),
        },
        "environment": flat(shown),
        "packages": dict(_mapping(env.get("packages"))),
        "verdict": _judged(verdict),
    }


def _judged(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    look, split = (_mapping(verdict.facts.get(name)) for name in ("look", "split"))
    return {
        "promote": verdict.promote,
        "sentence": verdict.sentence,
        "basis": verdict.basis,
        "champion": (verdict.champion or {}).get("version"),
        "look": look.get("number"),
        "split": split.get("hash"),
    }


def _config(version: ModelVersion) -> list[str]:
    path = version.path / "config.yaml"
    try:
        return regular.read_bytes(path, MOST_CONFIG).decode(errors="backslashreplace").splitlines()
    except FileNotFoundError:
        return []
    except CorruptFileError as error:
        return [str(error)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
