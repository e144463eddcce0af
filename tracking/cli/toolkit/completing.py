"""What a shell may put in place of the word before the cursor: commands, options, and the values that a package knows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracking.cli.toolkit.fast_typer import valued_options

Values = Callable[[str | None, str], Iterable[str]]


def completions(incomplete: str, candidates: Iterable[str]) -> list[str]:
    """Return the candidates that begin with what is typed."""
    # Control characters would reach the terminal.
    return sorted(each for each in set(candidates) if each.startswith(incomplete) and each.isprintable())


def _values_of(option: str, typed: str, parameters: Sequence[Any], values: Values) -> Iterable[str]:
    """Return the values of an option: its choices, or what the package knows."""
    choices = (getattr(each, "choices", ()) for each in parameters if option in each.opts)
    return next(choices, ()) or values(option, typed)


def candidates_of(
    before: Sequence[str],
    incomplete: str,
    command: str,
    parameters: Sequence[Any],
    values: Values,
    *,
    first: Callable[[], Iterable[str]],
    options: Sequence[str],
) -> Iterable[str]:
    """Return what may follow the words `before`, which call `command`, or its short form, with these parameters.

    `values` returns the values of an option or an argument by its name. `first` returns what the first word may be, and
    `options` are those that may stand before it.
    """
    valued = valued_options(parameters)
    if before and before[-1] in valued:
        return _values_of(before[-1], incomplete, parameters, values)
    option, sign, typed = incomplete.partition("=")
    if sign and option in valued:
        return [f"{option}={each}" for each in _values_of(option, typed, parameters, values)]
    taken = {index + 1 for index, word in enumerate(before) if word in valued}
    words = [word for index, word in enumerate(before) if index not in taken and not word.startswith("-")]
    if incomplete.startswith("-"):
        names = [name for each in parameters for name in each.opts if name.startswith("--")]
        return ["--help", *([] if words else options), *names]
    if not words:
        return first()
    place = len(words) - (command in words)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    if place >= len(arguments) and arguments and arguments[-1].nargs == -1:
        place = -1  # the last argument may be repeated
    return values(arguments[place].name, incomplete) if place < len(arguments) else []
