"""The arguments and options that commands about registered models share, and the version that they name."""

from typing import Annotated

import typer

from tracking.errors import InvalidValueError
from tracking.process.program import command
from tracking.registry import ModelRegistry
from tracking.registry.which import SIGN

Name = Annotated[str, typer.Argument(help="The model's name.")]
VersionArgument = Annotated[
    str, typer.Argument(metavar="NAME@WHICH", help="A version, such as ctr@3 or ctr@champion.")
]
AnyArgument = Annotated[str, typer.Argument(metavar="NAME[@WHICH]", help="A model, or one of its versions.")]
BesideArgument = Annotated[
    str | None, typer.Argument(metavar="WHICH", help="Its number or alias, where NAME stands alone.")
]
Why = Annotated[str, typer.Option("--why", "--reason", help="The reason, kept in the history.")]
By = Annotated[str | None, typer.Option("--by", help="The person; by default your login.")]


def check_why(reason: str) -> None:
    """Raise InvalidValueError for a reason that is empty, where the history must have one."""
    if not reason.strip():
        raise InvalidValueError("say why with --why; the history keeps it")


def located(registry: ModelRegistry, name: str, version: str | None, *, verb: str) -> tuple[str, int]:
    """Return the model and the number that the words of a command mean; raise InvalidValueError if none is named."""
    found, which = registry.parts(name)
    if which is None and version is None:
        raise InvalidValueError(f"say which version: {command(f'{verb} {found}{SIGN}3')}")
    return registry.locate(name, version)
