"""What a registry holds: models, their versions, champion, aliases, history and verdicts, read from the files.

A version whose folder or manifest is lost is known from the history; one that was removed is not there.
"""

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tracking.errors import CorruptFileError, InvalidValueError, UnknownModelError, quoted
from tracking.files import folders, regular
from tracking.paths import ModelPaths
from tracking.registry import judgements
from tracking.registry.events import CHAMPION, aliases_of, archived, read_events, registrations, removed
from tracking.registry.model_records import EventKind, KeptVerdict, ModelEvent, ModelVersion, Verdict
from tracking.registry.versions import folder_numbers, is_complete, read_version
from tracking.registry.which import number_of, split
from tracking.store.scan import OnError, warn_left_out
from tracking.store.store import Store
from tracking.values.names import check_component, is_component

if TYPE_CHECKING:
    from tracking.registry.elsewhere import Elsewhere
    from tracking.registry.looks import Look
    from tracking.registry.verifying import Verification


class RegistryReader:
    """The part of ModelRegistry that changes nothing."""

    def __init__(self, base_dir: str | os.PathLike[str] = "experiments") -> None:
        self._store = Store(base_dir)

    def __repr__(self) -> str:
        return f"ModelRegistry({str(self._store.paths.named)!r})"

    def _repr_html_(self) -> str:
        from tracking.values import htmltext  # for those who look at a registry

        rows = []
        for name in self.models():
            champion, numbers = self.champion(name), self._numbers(name)
            objective = champion.objective if champion else {}
            version, run_id = (champion.version, champion.run_id) if champion else (None, None)
            rows.append(
                (name, len(numbers), version, objective.get("metric"), objective.get("value"), run_id)
            )
        columns = ("model", "versions", "champion", "metric", "value", "run")
        notes = [] if rows else ["no models yet"]
        return htmltext.table(columns, rows, title=f"Models in {self._store.paths.named}", notes=notes)

    def models(self, *, on_error: OnError = warn_left_out) -> list[str]:
        """Return the names of all models that have a version, sorted; one that cannot be read goes to `on_error`."""
        found = []
        root = self._store.paths.models
        for name in folders.named_folders(root):
            try:
                if regular.is_folder(root / name) and self._numbers(name):
                    found.append(name)
            except CorruptFileError as error:
                on_error(error)
        return found

    def models_ever(self) -> list[str]:
        """Return the names of all models that have a history, sorted; those of which every version was removed too."""
        root = self._store.paths.models
        return [
            name for name in folders.named_folders(root) if regular.is_file(ModelPaths(root / name).events)
        ]

    def parts(self, text: str) -> tuple[str, str | None]:
        """Return the name in NAME@WHICH and what stands behind the sign, None for a name alone."""
        return split(text, lambda whole: is_component(whole) and bool(self._numbers(whole)))

    def find(self, text: str, which: int | str | None = None) -> ModelVersion:
        """Return the version that a text such as "ctr@3", "ctr@champion" or "ctr@staging" means.

        The name alone means the champion, unless `which` says it: a number or an alias. Raise UnknownModelError where there
        is none.
        """
        return self.version(*self.locate(text, which))

    def locate(self, text: str, which: int | str | None = None) -> tuple[str, int]:
        """Return the name and the number of the version that `find` would read."""
        name, told = self.parts(text)
        if told is not None and which is not None:
            raise InvalidValueError(f"{text!r} and {which!r} name a version each; give one of them")
        wanted = told if which is None else which
        return name, number_of(name, CHAMPION if wanted is None else wanted, lambda: self.aliases(name))

    def versions(
        self, name: str, *, with_archived: bool = False, on_error: OnError = warn_left_out
    ) -> list[ModelVersion]:
        """Return the versions of a model, oldest first; raise UnknownModelError for a model without any.

        Archived ones are left out without `with_archived`. A version that is lost, damaged or of a newer format is left out
        and passed to `on_error`.
        """
        numbers = self._known_numbers(name)
        hidden = set() if with_archived else self.archived(name)
        return list(self._readable(name, [each for each in numbers if each not in hidden], on_error))

    def archived(self, name: str) -> set[int]:
        """Return the numbers of the versions of a model that are archived."""
        return archived(self._events_if_readable(self._paths(name))) & set(self._known_numbers(name))

    def version(self, name: str, number: int) -> ModelVersion:
        """Return one version of a model; raise CorruptFileError for one that is lost or damaged."""
        if type(number) is not int:  # True is an int, and 3.0 == 3
            raise InvalidValueError(
                f"version {quoted(number)} of model {name!r} is not an int; give a number, such as 3"
            )
        numbers = self._known_numbers(name)
        if number not in numbers:
            known = ", ".join(map(str, numbers))
            raise UnknownModelError(f"model {name!r} has no version {number!r}; it has {known}")
        return read_version(number, self._paths(name))

    def origins(self, name: str) -> dict[int, str]:
        """Return the run that each version came from, also for lost and damaged ones; none for imported ones.

        Raise CorruptFileError for a version of which neither the manifest nor the history says it.
        """
        paths = self._paths(name)
        events = self._events_if_readable(paths)
        told = registrations(events)
        imported = {each.version for each in events if each.kind is EventKind.IMPORTED}
        found = {}
        for number in self._known_numbers(name):
            if number in imported:
                continue  # its run is one of another store
            try:
                version = read_version(number, paths)
                if version.origin is None:
                    found[number] = version.run_id
            except CorruptFileError:
                run_id = told.get(number)
                if run_id is None:
                    raise
                found[number] = run_id
        return found

    def champion(self, name: str) -> ModelVersion | None:
        """Return the champion of a model, or None if no version was promoted."""
        current = self.aliases(name).get(CHAMPION)
        return None if current is None else self.version(name, current)

    def aliases(self, name: str) -> dict[str, int]:
        """Return the number of the version that each alias names; "champion" is one of them."""
        self._known_numbers(name)
        return aliases_of(self._paths(name))

    def history(self, name: str) -> list[ModelEvent]:
        """Return the events of a model, oldest first; those of a removed model too."""
        events = read_events(self._paths(name))
        if not events:
            self._known_numbers(name)
        return events

    def verdict(self, name: str, version: int | str | None = None) -> Verdict | None:
        """Return the decision on a version that counts, or None; the version is named as for `find`."""
        name, version = self.locate(name, version)
        self.version(name, version)
        paths = self._paths(name)
        try:
            return judgements.read_verdict(paths.verdict(version))
        except FileNotFoundError:
            return next((each.verdict for each in judgements.kept(paths, version) if each.counts), None)

    def verdicts(self, name: str, version: int | str | None = None) -> list[KeptVerdict]:
        """Return all decisions on a version, oldest first; the version is named as for `find`.

        The one that counts, which `verdict` returns, is the newest that compared predictions or promoted; where there is
        none, the newest. One that cannot be read is logged and left out.
        """
        name, version = self.locate(name, version)
        self.version(name, version)
        return judgements.kept(self._paths(name), version)

    def looks_elsewhere(self, name: str, look: "Look", versions: Sequence[int] = ()) -> "Elsewhere":
        """Return the looks at the rows of a look that the history of a model does not count.

        It reads the histories of all models, and no run. Of an imported version among `versions` a look at other rows is told,
        too, as they may share rows; of any other one a look at the same rows alone. A history that cannot be read is named.
        """
        from tracking.registry import given, looks
        from tracking.registry.elsewhere import found_elsewhere

        self._paths(name)  # which raises for what is no name
        if not isinstance(look, looks.Look):
            raise InvalidValueError(f"look {quoted(look)} is {type(look).__name__}, not a Look")
        for number in given.names_of("versions", versions, "[1, 2]"):
            given.check_number("version", number)
        return found_elsewhere(self, self._store.paths.models, name, look, versions)

    def compare(self, one: str, other: str, *, everything: bool = False) -> dict[str, Any]:
        """Return two versions, named as for `find`, beside each other as plain data.

        "versions" names them; "version", "metrics", "params", "data", "code", "environment", "packages" and "verdict" hold
        the two values of each thing that differs, or of each thing with `everything`; "config" are the lines in which
        their configs differ.
        """
        from tracking.registry.comparing import compared  # here and below: most processes never need it

        first, second = self.find(one), self.find(other)
        verdicts = tuple(self.verdict(each.name, each.version) for each in (first, second))
        return compared(self._store, (first, second), (verdicts[0], verdicts[1]), everything=everything)

    def verify(self, text: str | None = None) -> "list[Verification]":
        """Check every file of versions against its hash, and return what came of it, in order.

        `text` is a model, or one version as for `find`; without it all models are checked. Of a model the last one is its
        history, whose version is None: each line must follow the one before it.
        """
        from tracking.registry.verifying import check, check_history

        if text is None:
            which, chosen = None, [(name, self._known_numbers(name)) for name in self.models()]
        else:
            name, which = self.parts(text)
            chosen = [(name, self._known_numbers(name) if which is None else [self.locate(text)[1]])]
        found: list[Verification] = []
        for name, numbers in chosen:
            paths = self._paths(name)
            found += check(paths, numbers, self._events_if_readable(paths))
            if which is None:
                found.append(check_history(paths))
        return found

    def history_faults(self, name: str) -> list[str]:
        """Return why the history of a model does not say what it said, a sentence each; the gate promotes nothing by such a one.

        Lines are missing or changed, the file is, or it knows nothing of the champion. `verify` tells more, and reads all files.
        """
        from tracking.registry.verifying import history_faults

        paths = self._paths(name)
        return list(history_faults(paths, self._events_if_readable(paths)))

    def _paths(self, name: str) -> ModelPaths:
        models = self._store.paths.models
        paths = ModelPaths(models / check_component("model name", name))
        regular.refuse_link(models, paths.folder)  # here, because every method asks here where a model lies
        return paths

    def _numbers(self, name: str) -> list[int]:
        """Return the versions that have a manifest, and the lost ones that only the history has."""
        paths = self._paths(name)
        events = self._events_if_readable(paths)
        there = {number for number in folder_numbers(paths) if is_complete(paths, number)}
        return sorted((there | registrations(events).keys()) - removed(events))

    def _events_if_readable(self, paths: ModelPaths) -> list[ModelEvent]:
        try:
            return read_events(paths)
        except CorruptFileError:
            return []  # versions are listed without it; whoever asks for the history gets the error

    def _readable(self, name: str, numbers: Sequence[int], on_error: OnError) -> Iterator[ModelVersion]:
        paths = self._paths(name)
        for number in numbers:
            try:
                yield read_version(number, paths)
            except CorruptFileError as error:
                on_error(error)

    def _known_numbers(self, name: str) -> list[int]:
        numbers = self._numbers(name)
        if not numbers:
            known = ", ".join(self.models()) or "none"
            place = self._store.paths.named / "models"
            raise UnknownModelError(f"no model {name!r} in {str(place)!r}; known: {known}")
        return numbers
