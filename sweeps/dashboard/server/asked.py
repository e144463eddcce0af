"""What a request asks for, checked once: numbers in their bounds, lists, and the store by its number."""

from typing import TYPE_CHECKING

from starlette.requests import Request

from sweeps.dashboard.server.answers import WrongCallError
from sweeps.dashboard.server.stores import OpenStore, UnknownPlaceError

if TYPE_CHECKING:
    from tracking.browse.reader import StoreReader

MOST_DIGITS = 15


def store_of(request: Request) -> OpenStore:
    """Return the store whose number the path of a request has; raise GoneStoreError if it has vanished."""
    return numbered(request, request.path_params["store"]).require()


def numbered(request: Request, number: int) -> OpenStore:
    """Return a store by its number; raise UnknownPlaceError if there are fewer."""
    stores: list[OpenStore] = request.app.state.stores
    if not 0 <= number < len(stores):
        raise UnknownPlaceError(f"there is no store {number}; the first has the number 0")
    return stores[number]


def reader_of(request: Request) -> "StoreReader":
    """Return what reads the store of a request."""
    return store_of(request).reader


def text_of(request: Request, name: str) -> str | None:
    """Return an argument of a request; None for an empty one and for none."""
    return request.query_params.get(name) or None


def texts_of(request: Request, name: str, *, most: int) -> list[str]:
    """Return an argument that may be repeated; raise WrongCallError if it is too often."""
    values = [value for value in request.query_params.getlist(name) if value]
    if len(values) > most:
        raise WrongCallError(f"{name}: {len(values)} of them are too many; {most} is the most")
    return values


def number_of(
    request: Request, name: str, default: int, *, least: int = 0, most: int = 10**MOST_DIGITS
) -> int:
    """Return a whole number between two bounds; raise WrongCallError for anything else."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS):
        raise WrongCallError(f"{name}={text}: not a whole number")
    if not least <= int(text) <= most:
        raise WrongCallError(f"{name}={text}: allowed are {least} to {most}")
    return int(text)


def choice_of(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices, the first of them by default; raise WrongCallError for anything else."""
    text = request.query_params.get(name) or choices[0]
    if text not in choices:
        raise WrongCallError(f"{name}={text}: allowed are {', '.join(choices)}")
    return text
