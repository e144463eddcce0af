"""Checks of registered models: incomplete versions, changed files, histories with a torn end."""

import time
from contextlib import nullcontext
from functools import partial

from tracking.doctor.findings import Examination, Fault
from tracking.errors import ModelLoadError
from tracking.files import folders, locks
from tracking.paths import ModelPaths
from tracking.registry import EventKind, ModelRegistry
from tracking.registry.events import add_event, aliases_agree, read_events, write_aliases
from tracking.registry.versions import verify

CLAIM_S = 60.0  # a registration holds the lock; this is for file systems without locks


def examine_models(seen: Examination) -> None:
    """Check each model; a repair holds its lock, so that no version is registered meanwhile."""
    root = seen.store.paths.models
    registry = ModelRegistry(seen.store.paths.base)
    for name in folders.named_folders(root):
        paths = ModelPaths(root / name)
        with locks.lock(paths.lock) if seen.repairs else nullcontext():
            _examine_history(seen, paths)
            _examine_versions(seen, registry, name, paths)


def _examine_history(seen: Examination, paths: ModelPaths) -> None:
    seen.check_lines(paths.events)
    if not aliases_agree(paths):
        what = "it differs from the events"
        seen.repair(Fault.OLD_VIEW, paths.aliases, what, "write it again", partial(write_aliases, paths))


def _examine_versions(seen: Examination, registry: ModelRegistry, name: str, paths: ModelPaths) -> None:
    registered = {event.version for event in read_events(paths) if event.kind is EventKind.REGISTERED}
    for number in _numbers(paths):
        manifest = paths.manifest(number)
        if not manifest.exists():
            _examine_half(seen, paths, number, is_registered=number in registered)
            continue
        seen.versions += 1
        with seen.naming_damage(manifest):
            version = registry.version(name, number)
            if number not in registered:
                what = f"the registration of version {number} is not in the history"
                add = partial(add_event, reason=f"from {version.run_id}", by=None)
                seen.repair(
                    Fault.NO_EVENT,
                    paths.events,
                    what,
                    "add it",
                    partial(add, paths, EventKind.REGISTERED, number),
                )
            try:
                verify(version)
            except ModelLoadError as error:
                advice = "restore the file, or promote another version"
                seen.leave(Fault.CHANGED_MODEL, paths.version(number), str(error), advice)


def _examine_half(seen: Examination, paths: ModelPaths, number: int, *, is_registered: bool) -> None:
    folder = paths.version(number)
    if is_registered:
        what = "the manifest of a registered version is missing"
        seen.leave(Fault.HALF_VERSION, folder, what, "restore manifest.json")
    elif time.time() - folder.stat().st_ctime >= CLAIM_S:
        what = "a registration that was killed left it"
        seen.repair(Fault.HALF_VERSION, folder, what, "remove it", partial(folders.remove, folder))


def _numbers(paths: ModelPaths) -> list[int]:
    texts = [entry.name.removeprefix("v") for entry in paths.folder.iterdir() if entry.name.startswith("v")]
    return sorted(int(text) for text in texts if text.isdecimal())
