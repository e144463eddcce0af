"""The application: every address of the dashboard, behind the guard."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from sweeps.dashboard.server import assets, importance_routes, run_files, store_routes, sweep_routes
from sweeps.dashboard.server.answers import answered, mistaken, not_found
from sweeps.dashboard.server.events import EventStream, Hub
from sweeps.dashboard.server.guard import Guard
from sweeps.dashboard.server.importance_process import ImportanceProcess
from sweeps.dashboard.server.stores import open_stores
from tracking.version import __version__


def application(
    stores: Sequence[Path], *, token: str, port: int, hosts: Collection[str]
) -> tuple[Guard, Callable[[], None]]:
    """Return the ASGI application for these stores, and what ends all that would hold the server for long."""
    hub, importance = Hub(), ImportanceProcess()

    def stop() -> None:
        hub.stop()
        importance.stop()

    app = Starlette(
        routes=[
            *assets.ROUTES,
            Route("/api/stores", answered(_stores)),
            Route("/api/events", EventStream),
            *store_routes.ROUTES,
            *run_files.ROUTES,
            *sweep_routes.ROUTES,
            *importance_routes.ROUTES,
        ],
        exception_handlers={404: not_found, 500: mistaken},
    )
    app.router.redirect_slashes = False
    app.state.stores = open_stores(stores)
    app.state.hub = hub
    app.state.importance = importance
    return Guard(app, token=token, port=port, hosts=hosts), stop


def _stores(request: Request) -> Any:
    return {"stores": [store.as_plain() for store in request.app.state.stores], "version": __version__}
