"""Whether versions are still what was registered: every file against its hash, the manifest against the history."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.paths import ModelPaths
from tracking.registry.model_records import ModelEvent, ModelVersion
from tracking.registry.succession import ARRIVALS
from tracking.registry.versions import BESIDE, read_version


@dataclass(frozen=True)
class Verification:
    """What came of checking one version: how much was read, and a sentence for each thing that is wrong."""

    name: str
    version: int
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
        faults += _faults_of_verdict(paths, version)
        if keys.get(number) not in (None, atomic.sha256(paths.manifest(number))):
            faults.insert(
                0, f"{paths.manifest(number)} is not the manifest that was registered; restore the file"
            )
        there = [version.path / file for file in version.files if regular.is_file(version.path / file)]
        read = sum(path.stat().st_size for path in there)
        yield Verification(name, number, len(there), read, tuple(faults))


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


def _faults_of_verdict(paths: ModelPaths, version: ModelVersion) -> Iterator[str]:
    """Yield what contradicts the verdict of a version: the predictions that it was made from, and the manifest."""
    path, scores = paths.verdict(version.version), paths.scores(version.version)
    try:
        verdict = atomic.read_object(path)
    except FileNotFoundError:
        return
    except CorruptFileError as error:
        yield str(error)
        return
    if verdict.get("scores_sha256"):
        try:
            if atomic.sha256(scores) != verdict["scores_sha256"]:
                yield f"{scores} is not what the verdict was made from; judge the version again"
        except FileNotFoundError:
            yield f"{scores} is missing, and the verdict was made from it; restore it"
        except CorruptFileError as error:
            yield str(error)
    judged = verdict.get("challenger")
    told = judged.get("manifest_sha256") if isinstance(judged, dict) else None
    known = (version.origin or {}).get("manifest_sha256") or atomic.sha256(paths.manifest(version.version))
    if told not in (None, known):
        yield f"{path} is the verdict on another version; judge the version again"


def _unknown(version: ModelVersion) -> Iterator[str]:
    """Yield the files that nobody registered: a loader might read them."""
    for path in sorted(folders.walk(version.path)):
        name = path.relative_to(version.path).as_posix()
        if name not in version.files and name not in BESIDE and not atomic.is_temporary(path):
            yield f"{path} was not registered; remove it"
