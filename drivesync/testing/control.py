"""What a test or a person may ask of the emulator itself: faults, costs, counters, under ``/emulator/``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from drivesync.testing.costs import costs_from_json
from drivesync.testing.faults import fault_from_json
from drivesync.testing.oauth_routes import oauth_routes

if TYPE_CHECKING:
    from starlette.requests import Request

    from drivesync.testing.server import DriveApp


def control_app(app: DriveApp) -> Starlette:
    """The routes.

    ====================  =======  ==========================================================================
    /emulator/faults      GET      the faults, each with how often it ``struck``
                          POST     inject one, or a list of them (``faults.fault_from_json``)
                          DELETE   disarm all; refused tokens are good again
    /emulator/costs       GET      latency, bandwidth, rates (``faults.Costs``)
                          POST     change the named ones
    /emulator/storage     GET      ``{"limit_bytes", "used_bytes"}``
                          POST     change ``limit_bytes``; null for no limit
    /emulator/counters    GET      totals by kind of call (``counters.CallCount``)
                          DELETE   count from zero again
    /emulator/reset       POST     no faults, no costs, counters at zero; what Drive holds stays
    /emulator/oauth...             logging in (``oauth_routes``)
    ====================  =======  ==========================================================================
    """
    control = _Control(app)
    return Starlette(
        routes=[
            Route("/emulator/faults", control.faults, methods=["GET", "POST", "DELETE"]),
            Route("/emulator/costs", control.costs, methods=["GET", "POST"]),
            Route("/emulator/storage", control.storage, methods=["GET", "POST"]),
            Route("/emulator/counters", control.counters, methods=["GET", "DELETE"]),
            Route("/emulator/reset", control.reset, methods=["POST"]),
            *oauth_routes(app),
        ],
        exception_handlers={ValueError: _refuse, TypeError: _refuse, KeyError: _refuse},
    )


class _Control:
    def __init__(self, app: DriveApp) -> None:
        self._app = app

    async def faults(self, request: Request) -> JSONResponse:
        body = await _read(request)
        with self._app.lock:
            if request.method == "DELETE":
                self._app.faults.clear()
                self._app.refused_tokens.clear()
            elif request.method == "POST":
                for fault in [fault_from_json(item) for item in (body if isinstance(body, list) else [body])]:
                    self._app.faults.inject(fault)
            return JSONResponse(self._app.faults.report())

    async def costs(self, request: Request) -> JSONResponse:
        body = await _read(request)
        with self._app.lock:
            if request.method == "POST":
                self._app.set_costs(costs_from_json(self._app.costs, body))
            return JSONResponse(dataclasses.asdict(self._app.costs))

    async def storage(self, request: Request) -> JSONResponse:
        body = await _read(request)
        store = self._app.store
        with self._app.lock:
            if request.method == "POST":
                limit = body["limit_bytes"]
                if limit is not None and (not isinstance(limit, int) or limit < 0):
                    raise ValueError("limit_bytes must be a number of bytes or null")
                store.storage_limit_bytes = limit
            return JSONResponse({"limit_bytes": store.storage_limit_bytes, "used_bytes": store.used_bytes})

    async def counters(self, request: Request) -> JSONResponse:
        with self._app.lock:
            if request.method == "DELETE":
                self._app.counters.reset()
            return JSONResponse(self._app.counters.to_json())

    async def reset(self, _: Request) -> JSONResponse:
        self._app.reset_conditions()
        return JSONResponse({})


async def _read(request: Request) -> Any:
    return json.loads(await request.body() or b"{}")


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)
