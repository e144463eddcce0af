"""Commands of Typer that cast their arguments without pydantic, whose import takes longer than a command.

Texts, numbers and choices are cast here; Typer casts parameters of other types.
"""

import functools
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class PlainGroup(TyperGroup):
    """The commands of a program, which is the object of its context."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by sections."""
        sections: Mapping[str, Mapping[str, str]] = ctx.obj.shown()
        widest = max(len(name) for names in sections.values() for name in names)
        limit = formatter.width - 6 - widest
        for title, names in sections.items():
            rows = [
                (name.ljust(widest), line or self.commands[name].get_short_help_str(limit))
                for name, line in names.items()
            ]
            with formatter.section(title):
                formatter.write_dl(rows)

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option --help, cast here."""
        return _override(super().get_help_option(ctx), bool)


class PlainCommand(TyperCommand):
    """A command whose parameters of plain types are cast here."""

    def __init__(self, name: str | None, **settings: Any) -> None:
        super().__init__(name, **settings)
        hints = typing.get_type_hints(self.callback)
        for param in self.params:
            cast = _cast_to(hints.get(str(param.name)))
            if cast is not None:
                _override(param, cast)
                vars(param)["choices"] = _choices(cast)  # for completion; Typer keeps its own in a library

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option --help, cast here."""
        return _override(super().get_help_option(ctx), bool)


def parameters(function: Callable[..., Any]) -> list[Any]:
    """Return the parameters of a command: its arguments and options as Typer parses them."""
    app = typer.Typer(add_completion=False)
    app.command(cls=PlainCommand)(function)
    return list(typer.main.get_command(app).params)


def valued_options(given: Iterable[Any]) -> frozenset[str]:
    """Return the names of those parameters that are options and are followed by a value."""
    options = (each for each in given if each.param_type_name == "option" and not each.is_flag)
    return frozenset(name for each in options for name in each.opts)


def _override(param: Any, cast: Callable[[Any], Any]) -> Any:
    if param is None:
        return None
    by_typer = param.process_value  # the only step of Typer's parsing that loads pydantic

    def process_value(ctx: Any, value: Any) -> Any:
        if param.required and param.value_is_missing(value):
            return by_typer(ctx, value)  # which raises
        if value is not None:
            try:
                value = cast(value)
                # Where Typer keeps the range depends on its version. No command has an upper limit.
                low = getattr(param if hasattr(param, "min") else getattr(param, "type", None), "min", None)
                if low is not None and value < low:
                    raise ValueError(f"{value} is too small; it is {low} or more")
            except ValueError as error:
                raise typer.BadParameter(str(error), ctx=ctx, param=param) from None
        return param.callback(ctx, param, value) if param.callback else value

    param.process_value = process_value
    return param


def _cast_to(hint: Any) -> Callable[[Any], Any] | None:
    kind = next((each for each in typing.get_args(hint) if type(None) in typing.get_args(hint)), hint)
    if kind == list[str]:
        return lambda values: list(map(str, values))
    if kind in _NAMES or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return functools.partial(_cast, kind)
    return None  # a flag, which Typer casts without pydantic, or another type


def _choices(cast: Callable[[Any], Any]) -> tuple[str, ...]:
    (kind,) = getattr(cast, "args", (None,))
    return tuple(map(str, kind)) if isinstance(kind, type) and issubclass(kind, StrEnum) else ()


def _cast(kind: Any, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        allowed = _NAMES.get(kind) or f"one of {', '.join(repr(str(each)) for each in kind)}"
        raise ValueError(f"{value!r} is not {allowed}") from None


_NAMES = {str: "a text", int: "a valid integer", float: "a valid number"}
