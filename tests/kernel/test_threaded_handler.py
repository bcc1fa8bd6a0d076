"""Requests in permanent threads."""

import asyncio
import hashlib
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.staticfiles import finders
from django.core.handlers.asgi import ASGIHandler
from django.urls import URLResolver, get_resolver

from livestream.asgi import application, async_application
from livestream.database import REQUESTS
from livestream.http.threaded_handler import ThreadedHandler
from streams.gateways.media_entrance import close_clients

# The threads are those of the process: they may have connections that other tests opened, and clean them up.
pytestmark = pytest.mark.django_db(transaction=True)

HEADERS = [(b"host", b"testserver")]
ASYNC_PATHS = [
    "/health",
    "/whip/abc",
    "/whep/abc/def",
    "/whip/abc/def/layers",
    "/hls/00000000-0000-4000-8000-000000000000/index.m3u8",
    "/api/v1/sessions/00000000-0000-4000-8000-000000000000/token/",
]


class Caller:
    """A caller that sends a request without a body, and may disconnect."""

    def __init__(self, path="/health", *, method="GET", headers=None):
        given = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": HEADERS + given}
        self.sent = []
        self.gone = asyncio.Event()
        self._asked = False

    async def receive(self):
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, event):
        self.sent.append(event)

    def calls(self, application=None):
        serve = application or ThreadedHandler()
        return asyncio.create_task(serve(self.scope, self.receive, self.send))

    @property
    def body(self):
        return b"".join(event.get("body", b"") for event in self.sent)


@contextmanager
def all_threads_busy() -> Iterator[None]:
    over = threading.Event()
    held = [REQUESTS.executor.submit(over.wait, 20) for _ in range(REQUESTS.size)]
    try:
        yield
    finally:
        over.set()
        for one in held:
            one.result()


# From Django 5.2. ThreadedHandler.handle replaces it.
HANDLE_OF_DJANGO = "98faeb5bef800331e6a8002fbc96b30e4122a23438ae45a047190a531ea11323"


def views(resolver: URLResolver) -> Iterator[object]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views(entry)
        else:
            yield entry.callback


async def test_a_request_is_answered():
    caller = Caller()
    await caller.calls()

    assert (caller.sent[0]["status"], caller.body) == (200, b'{"status": "ok"}')


async def test_a_file_arrives_whole():
    caller = Caller("/static/css/base.css")
    await caller.calls()

    with open(finders.find("css/base.css"), "rb") as file:
        assert caller.body == file.read()


async def test_who_leaves_while_all_threads_are_busy_is_not_served_any_more():
    leaves, stays = Caller(), Caller()
    with all_threads_busy():
        left, served = leaves.calls(), stays.calls()
        await asyncio.sleep(0.05)
        leaves.gone.set()
        await asyncio.wait_for(left, 5)
        assert not served.done()
    await asyncio.wait_for(served, 5)

    assert (leaves.sent, stays.sent[0]["status"]) == ([], 200)


async def test_a_server_that_stops_stops_waiting_for_a_thread():
    caller = Caller()
    with all_threads_busy():
        waiting = caller.calls()
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert caller.sent == []


@pytest.mark.parametrize("path", ASYNC_PATHS)
def test_a_view_that_waits_is_served_on_the_loop(path):
    view = get_resolver().resolve(path).func

    assert iscoroutinefunction(view)
    assert async_application.match({"path": path}).func is view
    assert async_application.match({"path": f"/under{path}", "root_path": "/under"}).func is view


def test_no_other_view_waits():
    waiting = {view for view in views(get_resolver()) if iscoroutinefunction(view)}

    assert waiting == {get_resolver().resolve(path).func for path in ASYNC_PATHS}
    assert not async_application.match({"path": "/health/ready"})
    assert not async_application.match({"path": "/api/v1/sessions/"})


async def test_a_view_that_waits_takes_no_thread(settings):
    asked, left = 0, 0

    async def node(reader, writer):
        nonlocal asked, left
        asked += 1
        await reader.read()
        left += 1
        writer.close()

    server = await asyncio.start_server(node, "127.0.0.1", 0)
    settings.MEDIA_URL_INTERNAL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    callers = [Caller("/whep/00000000-0000-4000-8000-000000000000") for _ in range(40)]
    before = threading.active_count()

    waiting = [caller.calls(application) for caller in callers]
    while asked < len(callers):
        await asyncio.sleep(0.01)
    grown = threading.active_count() - before
    for caller in callers:
        caller.gone.set()
    await asyncio.gather(*waiting)
    async with asyncio.timeout(5):
        while left < len(callers):  # a disconnect ends the view, and with it the view's own requests
            await asyncio.sleep(0.01)
    server.close()
    await close_clients()

    assert grown <= 2


async def test_a_process_whose_threads_are_all_busy_is_alive():
    caller = Caller("/health")

    with all_threads_busy():
        await asyncio.wait_for(caller.calls(application), timeout=10)

    assert caller.sent[0]["status"] == 200
    assert caller.body == b'{"status": "ok"}'


def test_the_method_that_is_overridden_is_the_one_that_was_read():
    found = hashlib.sha256(inspect.getsource(ASGIHandler.handle).encode()).hexdigest()

    assert found == HANDLE_OF_DJANGO, (
        "This Django has another ASGIHandler.handle than the one that livestream/http/threaded_handler.py stands in "
        "for. Compare the two: how it reads the body and closes it, what it does when the caller disconnects, which "
        "signals it sends and when, and how it closes the response. Carry over what is better, record the new hash."
    )
