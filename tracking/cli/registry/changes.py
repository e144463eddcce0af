"""Commands that change registered models: promote, rollback, alias, archive, unarchive, remove."""

from typing import Annotated, Any

import typer

from tracking.cli.confirm import YesOption, agreed, runs_text
from tracking.cli.registry.arguments import (
    AnyArgument,
    BesideArgument,
    By,
    Name,
    VersionArgument,
    Why,
    check_why,
    located,
)
from tracking.cli.toolkit import output
from tracking.cli.toolkit.options import DEFAULT_STORE, JsonOption, StoreOption
from tracking.errors import CorruptFileError, InvalidValueError
from tracking.process.program import command
from tracking.registry import ModelRegistry
from tracking.registry.lineage import descendants
from tracking.registry.which import SIGN
from tracking.values.names import natural_key
from tracking.values.units import counted


def promote(
    name: VersionArgument,
    *,
    version: BesideArgument = None,
    reason: Why = "",
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make a version the champion by hand, without the gate.

    Example: python -m tracking promote ctr_model@3 --why "checked on last week's clicks"
    """
    registry = ModelRegistry(store)
    model, number = located(registry, name, version, verb="promote")
    check_why(reason)
    before = len(registry.history(model))
    chosen = registry.promote(model, number, reason=reason, by=by)
    if as_json:
        output.say_json(chosen)
    elif len(registry.history(model)) == before:
        output.say(f"Version {number} already is the champion of {model}; nothing was recorded.")
    else:
        output.say(f"The champion of {model} is version {number}.")


def rollback(
    name: Name,
    to: Annotated[
        str | None, typer.Option("--to", metavar="WHICH", help="Return to this earlier champion.")
    ] = None,
    reason: Why = "",
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Make the newest earlier champion whose files are intact the champion again, or the one that --to names.

    \b
    Example: python -m tracking rollback ctr_model --why "worse on mobile"
             python -m tracking rollback ctr_model --to 3 --why "the last before the new data"
    """
    registry = ModelRegistry(store)
    check_why(reason)
    number = None
    if to is not None:
        told, which = registry.parts(to) if SIGN in to else (name, to)
        if told != name:
            raise InvalidValueError(f"--to {to} is a version of {told!r}, and {name!r} is to be rolled back")
        _, number = registry.locate(name, which)
    before = registry.rollback(name, to=number, reason=reason, by=by)
    _say(before, f"The champion of {name} is version {before.version} again.", as_json=as_json)


def alias(
    name: AnyArgument,
    alias: Annotated[str, typer.Argument(help="The alias, such as staging.")],
    *,
    version: BesideArgument = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let the alias name nothing.")] = False,
    reason: Why = "",
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Let an alias name a version, or nothing.

    NAME@ALIAS takes it in the place of a number, in commands and in ModelRegistry.load. The champion is an alias that
    promote and rollback move.

    Example: python -m tracking alias ctr_model@3 staging
    """
    registry = ModelRegistry(store)
    model, which = registry.parts(name)
    if remove == (version is not None or which is not None):
        raise InvalidValueError("give the number of a version, or --remove; one of both")
    if remove:
        registry.remove_alias(model, alias, reason=reason, by=by)
        named = f"nothing in {model}"
    else:
        model, number = registry.locate(name, version)
        registry.set_alias(model, alias, number, reason=reason, by=by)
        named = f"version {number} of {model}"
    _say(registry.aliases(model), f"{alias} names {named}.", as_json=as_json)


def archive(
    name: VersionArgument,
    *,
    version: BesideArgument = None,
    reason: Why = "",
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Take a version out of use; its files stay.

    Lists leave it out, and it can become neither the champion nor get an alias. Its run stays protected.

    Example: python -m tracking archive ctr_model@2 --why "too slow"
    """
    registry = ModelRegistry(store)
    model, number = located(registry, name, version, verb="archive")
    chosen = registry.archive(model, number, reason=reason, by=by)
    _say(chosen, f"Version {number} of {model} is archived.", as_json=as_json)


def unarchive(
    name: VersionArgument,
    *,
    version: BesideArgument = None,
    reason: Why = "",
    by: By = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Take an archived version back into use.

    Example: python -m tracking unarchive ctr_model@2
    """
    registry = ModelRegistry(store)
    model, number = located(registry, name, version, verb="unarchive")
    chosen = registry.unarchive(model, number, reason=reason, by=by)
    _say(chosen, f"Version {number} of {model} is in use again.", as_json=as_json)


def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME[@WHICH]", help="A version, or a model with all its versions.")
    ],
    *,
    version: BesideArgument = None,
    reason: Why = "",
    by: By = None,
    yes: YesOption = False,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> int:
    """Remove a version of a model for good, or all of them.

    The runs that only they came from can be deleted then. The history stays, and no number is used again. A version that
    is the champion or has an alias stays until another has it, or the whole model goes.

    Example: python -m tracking remove ctr_model@2
    """
    registry = ModelRegistry(store)
    model, which = registry.parts(name)
    number = None if which is None and version is None else registry.locate(name, version)[1]
    what = f"all versions of {model}" if number is None else f"version {number} of {model}"
    registry.versions(model, on_error=lambda _: None)  # an unknown model is said before the question
    if not agreed(f"Remove {what} for good?", yes=yes):
        output.say("Nothing was removed.")
        return 1
    runs = _runs_of(registry)
    numbers = registry.remove(model, number, reason=reason, by=by)
    free = sorted(runs - _runs_of(registry), key=natural_key)
    if as_json:
        output.say_json({"removed": numbers, "unprotected": free})
    else:
        named = ", ".join(map(str, numbers))
        output.say(f"Removed {counted(len(numbers), 'version')} of {model}: {named}")
        if free:
            output.say(f"No version needs {runs_text(free)} any more; {command('delete')} takes runs.")
    return 0


def _say(outcome: Any, words: str, *, as_json: bool) -> None:
    output.say_json(outcome) if as_json else output.say(words)


def _runs_of(registry: ModelRegistry) -> set[str]:
    """Return the runs that versions came from, which are protected; none where that cannot be told."""
    try:
        return set(descendants(registry))
    except CorruptFileError:
        return set()
