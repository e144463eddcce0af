"""The command that shows a decision of the gate: verdict."""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tracking.cli.registry.arguments import AnyArgument, BesideArgument
from tracking.cli.registry.rule_lines import say_rules
from tracking.cli.toolkit import output, tables
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError, UnknownModelError
from tracking.paths import ModelPaths
from tracking.process.program import command
from tracking.registry import KeptVerdict, ModelRegistry, ModelVersion, Verdict
from tracking.registry.judgements import is_as_written, is_foreign, last_promotion, that_promoted
from tracking.values.plain import flat
from tracking.verdicts import whole_of
from tracking.verdicts.words import measured, note_lines

WIDTH = 80  # of sentences where no terminal says how wide it is
BASES = {
    "recorded": "the values that the runs recorded decided",
    "first": "there was no champion, so the absolute rules alone decided",
}


def verdict(
    name: AnyArgument,
    version: BesideArgument = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="List all decisions on the version.")] = False,
    which: Annotated[
        int | None, typer.Option("--number", help="Show this decision of the list, which counts from 1.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show the gate's decision on a version of a model, with every rule and its reason.

    NAME alone is its newest version that was judged. Each decision is kept; the one that counts is the newest that compared
    predictions or promoted, and where there is none, the newest.

    \b
    Example: python -m tracking verdict ctr_model
             python -m tracking verdict ctr_model@3 --all
    """
    registry = ModelRegistry(store)
    model, number = _chosen(registry, name, version)
    if every and which is not None:
        raise InvalidValueError("give --all or --number; one of both")
    if every:
        _say_all(model, number, _judged(registry, model, number), as_json=as_json)
        return
    found, scores = registry.verdict(model, number), "scores.npz, beside verdict.json"
    path = ModelPaths(registry.version(model, number).path.parent).verdict(number)
    if which is not None:
        kept = _numbered(registry, model, number, which)
        found, scores, path = kept.verdict, f"{kept.scores.parent.name}/{kept.scores.name}", kept.path
    if found is None:
        raise UnknownModelError(f"the gate has not judged version {number} of {model!r}")
    if not _is_as_written(registry, model, number, path):
        output.warn(
            f"{path} was changed after it was written: the history names no verdict with its SHA-256; "
            f"see what was: {command(f'verify {model}@{number}')}"
        )
    if as_json:
        output.say_json({"name": model, "version": number, **found.to_json()})
    else:
        promoted = None if found.promote else _promotion(registry, model, number)
        _say(found, model, registry.version(model, number), scores, promoted)


def _promotion(registry: ModelRegistry, model: str, number: int) -> str | None:
    """Say what else has promoted a version; None where nothing has."""
    promotion = last_promotion(registry.history(model), number)
    if promotion is None:
        return None
    day = f"{promotion.at:%Y-%m-%d}"
    if promotion.verdict is None:
        return f"{promotion.by} promoted it on {day}{f': {promotion.reason}' if promotion.reason else '.'}"
    by = that_promoted(promotion, registry.verdicts(model, number))
    which = f"--number {by.number} shows it" if by else "it is not kept"
    return f"Another verdict promoted it on {day}; {which}."


def _say(found: Verdict, model: str, version: ModelVersion, scores: str, promoted: str | None = None) -> None:
    number = version.version
    output.title(f"{'PROMOTED' if found.promote else 'NOT PROMOTED'}: {model}, version {number}")
    if is_foreign(found, version):
        origin = version.origin or {}
        _say_text(
            f"This is the verdict of another store, on its version {origin.get('version')} of {origin.get('name')}; "
            "the numbers of versions in it are of that store."
        )
    _say_text(found.sentence)
    if promoted is not None:
        _say_text(promoted)
    whole = whole_of(found, number)
    if whole["why"]:
        output.say("\nReasons:")
        for reason in whole["why"]:
            _say_text(reason["words"], "- ")
    output.say()
    for headline, fact in _headlines(found, whole).items():
        if fact is not None:
            _say_text(f"{headline}: {fact}")
    for line in note_lines(whole):
        _say_text(line)
    say_rules(whole["rules"])
    _say_differences(found)
    _say_more(found, scores)


def _is_as_written(registry: ModelRegistry, model: str, number: int, path: Path) -> bool:
    """Return whether the file of a verdict is the one that the history names."""
    try:
        events = [event for event in registry.history(model) if event.version == number]
        return is_as_written(path, registry.verdicts(model, number), events)
    except FileNotFoundError:  # verdict.json, where one of those that are kept is shown
        return True


def _judged(registry: ModelRegistry, model: str, number: int) -> list[KeptVerdict]:
    known = registry.verdicts(model, number)
    if not known:
        raise UnknownModelError(f"the gate has not judged version {number} of {model!r}")
    return known


def _numbered(registry: ModelRegistry, model: str, number: int, which: int) -> KeptVerdict:
    known = {each.number: each for each in _judged(registry, model, number)}
    if which not in known:
        numbers = ", ".join(map(str, known))
        raise UnknownModelError(f"version {number} of {model!r} has no verdict {which}; it has {numbers}")
    return known[which]


def _say_all(model: str, number: int, known: Sequence[KeptVerdict], *, as_json: bool) -> None:
    if as_json:
        verdicts = [
            {"number": each.number, "counts": each.counts, "sha256": each.sha256, **each.verdict.to_json()}
            for each in known
        ]
        output.say_json({"name": model, "version": number, "verdicts": verdicts})
        return
    output.title(f"{model}, version {number}")
    rows: list[list[str | int | float | None]] = [
        [
            each.number,
            "yes" if each.counts else "no",
            "promoted" if each.verdict.promote else "not promoted",
            _mapping(each.verdict.facts.get("look")).get("number"),
            str(each.verdict.facts.get("at") or "")[:10] or None,
            each.verdict.sentence,
        ]
        for each in known
    ]
    tables.say_rows(["number", "counts", "decision", "look", "judged", "why"], rows, keep=3, wraps=True)


def _chosen(registry: ModelRegistry, name: str, version: str | None) -> tuple[str, int]:
    model, which = registry.parts(name)
    if which is not None or version is not None:
        return registry.locate(name, version)
    for each in reversed(registry.versions(model, with_archived=True)):
        if registry.verdict(model, each.version) is not None:
            return model, each.version
    raise UnknownModelError(f"the gate has judged no version of {model!r}")


def _headlines(found: Verdict, whole: Mapping[str, Any]) -> dict[str, Any]:
    took = whole["took_s"]
    judged = [whole[key] for key in ("at",) if whole[key]]
    judged += [f"by {whole['by']}"] if whole["by"] else []
    judged += [f"in {took:.3g} s"] if took is not None else []
    return {
        "Judged": ", ".join(judged) or None,
        "Basis": None if found.basis == "scores" else BASES.get(found.basis, found.basis),
        "Challenger": _side(found.challenger),
        "Champion": _side(found.champion or {}),
    }


def _side(side: Mapping[str, Any]) -> str | None:
    """Return a version in a line: its number, its run, its value."""
    if not side:
        return None
    objective = _mapping(side.get("objective"))
    words = [f"version {side.get('version')}"]
    words += [f"run {side['run_id']}"] if side.get("run_id") else []
    words += [f"{objective.get('metric')} {output.show(objective.get('value'))}"] if objective else []
    words += [f"manifest sha256:{str(side['manifest_sha256'])[:12]}"] if side.get("manifest_sha256") else []
    return ", ".join(words)


def _say_differences(found: Verdict) -> None:
    """Write how the measures of the two versions differ, with the standard error of each gain and how it was found."""
    names = ["measure", "gain", "error", "method", "challenger", "champion", "draws", "seed", "clusters"]
    given = found.facts.get("differences")
    each = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    rows = [[_shown(one, name) for name in names] for one in each]
    if not rows:
        return
    output.say("\nMeasures on the same rows, positive gains are better:")
    kept = [index for index in range(len(names)) if any(row[index] is not None for row in rows)]
    tables.say_rows(
        [names[index] for index in kept], [[row[index] for index in kept] for row in rows], keep=3
    )


def _shown(difference: Mapping[str, Any], name: str) -> Any:
    value = difference.get(name)
    if name in ("gain", "error", "challenger", "champion") and isinstance(value, int | float):
        return measured(str(difference.get("measure")), value)
    return value


def _say_more(found: Verdict, scores: str) -> None:
    output.say_facts(flat(_mapping(found.facts.get("versions"))), "Judged with")
    if found.facts.get("scores"):
        digest = found.facts.get("scores_sha256")
        known = f", sha256:{str(digest)[:12]}" if digest else ""
        output.say(f"\nPredictions: {scores}{known}")


def _say_text(text: str, bullet: str = "") -> None:
    """Write a sentence, broken into lines on a terminal and whole in a pipe."""
    width = output.terminal_width(sys.stdout)
    if width is None:
        output.say(f"{bullet}{text}")
        return
    lines = textwrap.wrap(
        text,
        min(width, WIDTH),
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )
    output.say("\n".join(lines))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
