"""The settings that a version is judged by when none are given: those of its sweep, of an earlier verdict, or of its loader."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracking.errors import CorruptFileError, InvalidValueError, UnknownModelError
from tracking.files import read_json
from tracking.gate.rules import GateSettings, gate_settings
from tracking.registry import EventKind, ModelRegistry, ModelVersion

# Loaders whose models have a scorer of their own, with the thresholds that a sweep of such models asks for.
SCORERS = {"trainer:load_model": ("trainer.promotion.score", {"val_auc": 0.6, "val_r2": 0.0})}


@dataclass(frozen=True)
class Earlier:
    """Settings that are known of a version, and whose they are, in words."""

    settings: GateSettings
    source: str


def earlier_settings(registry: ModelRegistry, version: ModelVersion) -> Earlier | None:
    """Return the settings to judge a version by where none are given; None where nothing is known.

    The first that scores counts: the settings of the version's sweep, of its own verdict, of the champion's verdict, those of its
    loader. If none does, the first counts. What an imported version brings along is not read: it names functions of
    another store, which this one does not run.
    """
    found = list(_known(registry, version))
    return next((each for each in found if each.settings.scores), found[0] if found else None)


def refused_by_scores(registry: ModelRegistry, version: ModelVersion) -> bool:
    """Return whether the gate has refused a version by scores, unless somebody has promoted it since."""
    looked = refused = False
    for event in registry.history(version.name):
        if event.version != version.version:
            continue
        if event.kind is EventKind.LOOKED:
            looked = True
        elif event.kind is EventKind.REFUSED:
            refused = looked
        elif event.kind is EventKind.PROMOTED:
            looked = refused = False
    return refused


def _known(registry: ModelRegistry, version: ModelVersion) -> Iterator[Earlier]:
    if version.origin is None:
        sweep = str((version.sweep or {}).get("id") or "")
        yield from _read(_of_sweep(version, sweep), f"the sweep {sweep}")
        yield from _read(_of_verdict(registry, version), f"the verdict on v{version.version}")
    number = registry.aliases(version.name).get("champion")
    if number not in (None, version.version):
        with contextlib.suppress(CorruptFileError, UnknownModelError):
            champion = registry.version(version.name, number)
            if champion.origin is None:
                yield from _read(_of_verdict(registry, champion), f"the champion's verdict (v{number})")
    yield from _read(_of_loader(version), f"the loader {version.loader}")


def _read(raw: Any, source: str) -> Iterator[Earlier]:
    if isinstance(raw, Mapping):
        with contextlib.suppress(InvalidValueError):  # of a version of podium that had other keys
            yield Earlier(gate_settings(raw), source)


def _of_sweep(version: ModelVersion, sweep: str) -> Any:
    if not sweep:
        return None
    path = version.path.parents[2] / "sweeps" / sweep / "promotion.json"
    try:
        found = read_json(path)
    except (CorruptFileError, OSError):
        return None
    is_of_it = isinstance(found, Mapping) and (found.get("model_name"), found.get("version")) == (
        version.name,
        version.version,
    )
    return found.get("gate") if is_of_it else None


def _of_verdict(registry: ModelRegistry, version: ModelVersion) -> Any:
    try:
        found = registry.verdict(version.name, version.version)
    except (CorruptFileError, UnknownModelError):
        return None
    return None if found is None else found.facts.get("settings")


def _of_loader(version: ModelVersion) -> Any:
    if version.loader not in SCORERS:
        return None
    scorer, thresholds = SCORERS[version.loader]
    known = {name: bound for name, bound in thresholds.items() if name in version.metrics}
    return {"scorer": scorer, "rules": {"thresholds": known}}
