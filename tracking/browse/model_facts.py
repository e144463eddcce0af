"""The registered models as plain data: versions, champions with their history, verdicts, and how to load one."""

import functools
import shlex
from pathlib import Path
from typing import Any

from tracking.browse import cells
from tracking.errors import CorruptFileError, TrackingError, UnknownModelError
from tracking.metrics.summary_file import size_of
from tracking.paths import RunPaths, StorePaths
from tracking.process.program import command
from tracking.registry import EventKind, KeptVerdict, ModelEvent, ModelRegistry, ModelVersion, Verdict
from tracking.registry.judgements import FOLDER, NAME, last_promotion, that_promoted
from tracking.rerun import results_of
from tracking.store.scan import OnError
from tracking.verdicts import brief_of, whole_of

CHAMPION = "champion"
VERDICT = "verdict.json"
MOST_BRIEFS = 512  # verdicts that are kept in short
MOST_VERDICTS = 200  # on a version that are listed, the last ones
MOST_EVENTS = 1000  # of a model's history that are shown, the last ones


class Faults(list[str]):
    """What could not be read, a sentence each."""

    def __call__(self, error: CorruptFileError) -> None:
        """Add an error."""
        self.append(str(cells.value(str(error))))


def models_of(registry: ModelRegistry) -> dict[str, Any]:
    """Return all models with their champions; what is damaged is named in `left_out`."""
    faults = Faults()
    models = [_model_line(registry, name, faults) for name in registry.models(on_error=faults)]
    return {"models": models, "left_out": list(dict.fromkeys(faults))}


def model_of(registry: ModelRegistry, name: str, store: Path) -> dict[str, Any]:
    """Return one model with all its versions, the newest first, archived ones too; raise UnknownModelError without it."""
    faults = Faults()
    every = registry.versions(name, with_archived=True, on_error=faults)
    gone = registry.archived(name)
    versions = [version for version in every if version.version not in gone]
    aliases = _aliases(registry, name, faults)
    events = _events(registry, name, faults)
    return {
        "name": cells.value(name),
        "champion": aliases.get(CHAMPION),
        "aliases": cells.value(aliases),
        "versions": [
            {
                **_version(registry, version, faults, store),
                "archived": _archived(version.version, gone, events),
                "promoted": _promoted(version.version, events),
            }
            for version in reversed(every)
        ],
        "events": [_event(event) for event in events[-MOST_EVENTS:]],
        "load": _load(store, name, versions, aliases),
        "commands": _commands(name, versions, aliases),
        "left_out": list(dict.fromkeys(faults)),
    }


def version_of(
    registry: ModelRegistry, name: str, number: int, *, which: int | None = None
) -> dict[str, Any]:
    """Return what is shown of one version when it is looked at: a verdict on it, all in short, and the code of its run.

    The verdict is the one that counts, or the kept one with the number `which`. Raise UnknownModelError without it.
    """
    faults = Faults()
    registry.version(name, number)
    known = registry.verdicts(name, number)
    if which is None:
        verdict = _whole_verdict(registry, name, number, faults)
        shown = next((each.number for each in known if each.counts), None)
    else:
        kept = next((each for each in known if each.number == which), None)
        if kept is None:
            raise UnknownModelError(f"version {number} of {name!r} has no verdict {which}")
        verdict, shown = whole_of(kept.verdict, number), kept.number
    promoter = that_promoted(last_promotion(_events(registry, name, faults), number), known)
    return {
        "verdict": verdict,
        "number": shown,
        "promoted_by": None if promoter is None else promoter.number,
        "verdicts": [_kept(each, number) for each in reversed(known)][:MOST_VERDICTS],
        "code": _code(registry, name, number, faults),
        "left_out": list(faults),
    }


def versions_from(registry: ModelRegistry, run_id: str) -> list[dict[str, Any]]:
    """Return the versions that were registered from a run; what cannot be read is left out."""
    faults = Faults()
    found = []
    for name in registry.models(on_error=faults):
        for version in _versions(registry, name, faults):
            runs = (version.run_id, *(version.objective.get("runs") or ()))
            if version.origin is None and run_id in runs:  # an imported one names a run of another store
                aliases = _aliases(registry, name, faults)
                named = [alias for alias, number in aliases.items() if number == version.version]
                found.append(
                    {"name": cells.value(name), "version": version.version, "aliases": cells.value(named)}
                )
    return found


def _model_line(registry: ModelRegistry, name: str, faults: Faults) -> dict[str, Any]:
    versions = _versions(registry, name, faults)
    number = _aliases(registry, name, faults).get(CHAMPION)
    champion = next((version for version in versions if version.version == number), None)
    since = [
        event.at
        for event in _events(registry, name, faults)
        if event.version == number and event.kind in (EventKind.PROMOTED, EventKind.ROLLED_BACK)
    ]
    verdicts = (_verdict(registry, version, faults) for version in reversed(versions))
    return {
        "name": cells.value(name),
        "versions": len(versions),
        "champion": champion
        and {
            "version": champion.version,
            "run": cells.value(champion.run_id),
            "origin": cells.value(champion.origin),
            "since": cells.moment(since[-1] if since else None),
            "objective": cells.value(champion.objective),
            "metrics": cells.value(champion.metrics),
        },
        "last_verdict": next((verdict for verdict in verdicts if verdict), None),
    }


def reruns_of(paths: RunPaths) -> list[dict[str, Any]]:
    """Return what making a run again has shown, oldest first."""
    return [cells.value(each.to_json()) for each in results_of(paths)]


def _archived(number: int, gone: set[int], events: list[ModelEvent]) -> dict[str, Any] | None:
    """Return since when a version is archived, by whom and why; None for one that is in use."""
    if number not in gone:
        return None
    event = next(
        each for each in reversed(events) if each.kind is EventKind.ARCHIVED and each.version == number
    )
    return {"at": cells.moment(event.at), "who": cells.value(event.by), "why": cells.value(event.reason)}


def _promoted(number: int, events: list[ModelEvent]) -> dict[str, Any] | None:
    """Return when a version was promoted last, by whom and why, and whether a verdict did it; None for one that never was."""
    event = last_promotion(events, number)
    if event is None:
        return None
    told = {"who": cells.value(event.by), "why": cells.value(event.reason)}
    return {"at": cells.moment(event.at), **told, "by_verdict": event.verdict is not None}


def _kept(kept: KeptVerdict, number: int) -> dict[str, Any]:
    """Return a verdict as a list of all on a version shows it; its reasons are with the whole one."""
    return {**brief_of(kept.verdict, number), "reasons": [], "number": kept.number, "counts": kept.counts}


def _count(version: ModelVersion) -> int:
    """Return how many verdicts a version keeps, from the names of their files alone."""
    try:
        names = [path.name for path in (version.path / FOLDER).iterdir()]
    except OSError:  # it has none, or only that of an older podium
        return 0
    return sum(bool(NAME.fullmatch(f"{FOLDER}/{name}")) and name.endswith(".json") for name in names)


def _version(registry: ModelRegistry, version: ModelVersion, faults: Faults, store: Path) -> dict[str, Any]:
    files = [
        {"name": cells.value(name), "sha256": cells.value(digest), "size": size_of(version.path / name)}
        for name, digest in version.files.items()
    ]
    sweep = version.sweep if isinstance(version.sweep, dict) else None
    return {
        "version": version.version,
        "run": cells.value(version.run_id),
        "origin": cells.value(version.origin),
        "rerun": None if version.origin is not None else _last_rerun(version, store, faults),
        "created_at": cells.moment(version.created_at),
        "objective": cells.value(version.objective),
        "metrics": cells.value(version.metrics),
        "metrics_title": version.metrics_title,
        "verdict": _verdict(registry, version, faults),
        "verdicts": _count(version),
        "files": files,
        "loader": cells.value(version.loader),
        "sweep": sweep and cells.value({key: sweep.get(key) for key in ("id", "job", "key")}),
        "data": cells.value(version.data) or None,
    }


def _last_rerun(version: ModelVersion, store: Path, faults: Faults) -> dict[str, Any] | None:
    try:
        found = reruns_of(StorePaths(store).run(version.run_id))
    except CorruptFileError as error:
        faults(error)
        return None
    return found[-1] if found else None


def _verdict(registry: ModelRegistry, version: ModelVersion, faults: Faults) -> dict[str, Any] | None:
    try:
        found = (version.path / VERDICT).stat()
        state = (found.st_mtime_ns, found.st_size, found.st_ino)
        return _brief(registry, version.name, version.version, state)
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        faults(error)
        return None


@functools.lru_cache(maxsize=MOST_BRIEFS)
def _brief(
    registry: ModelRegistry,
    name: str,
    number: int,
    state: tuple[int, int, int],  # noqa: ARG001 - a part of the cache's key
) -> dict[str, Any] | None:
    """Return a verdict in short; a page asks again and again, and the files are large."""
    verdict: Verdict | None = registry.verdict(name, number)
    return None if verdict is None else brief_of(verdict, number)


def _whole_verdict(registry: ModelRegistry, name: str, number: int, faults: Faults) -> dict[str, Any] | None:
    try:
        verdict = registry.verdict(name, number)
    except CorruptFileError as error:
        faults(error)
        return None
    return None if verdict is None else whole_of(verdict, number)


def _code(registry: ModelRegistry, name: str, number: int, faults: Faults) -> dict[str, Any] | None:
    """Return the commit of a version's run, and whether the code differed from it."""
    try:
        code = registry.lineage(f"{name}@{number}")["code"]
    except CorruptFileError as error:
        faults(error)
        return None
    return (
        None if code is None else {key: cells.value(code.get(key)) for key in ("commit", "branch", "dirty")}
    )


def _event(event: ModelEvent) -> dict[str, Any]:
    return {
        "at": cells.moment(event.at),
        "who": cells.value(event.by),
        "what": event.kind.value,
        "version": event.version,
        "why": cells.value(event.reason),
        "before": event.before,
        "run": cells.value(event.run_id),
        "alias": cells.value(event.alias),
        "look": event.look,
        "split": cells.value(event.split),
    }


def _load(store: Path, name: str, versions: list[ModelVersion], aliases: dict[str, int]) -> str:
    """Return Python code that loads the champion, or the newest version while there is no champion."""
    which = "" if CHAMPION in aliases or not versions else f", {versions[-1].version}"
    folder, title = (str(cells.value(each)) for each in (str(store), name))
    return f"from tracking import ModelRegistry\n\nmodel = ModelRegistry({folder!r}).load({title!r}{which})\n"


def _commands(name: str, versions: list[ModelVersion], aliases: dict[str, int]) -> list[str]:
    champion = aliases.get(CHAMPION)
    other = next((each.version for each in reversed(versions) if each.version != champion), None)
    shown = shlex.quote(name)
    found = [command(f"models {shown}")]
    if other is not None:
        found.append(command(f"promote {shown}@{other} --why 'WHY'"))
    if champion is not None and len(versions) > 1:
        found.append(command(f"rollback {shown} --why 'WHY'"))
    return found


def _versions(registry: ModelRegistry, name: str, on_error: OnError) -> list[ModelVersion]:
    try:
        return registry.versions(name, on_error=on_error)
    except TrackingError:  # the last version was removed a moment ago
        return []


def _aliases(registry: ModelRegistry, name: str, faults: Faults) -> dict[str, int]:
    try:
        return registry.aliases(name)
    except CorruptFileError as error:
        faults(error)
        return {}


def _events(registry: ModelRegistry, name: str, faults: Faults) -> list[ModelEvent]:
    try:
        return registry.history(name)
    except CorruptFileError as error:
        faults(error)
        return []
