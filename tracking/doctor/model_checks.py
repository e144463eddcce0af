"""Checks of registered models: incomplete versions, changed files, histories with a torn end."""

import time
from contextlib import nullcontext
from functools import partial

from tracking.doctor.findings import Examination, Fault
from tracking.errors import ModelLoadError
from tracking.files import folders, locks, regular
from tracking.paths import ModelPaths
from tracking.process.program import command
from tracking.registry import ModelEvent, ModelRegistry, ModelVersion, judgements
from tracking.registry.events import (
    CHAMPION,
    aliases_agree,
    conflicts,
    lines_beyond,
    lost_aliases,
    merge_copies,
    read_events,
    registrations,
    removed,
    write_aliases,
)
from tracking.registry.succession import note_registration
from tracking.registry.versions import folder_numbers, is_complete, remove_folder, verify
from tracking.values.units import counted

CLAIM_S = 60.0  # a registration holds the lock; this is for file systems without locks


def examine_models(seen: Examination) -> None:
    """Check each model; a repair holds its lock, so that no version is registered meanwhile."""
    root = seen.store.paths.models
    registry = ModelRegistry(seen.store.paths.base)
    for name in [] if root.is_symlink() else folders.named_folders(root):
        paths = ModelPaths(root / name)
        with seen.naming_damage(paths.folder):
            regular.refuse_link(paths.folder)
            with locks.lock(paths.lock) if seen.repairs else nullcontext():
                events = _examine_history(seen, paths)
                _examine_versions(seen, registry, name, events)


def _examine_history(seen: Examination, paths: ModelPaths) -> list[ModelEvent] | None:
    """Return the events, None if they cannot be read."""
    with seen.naming_damage(paths.events):
        events = read_events(paths)
        is_whole = seen.check_lines(paths.events)
        _examine_copies(seen, paths, is_whole=is_whole)
        name = paths.folder.name
        for alias, number in lost_aliases(paths, events).items():
            what = f"no event says how version {number}, the {alias} of aliases.json, became it"
            again = command(f"alias {name}@{number} {alias}")
            if alias == CHAMPION:
                again = command(f"promote {name}@{number} --why 'as before'")
            seen.leave(Fault.LOST, paths.events, what, f"restore it from a copy, or: {again}")
        if not aliases_agree(paths):
            what = "it differs from the events"
            seen.repair(Fault.OLD_VIEW, paths.aliases, what, "write it again", partial(write_aliases, paths))
        return events
    return None


def _examine_copies(seen: Examination, paths: ModelPaths, *, is_whole: bool) -> None:
    """Name what a sync program kept beside another version; give the history the events that only such a copy has."""
    for path in conflicts(paths.folder):
        what = "a sync program kept it beside another version"
        advice = "compare the two, keep one under its proper name, and remove the other"
        if path.name.startswith("events"):
            what, advice = (
                f"{what}; its events are among those of the model",
                "remove it once events.jsonl has them",
            )
        seen.leave(Fault.CONFLICT, path, what, advice)
    more = len(lines_beyond(paths))
    if more and is_whole:
        what = f"it lacks {counted(more, 'event')} that conflict copies have"
        seen.repair(Fault.LOST, paths.events, what, "add them", partial(merge_copies, paths))


def _examine_versions(
    seen: Examination, registry: ModelRegistry, name: str, events: list[ModelEvent] | None
) -> None:
    paths = ModelPaths(seen.store.paths.models / name)
    numbers = folder_numbers(paths)
    # a history that cannot be read is reported once, not again for each version
    registered = set(numbers) if events is None else registrations(events).keys()
    gone = removed(events or [])
    for number in sorted({*numbers, *registered}):
        if number in gone:
            what = f"version {number} was removed"
            remove = partial(remove_folder, paths.version(number))
            seen.repair(Fault.LEFTOVER, paths.version(number), what, "remove its folder", remove)
        elif not is_complete(paths, number):
            _examine_half(seen, paths, number, is_registered=number in registered)
        else:
            seen.versions += 1
            with seen.naming_damage(paths.manifest(number)):
                version = registry.version(name, number)
                _examine_whole(seen, paths, version, is_registered=number in registered)


def _examine_whole(
    seen: Examination, paths: ModelPaths, version: ModelVersion, *, is_registered: bool
) -> None:
    if not is_registered:
        what = f"the registration of version {version.version} is not in the history"
        act = partial(note_registration, paths, version)
        seen.repair(Fault.NO_EVENT, paths.events, what, "add it", act)
    for path in conflicts(version.path):
        what = "a sync program kept it beside another version"
        seen.leave(Fault.CONFLICT, path, what, "the version has its own; remove it")
    known = judgements.kept(paths, version.version)
    if not judgements.is_current(paths, version.version, known):
        act = partial(judgements.refresh, paths, version.version, known)
        what = "it is not the verdict that counts"
        seen.repair(Fault.OLD_VIEW, paths.verdict(version.version), what, "write it again", act)
    try:
        verify(version)
    except ModelLoadError as error:
        advice = "restore the file, or promote another version"
        seen.leave(Fault.CHANGED_MODEL, version.path, str(error), advice)


def _examine_half(seen: Examination, paths: ModelPaths, number: int, *, is_registered: bool) -> None:
    folder = paths.version(number)
    remedy = f"or remove the version: {command(f'remove {paths.folder.name}@{number}')}"
    if not regular.is_folder(folder):
        what = f"the folder of version {number} is gone" if is_registered else "it is no folder"
        seen.leave(Fault.LOST, folder, what, f"restore it, {remedy}")
    elif is_registered:
        what = "the manifest of a registered version is missing"
        seen.leave(Fault.HALF_VERSION, folder, what, f"restore manifest.json, {remedy}")
    elif time.time() - folder.stat().st_ctime >= CLAIM_S:
        what = "a registration that was killed left it"
        seen.repair(Fault.HALF_VERSION, folder, what, "remove it", partial(folders.remove, folder))
