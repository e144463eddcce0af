"""The addresses below api/STORE that tell of sweeps."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from sweeps.dashboard.facts.failures import log_tail
from sweeps.dashboard.facts.sweep_facts import sweep_facts
from sweeps.dashboard.facts.sweep_list import sweep_list
from sweeps.dashboard.server.answers import answered
from sweeps.dashboard.server.asked import number_of, store_of

LINES = 200
MOST_LINES = 2000


def sweeps(request: Request) -> Any:
    """Return all sweeps of a store."""
    return {"sweeps": sweep_list(store_of(request).path)}


def sweep(request: Request) -> Any:
    """Return the facts of a sweep."""
    return sweep_facts(store_of(request).sweep_folder(request.path_params["sweep"]))


def log(request: Request) -> Any:
    """Return the last lines that a job of a sweep printed."""
    folder = store_of(request).sweep_folder(request.path_params["sweep"])
    job = request.path_params["job"]
    return {"job": job, "lines": log_tail(folder, job, number_of(request, "most", LINES, most=MOST_LINES))}


ROUTES = [
    Route("/api/{store:int}/sweeps", answered(sweeps)),
    Route("/api/{store:int}/sweep/{sweep}", answered(sweep)),
    Route("/api/{store:int}/sweep/{sweep}/log/{job:int}", answered(log)),
]
