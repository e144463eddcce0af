"""judge: ask the gate about a version by hand."""

import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tracking.cli.registry.arguments import BesideArgument, By, VersionArgument, located
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError
from tracking.gate import Gate, GateSettings, gate_settings
from tracking.gate.earlier import Earlier, earlier_settings
from tracking.process.program import command
from tracking.registry import ModelRegistry, Verdict

WORDS = {"true": True, "false": False, "null": None}


def judge(
    name: VersionArgument,
    *,
    version: BesideArgument = None,
    scorer: Annotated[
        str | None, typer.Option("--scorer", help="Dotted function that scores a version.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="The rows: auto, or a file of labelled rows.")
    ] = None,
    recorded: Annotated[
        bool,
        typer.Option("--recorded", help="Let the values that the runs recorded decide; nothing is scored."),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, a key of hydra.sweeper.promotion: rules.min_gain=0.002."),
    ] = None,
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Judge a version against the champion, and promote it if the gate says so.

    What is not given is as the version's sweep set it, else as an earlier verdict did. The exit code is 0 for a promotion
    and 1 for a refusal. The verdict is kept with the version. A comparison on rows counts as a look at them.

    Example: python -m tracking judge ctr_model@3 --scorer trainer.promotion.score --set rules.not_worse.log_loss=0.01
    """
    registry = ModelRegistry(store)
    given = _given(scorer, split, settings or (), recorded=recorded)
    gate_settings(given)  # what is wrong with it is said before anything is read
    model, number = located(registry, name, version, verb="judge")
    earlier = earlier_settings(registry, registry.version(model, number))
    asked = gate_settings(_laid_over(earlier.settings.to_json() if earlier else {}, given))
    say = None if as_json else output.say
    if say is not None:
        say(_first_line(earlier, asked, recorded=recorded))
    verdict = Gate(registry, asked, say=say, insists=recorded).judge(model, number, by=by)
    if as_json:
        output.say_json(verdict.to_json())
    else:
        output.say(verdict.sentence)
        for reason in verdict.reasons:
            output.say(f"  - {reason}")
        output.say(_closing(registry, model, number, verdict, store))
    return 0 if verdict.promote else 1


def _closing(registry: ModelRegistry, model: str, number: int, verdict: Verdict, store: str) -> str:
    """Return the line that says where the whole verdict is; of a version that was not judged, that its own stays."""
    place = "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"
    shown = f"verdict {shlex.quote(model)}@{number}"
    known = registry.verdicts(model, number)
    found = next((each for each in reversed(known) if each.verdict.to_json() == verdict.to_json()), None)
    if found is not None:
        which = "" if found.counts else f" --number {found.number}"
        return f"All of it: {command(f'{shown}{which}{place}')}"
    if known:
        return f"Nothing was compared; the verdict of before stays: {command(f'{shown}{place}')}"
    return "Nothing was compared, and no verdict is kept."


def _first_line(earlier: Earlier | None, asked: GateSettings, *, recorded: bool) -> str:
    """Say whose settings count, and why recorded values decide where they do."""
    whose = f"settings: those of {earlier.source}" if earlier else "settings: the defaults"
    if asked.scores:
        return whose
    why = "as --recorded asks" if recorded else "because no scorer is known: give one with --scorer"
    return f"{whose}; recorded values decide, {why}"


def _given(
    scorer: str | None, split: str | None, settings: Sequence[str], *, recorded: bool
) -> dict[str, Any]:
    """Return the settings that the options give."""
    if recorded and (scorer is not None or split is not None):
        raise InvalidValueError("--recorded scores nothing: leave out --scorer and --split")
    found = _nested(settings)
    more = {"scorer": scorer, "split": split}
    found |= {key: value for key, value in more.items() if value is not None}
    return found | ({"split": None} if recorded else {})


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return one mapping over another, key by key."""
    found = dict(below)
    for key, value in above.items():
        known = found.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            found[key] = _laid_over(known, value)
        else:
            found[key] = value
    return found


def _nested(given: Sequence[str]) -> dict[str, Any]:
    """Return settings as a mapping, `rules.min_gain=0.1` as {"rules": {"min_gain": 0.1}}."""
    found: dict[str, Any] = {}
    for each in given:
        key, equals, text = each.partition("=")
        parts = key.split(".", 2)  # the name of a metric may hold a dot
        if not equals or not all(parts):
            raise InvalidValueError(f"--set {each!r}: write KEY=VALUE, such as rules.min_gain=0.002")
        inner = found
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InvalidValueError(f"--set {each!r}: {part} has a value already")
        inner[parts[-1]] = _value(text)
    return found


def _value(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
