"""Whether versions are still what was registered: every file against its hash, the manifest against the history."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.paths import ModelPaths
from tracking.registry.chain import breaks
from tracking.registry.events import lost_champion
from tracking.registry.judgements import FOLDER, NAME, kept
from tracking.registry.looks import lost_looks
from tracking.registry.model_records import KeptVerdict, ModelEvent, ModelVersion
from tracking.registry.succession import ARRIVALS
from tracking.registry.versions import BESIDE, read_version

MOST_BREAKS = 5  # of a history that are told one by one


@dataclass(frozen=True)
class Verification:
    """What came of checking one version, or with the version None the history: how much was read, and each fault."""

    name: str
    version: int | None
    files: int
    bytes: int
    faults: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def check(paths: ModelPaths, numbers: Iterable[int], events: Sequence[ModelEvent]) -> Iterator[Verification]:
    """Yield what came of checking each version; reads all of its files."""
    keys = {event.version: event.key for event in events if event.kind in ARRIVALS}
    for number in numbers:
        name = paths.folder.name
        try:
            version = read_version(number, paths)
        except CorruptFileError as error:
            yield Verification(name, number, 0, 0, (str(error),))
            continue
        faults = [*_faults(version), *_unknown(version)]
        faults += _faults_of_verdicts(paths, version, events)
        if keys.get(number) not in (None, atomic.sha256(paths.manifest(number))):
            faults.insert(
                0, f"{paths.manifest(number)} is not the manifest that was registered; restore the file"
            )
        there = [version.path / file for file in version.files if regular.is_file(version.path / file)]
        read = sum(path.stat().st_size for path in there)
        yield Verification(name, number, len(there), read, tuple(faults))


def check_history(paths: ModelPaths) -> Verification:
    """Return what came of checking that each line of a history follows the one before it."""
    try:
        found = tuple(f"{paths.events}: {each.words}" for each in breaks(paths.events))
        size = paths.events.stat().st_size
    except FileNotFoundError:
        return Verification(paths.folder.name, None, 0, 0, (f"{paths.events} is missing; restore the file",))
    except (CorruptFileError, OSError) as error:
        return Verification(paths.folder.name, None, 0, 0, (str(error),))
    more = len(found) - MOST_BREAKS
    told = (*found[:MOST_BREAKS], f"{paths.events}: {more} more such places") if more > 0 else found
    return Verification(paths.folder.name, None, 1, size, told)


def history_faults(paths: ModelPaths, events: Sequence[ModelEvent]) -> Iterator[str]:
    """Yield why a history does not say what it said: lines are missing or changed, or it knows nothing of the champion.

    Histories that a sync program brought together lack no line, and have no such fault. It reads no file but the history.
    """
    if not regular.is_file(paths.events):
        yield f"{paths.events.name} is missing"
        return
    yield from (each.words for each in breaks(paths.events) if not each.is_whole)
    lost = lost_champion(paths, [*events])
    if lost is not None:
        yield f"no event says how version {lost}, the champion of {paths.aliases.name}, became it"


def hashes_beside(version: ModelVersion) -> dict[str, str]:
    """Return the SHA-256 of the files that an import put beside those of the model; it has none for other versions."""
    found = (version.origin or {}).get("files")
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _faults(version: ModelVersion) -> Iterator[str]:
    for name, expected in {**version.files, **hashes_beside(version)}.items():
        path = version.path / name
        try:
            if not regular.is_file(path):
                yield f"{path} is missing"
            elif atomic.sha256(path) != expected:
                yield f"{path} is not the file that was registered"
        except (CorruptFileError, FileNotFoundError) as error:
            yield str(error)


def _faults_of_verdicts(
    paths: ModelPaths, version: ModelVersion, events: Sequence[ModelEvent]
) -> Iterator[str]:
    """Yield what contradicts the verdicts on a version: the predictions, the manifest, and the history."""
    number = version.version
    path, scores = paths.verdict(number), paths.scores(number)
    found = kept(paths, number)
    yield from _faults_of_copies(path, scores, found)
    own = atomic.sha256(paths.manifest(number))
    lost = lost_looks(number, found, own, events)
    for each in found:
        yield from _faults_of_scores(each, each.scores if regular.is_file(each.scores) else scores)
        told = each.verdict.challenger.get("manifest_sha256")
        if told not in (None, own, (version.origin or {}).get("manifest_sha256")):
            yield f"{each.path} is the verdict on another version; judge the version again"
        if each.number in lost:
            yield f"{each.path} was made at look {lost[each.number].look}, and the history has no such look"
    hashes = {each.sha256 for each in found}
    for event in events:
        if event.version == number and event.verdict is not None and event.verdict not in hashes:
            yield (
                f"{paths.verdicts(number)} has no verdict with the SHA-256 {event.verdict[:12]}, which version {number} "
                f"was {event.kind.value} by at {event.at:%Y-%m-%d %H:%M:%S}: it was changed or removed"
            )


def _faults_of_scores(each: KeptVerdict, scores: Path) -> Iterator[str]:
    digest = each.verdict.facts.get("scores_sha256")
    if not digest:
        return
    try:
        if atomic.sha256(scores) != digest:
            yield f"{scores} is not what the verdict was made from; judge the version again"
    except FileNotFoundError:
        yield f"{scores} is missing, and the verdict was made from it; restore it"
    except CorruptFileError as error:
        yield str(error)


def _faults_of_copies(path: Path, scores: Path, found: Sequence[KeptVerdict]) -> Iterator[str]:
    """Yield what is wrong with verdict.json and scores.npz, which may be those of an earlier verdict: a kill leaves them."""
    try:
        atomic.read_object(path)
        if atomic.sha256(path) not in {each.sha256 for each in found}:
            yield f"{path} is none of the verdicts that are kept; restore it from {path.parent / FOLDER}"
    except FileNotFoundError:
        pass
    except CorruptFileError as error:
        yield str(error)
    known = [each.verdict.facts.get("scores_sha256") for each in found if regular.is_file(each.scores)]
    if known and regular.is_file(scores) and atomic.sha256(scores) not in known:
        yield f"{scores} is not what the verdict was made from; restore it from {path.parent / FOLDER}"


def _unknown(version: ModelVersion) -> Iterator[str]:
    """Yield the files that nobody registered: a loader might read them."""
    for path in sorted(folders.walk(version.path)):
        name = path.relative_to(version.path).as_posix()
        is_known = name in version.files or name in BESIDE or NAME.fullmatch(name)
        if not is_known and not atomic.is_temporary(path):
            yield f"{path} was not registered; remove it"
