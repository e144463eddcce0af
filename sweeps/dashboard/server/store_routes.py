"""The addresses below api/STORE that tell of runs and models: what the reader of the store answers."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sweeps.dashboard.server.answers import answered, in_words
from sweeps.dashboard.server.asked import (
    choice_of,
    number_of,
    reader_of,
    text_of,
    texts_of,
)
from tracking import QueryError

MOST_ROWS = 5000
MOST_RUNS = 1000  # that are compared or drawn at once
MOST_NAMES = 1000
MOST_POINTS = 20_000  # of a curve
TAIL_BYTES = 1 << 16
MOST_FILES = 1000  # that are listed at once
MOST_BYTES = 1 << 20  # of output at a time


def names(request: Request) -> Any:
    """Return the names that the runs of a store have."""
    return reader_of(request).names(text_of(request, "experiment"))


def runs(request: Request) -> Any:
    """Return a window of the table of runs; with `typing=1` a filter that is half written is answered with what is wrong in it.

    Otherwise that is an error, and browsers write each answer with the status of an error to their console.
    """
    is_typing = choice_of(request, "typing", ("0", "1")) == "1"
    try:
        return reader_of(request).table(
            text=request.query_params.get("filter", ""),
            sort=texts_of(request, "sort", most=MOST_NAMES),
            experiment=text_of(request, "experiment"),
            columns=texts_of(request, "columns", most=MOST_NAMES) or None,
            offset=number_of(request, "offset", 0),
            limit=number_of(request, "limit", 200, most=MOST_ROWS),
            by_seeds=choice_of(request, "seeds", ("0", "1")) == "1",
        )
    except QueryError as error:
        if not is_typing:
            raise
        return {"refused": in_words(error)}


def compare(request: Request) -> Any:
    """Return the parameters and metrics of runs side by side."""
    return reader_of(request).compare(texts_of(request, "runs", most=MOST_RUNS))


def curves(request: Request) -> Any:
    """Return the points of metrics of runs."""
    return reader_of(request).curves(
        texts_of(request, "runs", most=MOST_RUNS),
        texts_of(request, "metrics", most=MOST_NAMES),
        x=choice_of(request, "x", ("step", "epoch", "time")),
        most=number_of(request, "most", 2000, most=MOST_POINTS),
    )


def run(request: Request) -> Any:
    """Return all that is known of a run."""
    return reader_of(request).run(request.path_params["run"])


def output(request: Request) -> Any:
    """Return a part of what a run printed."""
    start = number_of(request, "start", -TAIL_BYTES, least=-MOST_BYTES)  # a negative one counts from the end
    most = number_of(request, "most", TAIL_BYTES, most=MOST_BYTES)
    return reader_of(request).output(request.path_params["run"], start=start, most=most)


def files(request: Request) -> Any:
    """Return some files of one folder of a run."""
    folder = text_of(request, "folder") or ""
    offset, most = number_of(request, "offset", 0), number_of(request, "most", MOST_FILES, most=MOST_FILES)
    return reader_of(request).files(request.path_params["run"], folder, offset=offset, most=most)


def models(request: Request) -> Any:
    """Return the registered models."""
    return reader_of(request).models()


def model(request: Request) -> Any:
    """Return a registered model with its versions."""
    return reader_of(request).model(request.path_params["model"])


def model_version(request: Request) -> Any:
    """Return a whole verdict on a version of a model, all on it in short, and the code it came from."""
    which = number_of(request, "verdict", 0) or None
    known = request.path_params
    return reader_of(request).model_version(known["model"], known["version"], which=which)


ROUTES = [
    Route(f"/api/{{store:int}}/{path}", answered(function))
    for path, function in {
        "names": names,
        "runs": runs,
        "compare": compare,
        "curves": curves,
        "run/{run}": run,
        "run/{run}/output": output,
        "run/{run}/files": files,
        "models": models,
        "model/{model}": model,
        "model/{model}/version/{version:int}": model_version,
    }.items()
]
