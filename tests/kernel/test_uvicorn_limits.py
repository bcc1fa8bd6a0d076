"""Limits on a connection's input, on a real uvicorn with a small application."""

import asyncio
import hashlib
import inspect
import time
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from livestream.http import uvicorn_limits
from livestream.http.uvicorn_limits import LimitedHttpConnection, LimitedSocketConnection
from livestream.realtime.uvicorn_fastpath import recognised
from tests.faults.raw import frame, raw_connect

# The base of the subclasses. When uvicorn is upgraded and this differs: read both methods and their callers in the new
# version, run the tests of this file and tests/faults, repeat `bench.realtime`, and record the new hash.
BUILT_ON = {
    HttpToolsProtocol: (
        {
            "data_received",
            "on_message_begin",
            "on_url",
            "on_header",
            "on_headers_complete",
            "on_body",
            "on_message_complete",
            "send_400_response",
        },
        "45d6c1e55a33d234",
    ),
    WebSocketsSansIOProtocol: (
        {
            "__init__",
            "connection_lost",
            "data_received",
            "handle_events",
            "handle_text",
            "handle_bytes",
            "handle_cont",
            "handle_ping",
            "handle_pong",
            "send_receive_event_to_app",
            "run_asgi",
            "receive",
        },
        "51f57e5167eb72dd",
    ),
}

EMPTY_PING = frame(9)


class Application:
    """Answers 200 when the body has arrived; accepts sockets, and records arrivals."""

    def __init__(self):
        self.received, self.requests, self.ended, self.send = [], 0, asyncio.Event(), None

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.requests += 1
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await receive()
        self.send = send
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            self.received.append(event)
        self.left = event
        self.ended.set()


@asynccontextmanager
async def serving():
    application = Application()
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=0,
        http=LimitedHttpConnection,
        ws=LimitedSocketConnection,
        lifespan="off",
        log_level="critical",
        ws_ping_interval=None,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield application, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await asyncio.wait_for(running, 10)


async def answer_to(port, *parts):
    """Return the whole answer until the server closes, or 0.5 s after the last byte."""
    raw = await raw_connect(port)
    answer = b""
    try:
        for part in parts:
            raw.send(part)
            await raw.writer.drain()
        while got := await asyncio.wait_for(raw.reader.read(65536), 0.5):
            answer += got
        return answer, True
    except TimeoutError:
        return answer, False
    except ConnectionError:
        return answer, True
    finally:
        raw.close()


@asynccontextmanager
async def socket():
    async with serving() as (application, port):
        raw = await raw_connect(port)
        await raw.upgrade("x")
        assert " 101 " in raw.response
        yield application, raw
        raw.close()


# ---- Heads, trailers, requests that wait -------------------------------------------------------------------------


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"".join(b"x-%d: y\r\n" % number for number in range(99)) + b"\r\n",
        HEAD + b"x: " + b"y" * 60_000 + b"\r\n\r\n",
        CHUNKED + b"x: y\r\n" * 90 + b"\r\n",
    ],
    ids=["99 lines more", "60 KB", "90 trailers"],
)
async def test_a_long_head_within_the_limits_is_answered(request_):
    async with serving() as (_, port):
        answer, _ = await answer_to(port, request_)

    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"".join(b"x-%d: y\r\n" % number for number in range(100)) + b"\r\n",),
        (HEAD + b"x: " + b"y" * 66_000 + b"\r\n\r\n",),
        (HEAD + b"".join(b"x-%d: %s\r\n" % (number, b"y" * 10_000) for number in range(7)) + b"\r\n",),
        (b"GET /" + b"y" * 66_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",),
        (HEAD + b"x: ", *[b"y" * 50_000] * 4),
        (HEAD, *[b"x: y\r\n" * 1000] * 50),
        (b"GET /", *[b"y" * 50_000] * 4),
        (CHUNKED, *[b"x: y\r\n" * 1000] * 50),
        (CHUNKED + b"x: ", *[b"y" * 50_000] * 4),
        (CHUNKED.removesuffix(b"0\r\n") + b"1;x=", *[b"y" * 50_000] * 4),
    ],
    ids=["lines", "line", "bytes", "address", "endless line", "endless lines", "endless address", "endless trailers",
         "endless trailer", "endless chunk extension"],
)  # fmt: skip
async def test_a_head_or_trailers_over_the_limits_are_refused_and_the_connection_ends(parts):
    async with serving() as (_, port):
        answer, has_ended = await answer_to(port, *parts)

    assert has_ended
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # a peer that keeps sending may find no answer


async def test_the_limit_is_for_each_request_of_a_connection():
    async with serving() as (_, port):
        request_ = HEAD + b"".join(b"x-%d: %s\r\n" % (number, b"y" * 500) for number in range(90)) + b"\r\n"
        answer, _ = await answer_to(port, *[request_] * 5)

    assert answer.count(b"HTTP/1.1 200") == 5


async def test_no_more_than_so_many_requests_wait_behind_one_another():
    async with serving() as (application, port):
        few, _ = await answer_to(port, (HEAD + b"\r\n") * 16)
        served = application.requests
        _, has_ended = await answer_to(port, (HEAD + b"\r\n") * 5000)
        await asyncio.sleep(0.1)

    assert (few.count(b"HTTP/1.1 200"), served) == (16, 16)
    assert has_ended
    assert application.requests <= served + 20


# ---- Frames ------------------------------------------------------------------------------------------------------


FLOODS = {
    "pings": [EMPTY_PING] * 2000,
    "long pings": [frame(9, b"x" * 125)] * 2000,
    "pongs": [frame(10, b"x")] * 2000,
    "fragments": [frame(1, b"x", fin=False), *[frame(0, b"x", fin=False)] * 2000],
    "empty fragments": [frame(1, fin=False), *[frame(0, fin=False)] * 2000],
    "binary": [frame(2)] * 2000,
}


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_frames_that_are_no_messages_is_closed_with_4429(kind, monkeypatch):
    monkeypatch.setattr(uvicorn_limits, "LAST_WORDS_SECONDS", 0.2)
    async with socket() as (application, raw):
        began = time.monotonic()
        raw.send(b"".join(FLOODS[kind]))

        assert await raw.close_code() == 4429
        with suppress(ConnectionResetError):  # its unread data was never consumed
            assert await raw.reader.read() == b""
        await asyncio.wait_for(application.ended.wait(), 5)
        assert time.monotonic() - began < 3
        assert application.left["code"] == 4429


async def test_answers_to_pings_that_nobody_reads_do_not_pile_up():
    async with serving() as (application, port):
        raw = await raw_connect(port, receive_buffer=4096)
        await raw.upgrade("x")
        raw.writer.transport.pause_reading()
        protocol = recognised(application.send)
        protocol.pause_writing()  # as the transport does when its buffer is full
        raw.send(frame(9, b"x" * 125) * 60)
        raw.send(frame(1, b"{}"))
        while not application.received:
            await asyncio.sleep(0.01)

        assert protocol.transport.get_write_buffer_size() == 0
        protocol.resume_writing()
        raw.writer.transport.resume_reading()
        raw.send(frame(9, b"now"))
        assert await raw.read_frame() == (10, b"now")
        raw.close()


async def test_what_a_usual_client_sends_is_let_through():
    async with socket() as (application, raw):
        for _ in range(3):
            raw.send(frame(9, b"?") + frame(10) + frame(1, b"a", fin=False) + frame(0, b"b") + frame(1, b"x" * 16_384))
        texts = ["ab", "x" * 16_384] * 3
        while len(application.received) < len(texts):
            await asyncio.sleep(0.01)

        assert [event["text"] for event in application.received] == texts
        assert [await raw.read_frame() for _ in range(3)] == [(10, b"?")] * 3


async def test_a_message_may_come_in_64_fragments_and_not_in_65():
    async with socket() as (application, raw):
        raw.send(frame(1, b"a", fin=False) + frame(0, b"b", fin=False) * 62 + frame(0, b"c"))
        while not application.received:
            await asyncio.sleep(0.01)
        assert application.received[0]["text"] == "a" + "b" * 62 + "c"

    async with socket() as (_, raw):
        raw.send(frame(1, b"a", fin=False) + frame(0, b"b", fin=False) * 64)
        assert await raw.close_code() == 4429


@pytest.mark.parametrize("text", [b"", b"{}", b"x" * 700])
async def test_messages_over_the_limit_wait_and_none_is_lost(monkeypatch, text):
    monkeypatch.setattr(uvicorn_limits, "MESSAGES_PER_SECOND", 200.0)
    async with socket() as (application, raw):
        began = asyncio.get_running_loop().time()
        raw.send(frame(1, text) * 200 + frame(1, b"last"))
        most = []
        while not application.received or application.received[-1]["text"] != "last":
            await asyncio.sleep(0.01)
            most.append(len(application.received) - 200 * (asyncio.get_running_loop().time() - began))

        assert len(application.received) == 201
        assert max(most) <= 50 + 85 + 10  # the burst, the capacity of one slice, and late polls


async def test_frames_after_the_close_are_not_looked_at_for_ever():
    async with socket() as (application, raw):
        await application.send({"type": "websocket.close", "code": 4000})
        assert await raw.close_code() == 4000
        raw.send(EMPTY_PING * 2000)

        with suppress(ConnectionResetError):
            assert len(await asyncio.wait_for(raw.reader.read(), 3)) <= 2 * (100 + 85)  # two bytes an answer
        await asyncio.wait_for(application.ended.wait(), 3)


# ---- uvicorn -----------------------------------------------------------------------------------------------------


def test_uvicorn_is_the_one_that_these_limits_were_written_for():
    hashes = {}
    for kind, (names, _) in BUILT_ON.items():
        source = "".join(inspect.getsource(getattr(kind, name)) for name in sorted(names))
        hashes[kind.__name__] = hashlib.sha256(source.encode()).hexdigest()[:16]

    assert hashes == {kind.__name__: recorded for kind, (_, recorded) in BUILT_ON.items()}


def test_nothing_of_uvicorn_is_overridden_but_what_is_compared():
    for limited, kind in (
        (LimitedHttpConnection, HttpToolsProtocol),
        (LimitedSocketConnection, WebSocketsSansIOProtocol),
    ):
        overridden = {name for name in vars(limited) if name in vars(kind) and not name.startswith("__")}
        assert overridden <= BUILT_ON[kind][0]
