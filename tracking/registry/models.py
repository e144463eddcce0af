"""ModelRegistry: register versions of models, promote champions, and load them.

A version is a folder, claimed by creating it. The manifest is written last and atomically; a folder without one is
not a version.
"""

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

from tracking.errors import UnknownModelError
from tracking.files import locks
from tracking.paths import RunPaths
from tracking.registry import given, judgements, looks
from tracking.registry.events import (
    add_event,
    aliases_of,
    archived,
    lost_aliases,
    lost_champion,
    read_events,
    refresh_aliases,
    standing,
)
from tracking.registry.loading import check_loader, loader_of, packages_of
from tracking.registry.model_records import EventKind, KeptVerdict, ModelVersion, Verdict
from tracking.registry.reading import RegistryReader
from tracking.registry.succession import (
    check_alias,
    check_live,
    check_new_alias,
    check_replaces,
    check_unnamed,
    check_was_champion,
    intact_before,
    note_registration,
)
from tracking.registry.versions import (
    add_version,
    is_same,
    manifest_of,
    read_version,
    remove_folder,
    sources_of,
    verify,
)
from tracking.registry.which import SIGN, check_new_name, named
from tracking.store.scan import warn_left_out
from tracking.values.names import check_path, is_component


class ModelRegistry(RegistryReader):
    """The models of a store; safe to share between processes.

    Creating the object touches nothing on disk and fixes the folder.
    """

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
        """Copy artifacts of a run (`["*"]`: all), and its config.yaml, into a new version of a model.

        `objective` is {"metric", "mode", "value"} and may say by "at" which value of the run it is, and by "runs" that it is
        the mean over these, such as folds; `metrics` default to those of the run at the step of its value, which the
        version's objective names as "step"; `loader` is "module:function", called by `load` with the version's folder. A run that is registered already with the same
        files and arguments returns its version; otherwise it gets a new one. Raise InvalidValueError if the run logged
        the objective's metric and `value` is neither its last value nor an extreme, or not that mean. After an error no version is left,
        and no number is used twice.
        """
        paths = self._paths(model_name)
        given.check_mapping("objective", objective, "{'metric': 'val_auc', 'mode': 'max', 'value': 0.8}")
        given.check_mapping("metrics", {} if metrics is None else metrics, "{'val_auc': 0.8}")
        if not paths.events.exists():
            check_new_name(model_name)
        run = self._store.scan.record(self._store.require(run_id))
        run_id = run.run_id
        check_loader(loader)
        sources = sources_of(RunPaths(run.run_dir), files)
        repeats = [self._store.scan.record(self._store.require(each)) for each in objective.get("runs", ())]
        manifest = manifest_of(
            run, objective, metrics, loader, repeats, full=lambda: self._store.full(run_id) or {}
        )
        with locks.lock(paths.lock):
            # under the lock, so that two processes do not register one run twice
            for version in self._readable(model_name, self._numbers(model_name), warn_left_out):
                if is_same(version, sources, manifest):
                    note_registration(paths, version)
                    return version
            added = read_version(add_version(paths, sources, manifest), paths)
            note_registration(paths, added)
        return added

    def promote(
        self,
        name: str,
        version: int,
        *,
        reason: str,
        by: str | None = None,
        instead_of: int | EllipsisType | None = ...,
        verdict: str | None = None,
    ) -> ModelVersion:
        """Make a version the champion, unless it is already. `by` defaults to the user's login.

        `verdict` is the SHA-256 of the kept decision that it follows from. With `instead_of` it must replace this champion, None for none; raise ChampionChangedError if there is another one.
        Raise ModelLoadError if its files are not those that were registered, InvalidValueError if it is archived.
        """
        given.check_reason(reason, "say why, such as 'beats version 2 by 0.01'", by=by, verdict=verdict)
        given.check_number("instead_of", instead_of)
        chosen = self.version(name, version)
        verify(chosen)  # before the lock: hashing large files takes long
        paths = self._paths(name)
        with locks.lock(paths.lock):
            events = read_events(paths)
            check_live(name, version, events)
            now = standing(paths, events)[-1:]
            check_replaces(name, version, now, instead_of)
            # a champion without an event gets one: its own was lost
            if now != [version] or lost_champion(paths, events) == version:
                add_event(paths, EventKind.PROMOTED, version, reason=reason, by=by, verdict=verdict)
            else:
                refresh_aliases(paths)
        return chosen

    def rollback(
        self, name: str, *, to: int | None = None, reason: str = "", by: str | None = None
    ) -> ModelVersion:
        """Make the newest earlier champion that is intact the champion again; log those that it steps over.

        With `to` it is that one, which must have been the champion; if it is already, nothing changes. Raise
        UnknownModelError when there is none, ModelLoadError if the files of `to` are not those that were registered.
        """
        given.check_texts(reason=reason, by=by)
        self._known_numbers(name)
        paths = self._paths(name)
        if to is not None:
            return self._roll_back_to(name, to, reason=reason, by=by)
        while True:
            past = standing(paths)
            before = intact_before(name, past, lambda number: self.version(name, number))
            with locks.lock(paths.lock):
                if standing(paths) == past:  # else another process was faster: look again
                    add_event(paths, EventKind.ROLLED_BACK, before.version, reason=reason, by=by)
                    return before

    def set_alias(
        self, name: str, alias: str, version: int, *, reason: str = "", by: str | None = None
    ) -> ModelVersion:
        """Let an alias, such as "staging", name a version; it names no other then.

        Raise ModelLoadError if its files are not those that were registered, InvalidValueError if it is archived.
        """
        given.check_texts(reason=reason, by=by)
        check_new_alias(alias)
        chosen = self.version(name, version)
        verify(chosen)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            events = read_events(paths)
            check_live(name, version, events)
            is_lost = lost_aliases(paths, events).get(alias) == version
            if is_lost or aliases_of(paths, events).get(alias) != version:
                add_event(paths, EventKind.ALIASED, version, reason=reason, by=by, alias=alias)
            else:
                refresh_aliases(paths)
        return chosen

    def remove_alias(self, name: str, alias: str, *, reason: str = "", by: str | None = None) -> None:
        """Let an alias name nothing; raise UnknownModelError when it names nothing already."""
        given.check_texts(reason=reason, by=by)
        check_alias(alias)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            version = named(name, alias, self.aliases(name))
            add_event(paths, EventKind.UNALIASED, version, reason=reason, by=by, alias=alias)

    def archive(self, name: str, version: int, *, reason: str = "", by: str | None = None) -> ModelVersion:
        """Take a version out of use: lists leave it out, and it cannot become the champion or get an alias.

        Its files and its run stay, and it can be loaded by its number. Raise InvalidValueError for one that is the
        champion or has an alias.
        """
        return self._set_archived(name, version, EventKind.ARCHIVED, reason=reason, by=by)

    def unarchive(self, name: str, version: int, *, reason: str = "", by: str | None = None) -> ModelVersion:
        """Take an archived version back into use."""
        return self._set_archived(name, version, EventKind.UNARCHIVED, reason=reason, by=by)

    def remove(
        self, name: str, version: int | None = None, *, reason: str = "", by: str | None = None
    ) -> list[int]:
        """Remove a version for good, or with None all of a model; return their numbers, which are not used again.

        The history stays, and runs that only these versions came from can be deleted. Raise InvalidValueError for a
        single version that is the champion or has an alias.
        """
        given.check_texts(reason=reason, by=by)
        paths = self._paths(name)
        self._known_numbers(name)  # so that an unknown model gets no folder by the lock
        with locks.lock(paths.lock):
            numbers = self._known_numbers(name)
            if version is not None:
                if version not in numbers or type(version) is not int:
                    self.version(name, version)  # says what is wrong
                check_unnamed(paths, version, self._events_if_readable(paths))
                numbers = [version]
            # first: a kill in between leaves folders that are no versions, which doctor removes
            add_event(paths, EventKind.REMOVED, *numbers, reason=reason, by=by)
            for number in numbers:
                remove_folder(paths.version(number))
        return numbers

    def record_verdict(
        self, name: str, version: int, verdict: Verdict, *, scores: bytes | None = None
    ) -> KeptVerdict:
        """Keep a decision of the gate with the version, and the content of the .npz it was made from; return it as it is kept.

        Those before it stay, and `verdicts` returns them all. One that is kept already is not added again.
        """
        given.check_verdict(verdict, scores)
        self.version(name, version)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            return judgements.record(paths, version, verdict, scores)

    def spend_look(
        self, name: str, version: int, *, split: str, key: str, by: str | None = None, **counting: Any
    ) -> int:
        """Count a comparison of a version with the champion on the rows of a split; return which look at them it is.

        `split` is the hash that tells the rows from others, `key` names the judgement: one that was cut off and is made
        again is the same look, and returns its number. The look is on disk before this returns.

        `counting` are `alpha` (0.05) and `planned` (None), which the first look at these rows fixes: raise InvalidValueError
        for others later. `rows`, the 512 smallest hashes of the rows, tell whether they were looked at before as another
        split: where more than a tenth were, beyond the share that is `explained` by chance, the looks of that split go on.
        """
        given.check_texts(by=by)
        look = looks.Look(split, key, **counting)
        self.version(name, version)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            return looks.spend(paths, version, look, by=by)

    def refuse(
        self,
        name: str,
        version: int,
        *,
        reason: str,
        by: str | None = None,
        key: str | None = None,
        verdict: str | None = None,
    ) -> None:
        """Note in the history that a version was not promoted, and why; once for a `key`. `verdict` is as for `promote`."""
        given.check_reason(reason, "say why the version was refused", by=by, key=key, verdict=verdict)
        self.version(name, version)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            looks.refuse(paths, version, reason=reason, by=by, key=key, verdict=verdict)

    def lineage(self, text: str) -> dict[str, Any]:
        """Return where a version, named as for `find`, came from, or what came of a run, as plain data.

        Of a version: its "run", "sweep", "config", "code", "data", "environment" and "verdict", and when it was the champion.
        Of a run: the "versions" that were registered from it, removed ones too. A text without @ that is both a run and a model is the run.
        """
        from tracking.registry import lineage  # here and below: most processes never need it

        text = given.version_text(text)
        is_run = SIGN not in text and is_component(text)
        if is_run and self._store.scan.entry(text) is not None:
            return lineage.forward(self, self._store, text)
        try:
            version = self.find(text)
        except UnknownModelError:
            if is_run and (found := lineage.forward(self, self._store, text))["versions"]:
                return found  # the run is gone
            raise
        verdict = self.verdict(version.name, version.version)
        told = None if verdict is None else verdict.to_json()
        return lineage.back(self._store, self._paths(version.name), version, told)

    def export(self, text: str, target: str | os.PathLike[str], *, by: str | None = None) -> Path:
        """Write a version, named as for `find`, to a new folder, or to a new .tar.gz, that is read without a store.

        It holds the model's files, manifest, config, verdict with its scores, the run as JSON, SHA256SUMS and a README that
        says how to load it. The same version, verdict and run give the same bytes. The history notes the export just before the
        target appears, so that no export is without its event; a process that is killed in between leaves the event alone. Raise
        InvalidValueError if the target exists, ModelLoadError if a file is not the one that was registered.
        """
        from tracking.registry.exchange.packing import export_version

        given.check_texts(by=by)
        version, path = self.find(text), check_path("target", target, example="ctr.tar.gz")
        return export_version(self._store, self._paths(version.name), version, path, by=by).path

    def import_version(
        self,
        source: str | os.PathLike[str],
        *,
        name: str | None = None,
        by: str | None = None,
        max_bytes: int | None = None,
    ) -> ModelVersion:
        """Take an exported version, a folder or a .tar.gz, into the store as the next version of its model.

        It is not trusted: each file must have the hash that the export says, links and names that leave the folder are
        refused, and so are more than 10,000 files or `max_bytes` (16 GiB) of them; no code is called. `name` gives it to another model. A version
        that is here already, also as an import, is returned as it is. Raise CorruptFileError for what is refused.
        """
        from tracking.registry.exchange import unpacking

        given.check_texts(name=name, by=by)
        path = check_path("source", source, example="ctr.tar.gz")
        most = unpacking.MAX_TOTAL if max_bytes is None else max_bytes
        with unpacking.opened(path, self._store.paths.incoming, most) as export:
            chosen = export.name if name is None else name
            paths = self._paths(chosen)
            if not paths.events.exists():
                check_new_name(chosen)
            with locks.lock(paths.lock):
                for version in self._readable(chosen, self._numbers(chosen), warn_left_out):
                    if unpacking.is_of(version, paths, export):
                        note_registration(paths, version, by)
                        return version
                added = read_version(unpacking.add(paths, export), paths)
                note_registration(paths, added, by)
        return added

    def load(self, name: str, version: int | str | None = None, *, allow: Sequence[str] = ()) -> Any:
        """Load a version with the loader it was registered with.

        It is named as for `find`: "ctr" and "ctr@champion" are the champion, "ctr@3" or a number beside the name a version, and
        so is an alias.

        Check the hash of every file first. Call the loader only if it is `trainer:load_model`, or is defined in a
        package in `allow`; a loader with a parameter `allow`, for the classes it may import, gets the same.
        """
        chosen = self.find(name, version)
        verify(chosen)
        packages = packages_of(allow)
        loader = loader_of(chosen, packages)
        if "allow" in inspect.signature(loader).parameters:
            return loader(chosen.path, allow=packages)
        return loader(chosen.path)

    def _roll_back_to(self, name: str, to: int, *, reason: str, by: str | None) -> ModelVersion:
        chosen = self.version(name, to)
        verify(chosen)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            events = read_events(paths)
            check_live(name, to, events)
            check_was_champion(name, to, events)
            if standing(paths, events)[-1:] == [to]:
                refresh_aliases(paths)
            else:
                add_event(paths, EventKind.ROLLED_BACK, to, reason=reason, by=by)
        return chosen

    def _set_archived(
        self, name: str, version: int, kind: EventKind, *, reason: str, by: str | None
    ) -> ModelVersion:
        given.check_texts(reason=reason, by=by)
        chosen = self.version(name, version)
        paths = self._paths(name)
        with locks.lock(paths.lock):
            events = read_events(paths)
            if (version in archived(events)) is (kind is EventKind.ARCHIVED):
                refresh_aliases(paths)
                return chosen
            if kind is EventKind.ARCHIVED:
                check_unnamed(paths, version, events)
            add_event(paths, kind, version, reason=reason, by=by)
        return chosen
