"""WHIP and WHEP proxied to the media node: its answers are passed on, and its absence has our own error."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from livestream.asgi import application
from streams.gateways.media_entrance import MAX_BODY_BYTES, close_clients
from tests.asgi import answer_of

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/whep/00000000-0000-4000-8000-000000000000"
# The node's answer before its connection ends.
LAST_WORDS = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 201 Crea",
    "a head": b"HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nContent-Length: 1000\r\n\r\n",
    "half an answer": b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\nv=0",
    "half a chunk": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n400\r\nv=0",
    "something else": b"220 mail.example ESMTP\r\n",
}


@asynccontextmanager
async def node(settings, words):
    """A media node that gives this answer to every request, and closes; yields the requests."""
    requests = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        requests.append(head.decode())
        writer.write(words)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        settings.MEDIA_URL_INTERNAL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield requests
        finally:
            await close_clients()


async def ask(**headers):
    status, given, body = await answer_of(application, PATH, method="POST", **headers)
    return status, dict(given), body


@pytest.mark.parametrize("how", LAST_WORDS)
async def test_a_node_that_goes_away_in_mid_answer_is_unavailable_and_nothing_of_it_is_told(settings, how):
    async with node(settings, LAST_WORDS[how]) as requests:
        status, headers, body = await ask()

    error = json.loads(body)["error"]
    assert (status, error["code"], error["retry_after"]) == (503, "media.unavailable", 2)
    assert b"location" not in headers
    assert requests


async def test_a_node_that_is_not_there_is_unavailable(settings):
    settings.MEDIA_URL_INTERNAL = "http://127.0.0.1:9"

    status, _, body = await ask()

    await close_clients()
    assert (status, json.loads(body)["error"]["code"]) == (503, "media.unavailable")


async def test_what_the_node_answers_comes_back_with_the_headers_that_are_meant_for_the_caller(settings):
    words = (
        b'HTTP/1.1 201 Created\r\nContent-Type: application/sdp\r\nLocation: /whep/s/r\r\nETag: "1"\r\n'
        b"Server: secret/1.0\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\nv=0"
    )
    async with node(settings, words) as requests:
        status, headers, body = await ask(authorization="Bearer x", cookie="sessionid=mine", **{"x-secret": "1"})

    assert (status, body, headers[b"location"], headers[b"etag"]) == (201, b"v=0", b"/whep/s/r", b'"1"')
    assert not {b"server", b"set-cookie"} & set(headers)
    (request,) = requests
    assert request.startswith(f"POST {PATH} HTTP/1.1")
    assert "Authorization: Bearer x" in request
    assert "X-Forwarded-For: 127.0.0.1" in request
    assert "mine" not in request and "x-secret" not in request.lower()


async def test_an_offer_over_the_limit_does_not_reach_the_node(settings):
    async with node(settings, LAST_WORDS["nothing"]) as requests:
        status, _, body = await answer_of(
            application, PATH, method="POST", body=b"x" * (MAX_BODY_BYTES + 1), **{"content-type": "application/sdp"}
        )

    assert (status, json.loads(body)["error"]["code"], requests) == (413, "media.too_large", [])
