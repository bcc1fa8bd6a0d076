"""The fast path on a real uvicorn: whole frames, in order, in any state of the socket; memory released by an open
socket."""

import asyncio
import gc
import sys
from contextlib import asynccontextmanager

import pytest
import uvicorn
from websockets.asyncio.client import connect

from livestream.realtime.protocol import CloseCode
from livestream.realtime.socket_writer import Member
from livestream.realtime.uvicorn_fastpath import forget_handshake, recognised, text_frame, write_frame

pytestmark = pytest.mark.asyncio
LARGE = "x" * 60_000


class Room:
    """An application that accepts one socket and leaves the rest to the test."""

    def __init__(self):
        self.entered = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.scope, self.send = scope, send
        await receive()
        self.member = Member(name="one", send=send)
        await send({"type": "websocket.accept"})
        self.entered.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self.left.set()


@asynccontextmanager
async def watching(**options):
    """Run a room on a uvicorn of its own, with a client in it."""
    room = Room()
    config = uvicorn.Config(
        room, host="127.0.0.1", port=0, ws="websockets-sansio", lifespan="off", log_level="error", ws_ping_interval=None
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/", compression=None, max_queue=None, **options) as client:
        await asyncio.wait_for(room.entered.wait(), 5)
        yield room, client
    server.should_exit = True
    await asyncio.wait_for(serving, 10)


async def received(client, count):
    return [await asyncio.wait_for(client.recv(), 5) for _ in range(count)]


async def test_frames_of_every_length_arrive_whole():
    texts = ["{}", "a" * 125, "b" * 126, "ü" * 200, "c" * 65_535, "d" * 65_536]
    async with watching() as (room, client):
        assert recognised(room.send) is not None
        for text in texts:
            room.member.write_ready(text, text_frame(text.encode()))

        assert await received(client, len(texts)) == texts


async def test_what_one_turn_writes_keeps_its_order_and_leaves_at_once():
    async with watching() as (room, client):
        writes = []
        transport = recognised(room.send).transport
        real, recognised(room.send).transport = transport, Counting(transport, writes)
        room.member.write("first")
        room.member.write("second")
        room.member.write_ready("third", text_frame(b"third"))
        room.member.write("fourth")
        await asyncio.sleep(0.05)
        recognised(room.send).transport = real

        assert await received(client, 4) == ["first", "second", "third", "fourth"]
        assert len(writes) == 2


class Counting:
    """A transport that records its writes."""

    def __init__(self, transport, writes):
        self._transport, self._writes = transport, writes

    def write(self, data):
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name):
        return getattr(self._transport, name)


async def test_a_socket_whose_buffer_is_full_gets_everything_in_order_once_it_reads():
    async with watching() as (room, client):
        client.transport.pause_reading()
        protocol = recognised(room.send)
        number, direct, behind = 0, 0, 0
        while behind < 10:
            text = f"{number} {LARGE}"
            direct += protocol.writable.is_set()
            behind += not protocol.writable.is_set()
            room.member.write_ready(text, text_frame(text.encode()))
            if number % 7 == 0:
                room.member.write(f"{number} reply")
            await asyncio.sleep(0)
            number += 1
        client.transport.resume_reading()

        expected = []
        for sent in range(number):
            expected += [f"{sent} {LARGE}", *([f"{sent} reply"] if sent % 7 == 0 else [])]
        got = await received(client, len(expected))
        assert [text[:12] for text in got] == [text[:12] for text in expected]
        assert got == expected
        assert direct > 0  # these went straight to the transport, the others behind its buffer


async def test_a_close_comes_after_what_was_written_before_it():
    async with watching() as (room, client):
        room.member.write("last words")
        room.member.close(CloseCode.SESSION_ENDED, "over")
        room.member.write("never")

        assert await received(client, 1) == ["last words"]
        await asyncio.wait_for(client.wait_closed(), 5)
        assert (client.close_code, client.close_reason) == (4410, "over")


async def test_nothing_is_written_to_a_socket_that_is_closing_or_gone():
    async with watching() as (room, client):
        protocol = recognised(room.send)
        await client.close()
        await asyncio.wait_for(room.left.wait(), 5)

        assert write_frame(protocol, text_frame(b"too late")) is False
        room.member.write_ready("too late", text_frame(b"too late"))
        room.member.write("too late")
        await asyncio.sleep(0)


async def test_an_open_socket_forgets_its_handshake():
    async with watching(additional_headers={"x-long": "h" * 3000}) as (room, client):
        protocol = recognised(room.send)
        assert len(protocol.scope["headers"]) > 3

        forget_handshake(room.scope, room.send)
        gc.collect()
        room.member.write("still here")

        assert await received(client, 1) == ["still here"]
        assert (protocol.request, protocol.response, protocol.scope) == (None, None, {})
        assert sys.getsizeof(room.scope) < 100


async def test_a_server_that_is_not_known_keeps_what_it_has(settings):
    async with watching() as (room, _):
        settings.REALTIME_FAST_PATH = False
        assert recognised(room.send) is None
        forget_handshake(room.scope, room.send)

        assert room.scope["path"] == "/"
