"""The page's answers: its files, what is new as server-sent events or asked for, and a stretch of the curve.

Looking is shared: however many look at the page, the tree is looked at once a second, and not at all while nobody does.
"""

from __future__ import annotations

import asyncio
import json
import math
from datetime import timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from starlette.requests import Request

    from trainer.curves.curve import Point
    from trainer.serving.following import Growth
    from trainer.serving.standing import Standing, View

_FILES = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

BEAT_EVERY_S = 10.0
"""How often a viewer hears something, so that it can tell a lost connection from a run of which nothing is new."""

_DAY_MINUTES = 24 * 60
_ITERATIONS = range(2**53)


class Page:
    """A tree's page, as an ASGI application.

    Args:
        standing: what is shown.
        has_ended: whether no more is to be sent, since the server is being stopped.
        look_every_s: how soon the tree is looked at again.
    """

    def __init__(
        self, standing: Standing, has_ended: Callable[[], bool] = lambda: False, look_every_s: float = 1.0
    ) -> None:
        self._standing = standing
        self._has_ended = has_ended
        self._look_every_s = look_every_s
        self._looked_s = -math.inf
        self._looking = asyncio.Lock()
        routes = [Route("/events", self._events), Route("/news", self._news), Route("/points", self._points)]
        routes += [
            Route("/" if file.name == "page.html" else f"/{file.name}", _serve_file(file))
            for file in sorted(_FILES.iterdir())
        ]
        self.app = Starlette(routes=routes)

    async def _events(self, request: Request) -> Response:
        zone = _zone(request)
        # The browser's own, of what it heard last, where it connects again.
        mark = request.headers.get("last-event-id") or request.query_params.get("mark", "")
        # A proxy is asked not to collect them first; nginx heeds the second.
        headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._follow(mark, zone), headers=headers)

    async def _follow(self, mark: str, zone: timezone) -> AsyncIterator[str]:
        clock = asyncio.get_running_loop().time
        shown, heard_s = None, -math.inf
        while not self._has_ended():
            view, growth = await self._look(mark, zone)
            news = {} if view == shown else _to_json(view)
            if growth.mark != mark or shown is None:
                news["curve"] = _growth_to_json(growth)
            if news or clock() - heard_s >= BEAT_EVERY_S:
                yield f"id: {growth.mark}\ndata: {json.dumps(news, separators=(',', ':'))}\n\n"
                heard_s = clock()
            mark, shown = growth.mark, view
            await asyncio.sleep(self._look_every_s)

    async def _news(self, request: Request) -> Response:
        view, growth = await self._look(request.query_params.get("mark", ""), _zone(request))
        return JSONResponse({**_to_json(view), "curve": _growth_to_json(growth)})

    async def _points(self, request: Request) -> Response:
        try:
            first, last = (int(request.query_params[name]) for name in ("first", "last"))
        except (KeyError, ValueError):
            return PlainTextResponse("first and last are iterations", 400)
        if first not in _ITERATIONS or last not in _ITERATIONS:
            return PlainTextResponse("first and last are iterations", 400)
        async with self._looking:
            points, thinned = await asyncio.to_thread(self._standing.curve.between, first, last)
        return JSONResponse({"points": _points_to_json(points), "thinned": thinned})

    async def _look(self, mark: str, zone: timezone) -> tuple[View, Growth]:
        """What is shown, and what has come since ``mark``; read anew where that is due."""
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if clock() - self._looked_s >= self._look_every_s:
                # In a thread, since a disk may take its time.
                await asyncio.to_thread(self._standing.look)
                self._looked_s = clock()
            return self._standing.view(zone), self._standing.curve.since(mark)


def _serve_file(file: Path) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for one of the page's files, which is read once."""
    content, kind = file.read_bytes(), _KINDS[file.suffix]

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


def _zone(request: Request) -> timezone:
    """The viewer's: a machine of Colab's is in none; minutes east of UTC, which need no table of zones here."""
    given = request.query_params.get("zone", "")
    minutes = int(given) if given.removeprefix("-").isdecimal() and len(given) <= 5 else 0
    return timezone(timedelta(minutes=minutes if abs(minutes) < _DAY_MINUTES else 0))


def _to_json(view: View) -> dict[str, object]:
    return {"title": view.title, "card": view.html}


def _growth_to_json(growth: Growth) -> dict[str, object]:
    return {
        "mark": growth.mark,
        "whole": growth.whole,
        "below": growth.keep_below,
        "thinned": growth.thinned,
        "points": _points_to_json(growth.points),
        "seams": [
            [seam.kind, seam.first_iteration, _or_null(seam.unix_s), seam.reason] for seam in growth.seams
        ],
        "scores": [[found.iteration, found.value, _or_null(found.unix_s)] for found in growth.maps],
    }


def _points_to_json(points: Sequence[Point]) -> dict[str, list[float | None]]:
    """Columns, which take half the room of objects."""
    return {
        "iteration": [point.iteration for point in points],
        "loss": [_or_null(point.loss) for point in points],
        "average": [_or_null(point.avg_loss) for point in points],
        "rate": [_or_null(point.rate) for point in points],
        "time": [_or_null(point.unix_s) for point in points],
    }


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None
