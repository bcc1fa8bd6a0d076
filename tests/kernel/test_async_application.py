"""Coroutine views on the event loop: the same as Django's handlers, without their changes between loop and threads."""

import asyncio
import json
import threading
from contextlib import contextmanager

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.utils.deprecation import MiddlewareMixin

from accounts.bearer import bearer_pair
from livestream.asgi import application
from livestream.http.async_application import MIDDLEWARE
from livestream.http.threaded_handler import ThreadedHandler
from tests.asgi import answer_of
from tests.cast import make_show, make_user, session_key_of
from tests.kernel.test_threaded_handler import Caller

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def djangos_thread_busy():
    """Block the thread to which Django moves synchronous work."""
    over = threading.Event()
    held = SyncToAsync.single_thread_executor.submit(over.wait, 20)
    try:
        yield
    finally:
        over.set()
        held.result()


def cast(how):
    """Return a show, and the headers of a token request in this way."""
    show, user = make_show(make_user()), make_user()
    sent = {
        "nobody": {},
        "bearer": {"authorization": f"Bearer {bearer_pair(user=user)['access']}"},
        "bad bearer": {"authorization": "Bearer x"},
        "no proof": {"cookie": f"sessionid={session_key_of(user)}"},
        "cookie": {"cookie": f"sessionid={session_key_of(user)}; csrftoken={'a' * 32}", "x-csrftoken": "a" * 32},
        "another host": {"host": "evil.example"},
    }[how]
    return f"/api/v1/sessions/{show.pk}/token/", sent


TOKENS = {"nobody": 200, "bearer": 200, "cookie": 200, "bad bearer": 401, "no proof": 403, "another host": 400}


@pytest.mark.parametrize("how", ["nobody", "bearer", "cookie", "bad bearer", "no proof"])
async def test_no_token_waits_for_djangos_thread(how):
    path, sent = await sync_to_async(cast)(how)

    with djangos_thread_busy():
        status, _, body = await asyncio.wait_for(answer_of(application, path, method="POST", **sent), 10)

    assert status == TOKENS[how], body


async def test_health_does_not_wait_for_djangos_thread():
    with djangos_thread_busy():
        status, _, _ = await asyncio.wait_for(answer_of(application, "/health"), 10)

    assert status == 200


NO_SHOW = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", ["/health", f"/hls/{NO_SHOW}/main.m3u8", f"/api/v1/sessions/{NO_SHOW}/token/"])
async def test_an_answer_is_the_same_as_from_a_thread(path):
    awaited, threaded = await answer_of(application, path), await answer_of(ThreadedHandler(), path)

    assert_alike(awaited, threaded)
    assert len(awaited[2]) == len(threaded[2])


@pytest.mark.parametrize("how", TOKENS)
async def test_a_token_is_the_same_as_from_a_thread(how):
    path, sent = await sync_to_async(cast)(how)

    awaited = await answer_of(application, path, method="POST", **sent)
    threaded = await answer_of(ThreadedHandler(), path, method="POST", **sent)

    assert awaited[0] == TOKENS[how]
    assert_alike(awaited, threaded)


async def test_who_asks_too_often_is_told_when_to_come_back():
    path, sent = await sync_to_async(cast)("bearer")

    # Twice the limit and one, because the clock may cross the edge of a window.
    answers = await asyncio.gather(*(answer_of(application, path, method="POST", **sent) for _ in range(121)))

    refused = [dict(headers) for status, headers, _ in answers if status == 429]
    assert refused
    assert all(1 <= int(headers[b"retry-after"]) <= 60 for headers in refused)


def assert_alike(awaited, threaded):
    """Compare status, and all headers that do not concern pages."""
    assert awaited[0] == threaded[0]
    names = {name for name, _ in threaded[1]} - {b"set-cookie", b"vary", b"content-length"}
    assert {pair for pair in awaited[1] if pair[0] in names} == {pair for pair in threaded[1] if pair[0] in names}
    assert {name for name, _ in threaded[1]} - {name for name, _ in awaited[1]} <= {b"set-cookie", b"vary"}


async def test_the_server_may_stop_a_request():
    path, sent = await sync_to_async(cast)("bearer")
    before = asyncio.all_tasks()
    serving = asyncio.create_task(answer_of(application, path, method="POST", **sent))
    while len(asyncio.all_tasks() - before) < 4:  # request, view, disconnect, database
        await asyncio.sleep(0)

    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


async def test_who_leaves_first_leaves_the_others_to_be_answered():
    path, sent = await sync_to_async(cast)("bearer")
    leaves = Caller(path, method="POST", headers=sent)
    leaving = leaves.calls(application)
    staying = [asyncio.create_task(answer_of(application, path, method="POST", **sent)) for _ in range(5)]
    await asyncio.sleep(0)
    leaves.gone.set()

    assert [status for status, _, _ in await asyncio.wait_for(asyncio.gather(*staying), 10)] == [200] * 5
    await asyncio.wait_for(leaving, 10)


def test_middleware_has_only_the_hooks_that_are_called_and_the_order_of_all_other_requests():
    paths = [f"{kind.__module__}.{kind.__qualname__}" for kind in MIDDLEWARE]
    further = ("process_view", "process_exception", "process_template_response")

    assert [path for path in settings.MIDDLEWARE if path in paths] == paths
    assert all(issubclass(kind, MiddlewareMixin) for kind in MIDDLEWARE)
    assert {kind.__call__ for kind in MIDDLEWARE} == {MiddlewareMixin.__call__}
    assert not [(kind, hook) for kind in MIDDLEWARE for hook in further if hasattr(kind, hook)]


async def test_a_request_begins_and_ends_for_those_who_listen():
    heard = []

    def begins(**sent):
        heard.append(("started", sent["scope"]["path"]))

    def ends(**sent):
        heard.append("finished")

    request_started.connect(begins)
    request_finished.connect(ends)
    try:
        await answer_of(application, "/health")
    finally:
        request_started.disconnect(begins)
        request_finished.disconnect(ends)

    assert heard == [("started", "/health"), "finished"]


async def test_what_goes_wrong_is_an_error_and_no_silence(monkeypatch):
    async def fails(call):
        raise KeyError("broken")

    monkeypatch.setattr("tokens.api._answer", fails)

    status, _, body = await answer_of(application, f"/api/v1/sessions/{NO_SHOW}/token/", method="POST")

    assert status == 500
    assert body


async def test_a_query_that_is_no_text_is_refused():
    caller = Caller("/health")
    caller.scope["query_string"] = b"\xff"
    await caller.calls(application)

    assert caller.sent[0]["status"] == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
async def test_another_method_is_refused_and_the_right_one_named(method):
    status, headers, body = await answer_of(application, f"/api/v1/sessions/{NO_SHOW}/token/", method=method)

    assert (status, dict(headers)[b"allow"]) == (405, b"POST")
    assert json.loads(body)["error"]["code"] == "invalid.method_not_allowed"
