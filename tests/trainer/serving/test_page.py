"""What the page's parts are answered, asked as a server would ask the application."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from trainer.background import RunLock
from trainer.curves.writer import MetricsWriter
from trainer.serving import page as page_module
from trainer.serving.page import Page
from trainer.serving.standing import Standing
from trainer.status import Status, StatusWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from starlette.types import Message, Scope

FAST_S = 0.005
PATIENCE_S = 20.0


class Request:
    """A request to the application; with ``async with``, its answer is read as it comes."""

    def __init__(self, page: Page, path: str, headers: dict[str, str] | None = None, **query: object) -> None:
        named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self._scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": named,
            "query_string": urlencode(query).encode(),
        }
        self._page = page
        self._gone = asyncio.Event()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._buffer = ""

    async def __aenter__(self) -> Request:
        answering = self._page.app(self._scope, self._receive, self._messages.put)
        self._task = asyncio.ensure_future(answering)
        start = await self._next()
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await asyncio.wait_for(self._task, PATIENCE_S)

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        return await asyncio.wait_for(self._messages.get(), PATIENCE_S)

    async def event(self) -> tuple[str, Any]:
        """The next server-sent event: its id and its data."""
        while "\n\n" not in self._buffer:
            self._buffer += (await self._next())["body"].decode()
        text, self._buffer = self._buffer.split("\n\n", 1)
        match = re.fullmatch(r"id: (\S+)\ndata: (.*)", text)
        assert match, text
        return match[1], json.loads(match[2])

    async def body(self) -> bytes:
        """All of the answer."""
        body, more = b"", True
        while more:
            message = await self._next()
            body, more = body + message["body"], message.get("more_body", False)
        return body


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


@pytest.fixture
def metrics(tree: Path) -> Iterator[MetricsWriter]:
    with MetricsWriter(tree / "backup/metrics.jsonl", clock=iter(range(0, 10**6, 10)).__next__) as writer:
        yield writer


@pytest.fixture
def writer(tree: Path) -> Iterator[StatusWriter]:
    with RunLock(tree):
        writer = StatusWriter(tree, Status("training", os.getpid(), 0.0, safe_iteration=600))
        writer.flush()
        yield writer


def train(metrics: MetricsWriter, *iterations: int) -> None:
    for iteration in iterations:
        metrics.progress(iteration=iteration, loss=iteration / 2, avg_loss=2.0, rate=0.001, seconds=0.1)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def patiently() -> None:
        await asyncio.wait_for(test(), PATIENCE_S)

    asyncio.run(patiently())


def test_what_is_new_comes_as_it_happens(tree: Path, metrics: MetricsWriter, writer: StatusWriter) -> None:
    train(metrics, 1, 2)

    async def test() -> None:
        page = Page(Standing(tree), look_every_s=FAST_S)
        async with Request(page, "/events") as viewer, Request(page, "/events") as other:
            assert viewer.headers["content-type"].startswith("text/event-stream")
            for one in (viewer, other):
                _, news = await one.event()
                assert "600" in news["card"]
                assert news["curve"]["whole"]
                assert news["curve"]["points"]["iteration"] == [1, 2]
            train(metrics, 3)
            mark, news = await viewer.event()
            assert "card" not in news
            assert (news["curve"]["whole"], news["curve"]["points"]["loss"]) == (False, [1.5])
            writer.value = replace(writer.value, safe_iteration=700)
            writer.flush()
            _, news = await viewer.event()
            assert "700" in news["card"]
            assert "curve" not in news
            # The other one has not been listening: he gets the same, in the same order.
            assert (await other.event())[0] == mark
            assert "700" in (await other.event())[1]["card"]
        # A browser that lost its connection says itself what it heard last.
        train(metrics, 4)
        async with Request(page, "/events", {"last-event-id": mark}, mark="what it began with") as viewer:
            sent: list[int] = []
            while not sent:  # the last look may have been a moment ago
                _, news = await viewer.event()
                sent = news["curve"]["points"]["iteration"]
            assert (news["curve"]["whole"], sent) == (False, [4])

    run(test)


def test_whoever_hears_nothing_new_hears_that_there_is_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "BEAT_EVERY_S", 0.0)

    async def test() -> None:
        async with Request(Page(Standing(tree), look_every_s=FAST_S), "/events") as viewer:
            mark, news = await viewer.event()
            assert "There is no" in news["card"]
            assert await viewer.event() == (mark, {})

    run(test)


def test_a_server_that_ends_ends_what_it_sends(tree: Path) -> None:
    ended: list[bool] = []

    async def test() -> None:
        page = Page(Standing(tree), lambda: bool(ended), look_every_s=FAST_S)
        async with Request(page, "/events") as viewer:
            await viewer.event()
            ended.append(True)
            assert await viewer.body() == b""

    run(test)


@pytest.mark.usefixtures("writer")
def test_the_same_can_be_asked_for(tree: Path, metrics: MetricsWriter) -> None:
    async def ask(page: Page, **query: object) -> Any:
        async with Request(page, "/news", **query) as answer:  # type: ignore[arg-type]
            assert answer.status == 200
            return json.loads(await answer.body())

    train(metrics, 1, 2)
    metrics.event("map", iteration=2, value=0.25)
    metrics.resume(2, kind="restarted", reason="darknet hung")

    async def test() -> None:
        page = Page(Standing(tree), look_every_s=0.0)
        news = await ask(page)
        assert news["title"].startswith("safe up to iteration 600")
        curve = news["curve"]
        assert curve["points"].keys() == {"iteration", "loss", "average", "rate", "time"}
        assert curve["points"]["iteration"] == [1]
        assert [seam[:2] + seam[3:] for seam in curve["seams"]] == [["restarted", 2, "darknet hung"]]
        assert curve["scores"] == []
        train(metrics, 2)
        metrics.progress(iteration=3, loss=float("nan"), avg_loss=float("inf"), rate=0.001, seconds=0.1)
        metrics.event("map", iteration=3, value=0.5)
        curve = (await ask(page, mark=curve["mark"]))["curve"]
        assert (curve["whole"], curve["below"]) == (False, 2)
        assert curve["points"]["loss"] == [1.0, None]
        assert curve["points"]["average"] == [2.0, None]
        assert [score[:2] for score in curve["scores"]] == [[3, 0.5]]

    run(test)


@pytest.mark.parametrize(
    ("query", "iterations"),
    [
        pytest.param({"first": 2, "last": 3}, [2, 3], id="a stretch"),
        pytest.param({"first": 0, "last": 10**15}, [1, 2, 3, 4], id="all"),
        pytest.param({"first": 9, "last": 10}, [], id="beyond it"),
        pytest.param({"first": 2}, None, id="without an end"),
        pytest.param({"first": "x", "last": 3}, None, id="no number"),
        pytest.param({"first": -1, "last": 3}, None, id="below 0"),
        pytest.param({"first": 1, "last": 10**400}, None, id="beyond all numbers"),
        pytest.param({"first": 1, "last": "9" * 5000}, None, id="too long to read"),
    ],
)
def test_a_stretch_of_the_curve(
    tree: Path, metrics: MetricsWriter, query: dict[str, Any], iterations: list[int] | None
) -> None:
    train(metrics, 1, 2, 3, 4)

    async def test() -> None:
        page = Page(Standing(tree))
        async with Request(page, "/news") as answer:
            await answer.body()
        async with Request(page, "/points", **query) as answer:
            body = await answer.body()
        if iterations is None:
            assert answer.status == 400
        else:
            assert json.loads(body)["points"]["iteration"] == iterations

    run(test)


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        pytest.param("0", "15:13", id="Greenwich"),
        pytest.param("330", "20:43", id="India"),
        pytest.param("-210", "11:43", id="Newfoundland"),
        pytest.param("", "15:13", id="not said"),
        pytest.param("1440", "15:13", id="a whole day"),
        pytest.param("--5", "15:13", id="no number"),
        pytest.param("²", "15:13", id="a digit that is no number"),
    ],
)
def test_times_of_day_are_the_viewers(tree: Path, zone: str, end: str) -> None:
    now_s = 1_790_000_000.0  # 14:13:20 UTC
    status = Status("training", os.getpid(), now_s, iteration=1, max_batches=9, per_minute=1.0, left_s=3600.0)
    with RunLock(tree):
        StatusWriter(tree, status, lambda: now_s).flush()

        async def test() -> None:
            page = Page(Standing(tree, lambda: now_s))
            async with Request(page, "/news", zone=zone) as answer:
                assert end in json.loads(await answer.body())["card"]

        run(test)


def test_all_that_the_page_loads_is_there_and_nothing_is_from_elsewhere(tree: Path) -> None:
    async def fetch(page: Page, path: str) -> tuple[int, str, str]:
        async with Request(page, path) as answer:
            return answer.status, answer.headers["content-type"], (await answer.body()).decode()

    async def test() -> None:
        page = Page(Standing(tree))
        status, kind, text = await fetch(page, "/")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        wanted = re.findall(r'(?:src|href)="([^":]+)"', text)
        seen: set[str] = set()
        while wanted:
            name = wanted.pop()
            seen.add(name)
            status, kind, text = await fetch(page, f"/{name}")
            assert status == 200
            assert kind == ("text/css" if name.endswith(".css") else "text/javascript") + "; charset=utf-8"
            assert not re.search(r"https?:|//[a-z]+\.", text.replace("// ", ""))
            wanted += set(re.findall(r'from "\./([^"]+)"', text)) - seen
        assert seen == {path.name for path in page_module._FILES.iterdir()} - {"page.html"}
        assert (await fetch(page, "/../page.py"))[0] == 404

    run(test)
