"""What the server answers with: plain data as JSON that browsers read, and errors as a sentence with a status.

Functions that read a store are ordinary ones, and run in a few threads beside the event loop. Browsers keep no answer,
because the next moment may have another one.
"""

import functools
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import orjson
from starlette.requests import Request
from starlette.responses import Response

from sweeps.dashboard.server.stores import GoneStoreError
from sweeps.errors import SweepError
from tracking import CorruptFileError, TrackingError
from tracking.values.jsontext import encode, jsonable, readable

EXACT = 1 << 53  # the first whole number that has a neighbour which JavaScript cannot tell from it
LEAST_BYTES = 1400  # of an answer that is compressed; a smaller one is one packet
LEVEL = 1  # of gzip: a tunnel gains most of it, and this machine loses little
THREADS = 4
UNREADABLE = 503
GONE = 410
FRESH = {"cache-control": "no-store"}
ERRORS = (TrackingError, SweepError, OSError)  # that say what a person may do
MISTAKE = "The dashboard made a mistake; the terminal that it was started in shows which."

Answer = Callable[[Request], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


class WrongCallError(TrackingError, ValueError):
    """A request lacks something, or has a value that is not allowed."""


def answered(function: Answer) -> Endpoint:
    """Return an endpoint that runs a function in a thread, and answers with what it returns or with the error it raises.

    The function returns plain data or a response.
    """

    @functools.wraps(function)
    async def endpoint(request: Request) -> Response:
        return await anyio.to_thread.run_sync(_answer, function, request, limiter=_limiter(request))

    return endpoint


def browser_json(value: Any) -> bytes:
    """Return plain data as JSON for browsers: whole numbers that JavaScript would round are text, other text is escaped.

    What reads a store writes non-finite numbers as text already.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError:
        return encode(_exact(readable(jsonable(value))))


def json_response(value: Any, request: Request, status: int = 200) -> Response:
    """Return a response with plain data, compressed where the browser takes it."""
    body, headers = browser_json(value), {**FRESH, "vary": "accept-encoding"}
    if len(body) >= LEAST_BYTES and takes_gzip(request):
        body, headers["content-encoding"] = gzip.compress(body, LEVEL, mtime=0), "gzip"
    return Response(body, status, headers, "application/json")


def error_response(error: Exception, request: Request) -> Response:
    """Return a response that says what went wrong, with the status of the error."""
    return json_response(in_words(error), request, status_of(error))


def in_words(error: Exception) -> dict[str, str | None]:
    """Return what went wrong as plain data: a sentence, and what further lines the message has."""
    sentence, _, detail = str(error).partition("\n")
    return {"error": sentence, "detail": detail or None}


def takes_gzip(request: Request) -> bool:
    """Return whether who asks reads compressed answers."""
    return "gzip" in request.headers.get("accept-encoding", "")


async def not_found(request: Request, _error: Exception) -> Response:
    """Answer for an address that leads to nothing."""
    return json_response({"error": f"There is no {request.url.path}", "detail": None}, request, 404)


async def mistaken(request: Request, _error: Exception) -> Response:
    """Answer for an error that nobody thought of; its traceback is for the terminal."""
    return json_response({"error": MISTAKE, "detail": None}, request, 500)


def _answer(function: Answer, request: Request) -> Response:
    try:
        value = function(request)
    except ERRORS as error:
        return error_response(error, request)
    return value if isinstance(value, Response) else json_response(value, request)


def status_of(error: Exception) -> int:
    """Return the status of an answer that tells of an error: 400, 404, GONE, or UNREADABLE for what may be mended."""
    if isinstance(error, GoneStoreError):
        return GONE
    if isinstance(
        error, LookupError | FileNotFoundError
    ):  # also those of the tracker: no such run, model, file
        return 404
    return UNREADABLE if isinstance(error, CorruptFileError) or not isinstance(error, ValueError) else 400


def _exact(value: Any) -> Any:
    """Return plain data with the digits of whole numbers that JavaScript would round."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -EXACT < value < EXACT else str(value)
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return value


def _limiter(request: Request) -> anyio.CapacityLimiter:
    state = request.app.state
    if not hasattr(state, "readers"):  # made in the event loop that it belongs to
        state.readers = anyio.CapacityLimiter(THREADS)
    limiter: anyio.CapacityLimiter = state.readers
    return limiter
