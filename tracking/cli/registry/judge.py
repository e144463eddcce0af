"""judge: ask the gate about a version by hand."""

import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from tracking.cli.registry.changes import BesideArgument, By, VersionArgument, located
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import InvalidValueError
from tracking.gate import Gate, gate_settings
from tracking.process.program import command
from tracking.registry import ModelRegistry

WORDS = {"true": True, "false": False, "null": None}


def judge(
    name: VersionArgument,
    *,
    version: BesideArgument = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            "--scorer", help="Dotted function that scores a version; without it the recorded values decide."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="The rows: auto, or a file of labelled rows.")
    ] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE, a key of hydra.sweeper.promotion: rules.min_gain=0.002."),
    ] = None,
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Judge a version against the champion, and promote it if the gate says so.

    The exit code is 0 for a promotion and 1 for a refusal. The verdict is kept with the version. A comparison on rows
    counts as a look at them.

    Example: python -m tracking judge ctr_model@3 --scorer trainer.promotion.score --set rules.not_worse.log_loss=0.01
    """
    asked = gate_settings({"scorer": scorer, "split": split, **_nested(settings or ())})
    registry = ModelRegistry(store)
    model, number = located(registry, name, version, verb="judge")
    verdict = Gate(registry, asked, say=None if as_json else output.say).judge(model, number, by=by)
    if as_json:
        output.say_json(verdict.to_json())
    else:
        output.say(verdict.sentence)
        for reason in verdict.reasons:
            output.say(f"  - {reason}")
        place = "" if store == DEFAULT_STORE else f" --store {shlex.quote(store)}"
        output.say(f"All of it: {command(f'verdict {shlex.quote(model)}@{number}{place}')}")
    return 0 if verdict.promote else 1


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
