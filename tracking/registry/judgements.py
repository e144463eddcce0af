"""All decisions of the gate on a version, append-only: verdicts/001.json with its predictions 001.npz, 002.json, and so on.

verdict.json and scores.npz are copies of the one that counts, and can be written again from the folder.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tracking.errors import CorruptFileError
from tracking.files import atomic, folders, regular
from tracking.paths import ModelPaths
from tracking.records import check_format
from tracking.registry.model_records import (
    VERDICT_FORMAT,
    EventKind,
    KeptVerdict,
    ModelEvent,
    ModelVersion,
    Verdict,
)
from tracking.values.jsontext import encode, revive

log = logging.getLogger("tracking")

FOLDER = "verdicts"
NAME = re.compile(r"verdicts/[0-9]{3,9}\.(json|npz)", re.ASCII)  # of a file in the folder of a version


def read_verdict(path: Path) -> Verdict:
    """Return the verdict in a file; raise FileNotFoundError, and CorruptFileError for one that is none."""
    try:
        return verdict_in(path)
    except (KeyError, TypeError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not a verdict ({error!r}); remove the file") from None


def verdict_in(path: Path, limit: int = regular.MAX_BYTES) -> Verdict:
    """Return the verdict in a file as `read_verdict`; raise KeyError or TypeError for an object that is none."""
    found = atomic.read_object(path, limit)
    check_format(found, path, VERDICT_FORMAT)
    return Verdict.from_json(revive(found))


def kept(paths: ModelPaths, number: int) -> list[KeptVerdict]:
    """Return all verdicts on a version, oldest first; log and leave out those that cannot be read.

    A version that an older podium judged has the one of verdict.json.
    """
    found = []
    for place, path in _files(paths, number) or [(1, paths.verdict(number))]:
        try:
            found.append(KeptVerdict(place, path, atomic.sha256(path), read_verdict(path)))
        except FileNotFoundError:
            continue
        except CorruptFileError as error:
            log.warning("left out: %s", error)
    chosen = _that_counts(found)
    return [replace(each, counts=each is chosen) for each in found]


def record(paths: ModelPaths, number: int, verdict: Verdict, scores: bytes | None) -> KeptVerdict:
    """Keep a verdict as the next one, unless it is kept already; the caller holds the model's lock.

    The predictions are written first, and the copies last. A killed process leaves copies of the verdict before, which the
    next verdict mends.
    """
    data = encode(verdict.to_json(), indent=True) + b"\n"
    digest = hashlib.sha256(data).hexdigest()
    _adopt(paths, number)
    known = kept(paths, number)
    if not any(each.sha256 == digest for each in known):
        place = 1 + max((each for each, _ in _files(paths, number)), default=0)
        path = paths.verdicts(number) / f"{place:03}.json"
        folders.make_dir(path.parent)
        path.with_suffix(".npz").unlink(missing_ok=True)  # of a judgement that was killed
        if scores is not None:
            atomic.write_bytes(path.with_suffix(".npz"), scores)
        atomic.write_bytes(path, data)
    known = kept(paths, number)
    refresh(paths, number, known)
    return next(each for each in reversed(known) if each.sha256 == digest)


def refresh(paths: ModelPaths, number: int, known: list[KeptVerdict]) -> None:
    """Copy the verdict that counts, and its predictions, to verdict.json and scores.npz where they differ from it."""
    chosen = next((each for each in known if each.counts), None)
    if chosen is None or chosen.path == paths.verdict(number):
        return
    # in an order in which a verdict on disk is never without its predictions
    if regular.is_file(chosen.scores):
        _copy(chosen.scores, paths.scores(number))
    _copy(chosen.path, paths.verdict(number))
    if _has_scores_of_another(paths, number, chosen, known):
        paths.scores(number).unlink(missing_ok=True)  # they are kept with their own verdict


def is_current(paths: ModelPaths, number: int, known: list[KeptVerdict]) -> bool:
    """Return whether verdict.json and scores.npz are those of the verdict that counts."""
    chosen = next((each for each in known if each.counts), None)
    if chosen is None or chosen.path == paths.verdict(number):
        return True
    is_kept = regular.is_file(chosen.scores)
    return (
        _is_same(chosen.path, paths.verdict(number))
        and (not is_kept or _is_same(chosen.scores, paths.scores(number)))
        and not _has_scores_of_another(paths, number, chosen, known)
    )


def _has_scores_of_another(
    paths: ModelPaths, number: int, chosen: KeptVerdict, known: list[KeptVerdict]
) -> bool:
    """Return whether scores.npz lies beside a verdict that compared nothing, and is kept with another one."""
    return not chosen.compared and any(_is_same(each.scores, paths.scores(number)) for each in known)


def is_as_written(path: Path, known: Sequence[KeptVerdict], events: Sequence[ModelEvent]) -> bool:
    """Return whether the file of a verdict is one that the history names, or one that it says nothing of.

    `known` are the verdicts that are kept on the version, and `events` those of the version. A judgement that was killed leaves a
    verdict that no event names, and then none that an event names is missing.
    """
    digest, kept_ones = atomic.sha256(path), {each.sha256 for each in known}
    named = {event.verdict for event in events if event.verdict is not None}
    return digest in named or (digest in kept_ones and named <= kept_ones)


def last_promotion(events: Sequence[ModelEvent], number: int) -> ModelEvent | None:
    """Return the last promotion of a version, by the gate or by hand; None for one that was never promoted."""
    promotions = (each for each in reversed(events) if each.kind is EventKind.PROMOTED)
    return next((each for each in promotions if each.version == number), None)


def that_promoted(promotion: ModelEvent | None, known: Sequence[KeptVerdict]) -> KeptVerdict | None:
    """Return the verdict that a promotion names; None for one by hand, and for a verdict that is not kept."""
    if promotion is None or promotion.verdict is None:
        return None
    return next((each for each in known if each.sha256 == promotion.verdict), None)


def is_foreign(verdict: Verdict, version: ModelVersion) -> bool:
    """Return whether a verdict on an imported version came with it: it names versions of another store."""
    if version.origin is None:
        return False
    told = verdict.challenger.get("manifest_sha256")
    return told in (None, version.origin.get("manifest_sha256"))


def files_beside(paths: ModelPaths, number: int) -> dict[str, Path]:
    """Return the files of the folder by their names in the folder of the version."""
    found = {}
    for _, path in _files(paths, number):
        for each in (path, path.with_suffix(".npz")):
            if regular.is_file(each):
                found[f"{FOLDER}/{each.name}"] = each
    return found


def _that_counts(found: list[KeptVerdict]) -> KeptVerdict | None:
    """Return the newest that compared predictions or promoted; the newest one where none did."""
    weighty = [each for each in found if each.compared or each.verdict.promote]
    return next(reversed(weighty or found), None)


def _files(paths: ModelPaths, number: int) -> list[tuple[int, Path]]:
    return sorted(_numbered(paths.verdicts(number)))


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    if regular.is_folder(folder):
        for path in folder.iterdir():
            if path.suffix == ".json" and NAME.fullmatch(f"{FOLDER}/{path.name}"):
                yield int(path.stem), path


def _adopt(paths: ModelPaths, number: int) -> None:
    """Make the verdict that an older podium left in verdict.json the first of the folder."""
    if _files(paths, number):
        return
    try:
        verdict = read_verdict(paths.verdict(number))
    except (FileNotFoundError, CorruptFileError):
        return
    first, scores = paths.verdicts(number) / "001.json", paths.scores(number)
    folders.make_dir(first.parent)
    if verdict.facts.get("scores") and regular.is_file(scores):
        atomic.copy_file(scores, first.with_suffix(".npz"))
    atomic.copy_file(paths.verdict(number), first)


def _copy(source: Path, target: Path) -> None:
    if not _is_same(source, target):
        atomic.copy_file(source, target)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return atomic.sha256(one) == atomic.sha256(other)
    except (FileNotFoundError, CorruptFileError):
        return False
