"""The addresses that tell how much each setting decides: of a sweep, and of the runs that pass a filter."""

from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sweeps.dashboard.facts.sweep_list import sweep_stamp
from sweeps.dashboard.server.answers import ERRORS, WrongCallError, error_response, json_response
from sweeps.dashboard.server.asked import reader_of, store_of, text_of, texts_of
from sweeps.dashboard.server.store_routes import MOST_NAMES, MOST_ROWS
from tracking.repeats import REPEAT


async def of_sweep(request: Request) -> Response:
    """Return how much each key of a sweep decides, from a process of its own."""
    try:
        store = store_of(request)
        folder = await anyio.to_thread.run_sync(store.sweep_folder, request.path_params["sweep"])
        stamp = await anyio.to_thread.run_sync(sweep_stamp, folder)
        found = await request.app.state.importance.ask(folder, stamp)
    except ERRORS as error:
        return error_response(error, request)
    return json_response({"importance": found}, request)


async def of_runs(request: Request) -> Response:
    """Return how much each parameter decides the result of the runs that pass a filter, the first ones in an order."""
    try:
        settings, results = await anyio.to_thread.run_sync(_table, request)
        found = await request.app.state.importance.ask_of_runs(settings, results)
    except ERRORS as error:
        return error_response(error, request)
    return json_response({"importance": found}, request)


def _table(request: Request) -> tuple[dict[str, list[Any]], list[Any]]:
    """Return the parameters that differ between runs by their names, and the results."""
    result, experiment = text_of(request, "result"), text_of(request, "experiment")
    if result is None:
        raise WrongCallError("result= is missing: the metric that the parameters may decide")
    reader = reader_of(request)
    varying = reader.names(experiment)["varying"]
    table = reader.table(
        text=request.query_params.get("filter", ""),
        sort=texts_of(request, "sort", most=MOST_NAMES),
        experiment=experiment,
        columns=[result, *varying],
        limit=MOST_ROWS,
    )
    columns = dict(zip((column["name"] for column in table["columns"]), table["values"], strict=True))
    results = columns.pop(result)
    # a seed decides nothing that one could choose
    return {name: values for name, values in columns.items() if not REPEAT.fullmatch(name)}, results


ROUTES = [
    Route("/api/{store:int}/sweep/{sweep}/importance", of_sweep),
    Route("/api/{store:int}/importance", of_runs),
]
