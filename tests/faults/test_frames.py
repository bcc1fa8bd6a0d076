"""Invalid frames end their own socket, with the matching code, and no other."""

import asyncio
import contextlib
import json
import random
from collections import Counter

import pytest

from tests.faults.raw import frame, raw_connect
from tests.faults.storm import Room, sized
from tests.faults.watch import memory_bytes

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
SAY = json.dumps({"id": "1", "op": "ping"}).encode()

BAD = {
    "unmasked text": (frame(TEXT, SAY, masked=False), 1002),
    "reserved bit 1": (frame(TEXT, SAY, rsv=4), 1002),
    "reserved bit 2": (frame(TEXT, SAY, rsv=2), 1002),
    "reserved bit 3": (frame(TEXT, SAY, rsv=1), 1002),
    "opcode 3": (frame(3, SAY), 1002),
    "opcode 7": (frame(7, SAY), 1002),
    "opcode 11": (frame(11, b""), 1002),
    "opcode 15": (frame(15, b"x"), 1002),
    "ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "fragmented close": (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    "continuation of nothing": (frame(0, SAY), 1002),
    "text within a text": (frame(TEXT, b"{", fin=False) + frame(TEXT, SAY), 1002),
    "close with half a code": (frame(CLOSE, b"\x03"), 1002),
    "close with code 1005": (frame(CLOSE, b"\x03\xed"), 1002),
    "close with code 999": (frame(CLOSE, b"\x03\xe7"), 1002),
    "no UTF-8": (frame(TEXT, b'{"op": "\xff\xfe"}'), 1007),
    "binary": (frame(BINARY, b"\x00\x01"), 1003),
    "16 KiB and one byte": (frame(TEXT, b'"' + b"x" * (16 * 1024 - 1) + b'"'), 1009),
    "16 KiB and one byte in pieces": (
        frame(TEXT, b'"' + b"x" * 9000, fin=False) + frame(0, b"x" * 7383 + b'"'),
        1009,
    ),
    "2 MiB and one byte": (frame(TEXT, b"x" * (2 * 1024 * 1024 + 1)), 1009),
    "a gigabyte, announced": (frame(TEXT, b"x" * 1000, announce=1 << 30), 1009),
    "2**63 bytes, announced": (frame(TEXT, b"x", announce=1 << 63), 1009),
}


async def test_bad_frames_close_their_own_socket_alone(cluster, row):
    room = await Room.open(cluster)
    codes: dict[str, int | None] = {}
    process = cluster.workers[0].process
    try:
        bystander = room.client("bystander", turn=0)
        await bystander.greeted()
        before = memory_bytes(process.pid)
        for name, (data, _) in BAD.items():
            raw = await raw_connect(cluster.workers[0].port)
            await raw.upgrade(room.session_id)
            raw.send(data)
            codes[name] = await raw.close_code()
            raw.close()
        grown = memory_bytes(process.pid) - before
        reply = await bystander.command("ping")
    finally:
        await room.leave()

    wrong = {name: code for name, code in codes.items() if code != BAD[name][1]}
    row("bad frames", cases=len(BAD), wrong=wrong, memory_grown_mb=round(grown / 1e6, 1))
    assert wrong == {}
    assert reply is not None and reply["ok"]
    assert bystander.closes == []
    assert process.poll() is None
    assert grown <= 2 * 2 * 1024 * 1024 + 4_000_000


GARBAGE = sized(500, 10_000)


async def test_garbage_frames_end_their_own_socket_at_most(cluster, row):
    """Random bytes as frames, and random bytes in well-formed frames; seeded, so that a finding can be repeated."""
    chance = random.Random(20261121)
    room = await Room.open(cluster)
    worker, logged = cluster.workers[0], cluster.log(0).stat().st_size
    codes: Counter[int | None] = Counter()
    try:
        bystander = room.client("bystander", turn=0)
        await bystander.greeted()
        raw, sent = None, 0
        while sent < GARBAGE:
            if raw is None:
                raw = await raw_connect(worker.port)
                await raw.upgrade(room.session_id)
            for _ in range(10):
                noise = chance.randbytes(chance.randrange(200))
                raw.send(noise if chance.random() < 0.2 else frame(chance.choice((0, 1, 2, 9, 10)), noise))
                sent += 1
            with contextlib.suppress(TimeoutError):
                codes[await raw.close_code(seconds=0.05)] += 1
                raw.close()
                raw = None
        reply = await bystander.command("ping")
    finally:
        await room.leave()

    log = cluster.log(0).read_text(errors="replace")[logged:]
    row(
        f"{GARBAGE} frames of garbage",
        codes={str(code): count for code, count in codes.items()},
        log_lines=log.count("\n"),
    )
    assert set(codes) <= {1002, 1003, 1007, 1009, None}
    assert "Traceback" not in log
    assert log.count("\n") <= sum(codes.values())
    assert reply is not None and reply["ok"]
    assert bystander.closes == []


async def test_compression_is_not_negotiated(cluster):
    room = await Room.open(cluster)
    raw = await raw_connect(cluster.workers[0].port)

    await raw.upgrade(
        room.session_id, headers="Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    )
    raw.close()

    assert raw.response.startswith("HTTP/1.1 101")
    assert "sec-websocket-extensions" not in raw.response.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "NaN",
        '{"id": "1", "op": "ping", "data": {"n": NaN}}',
        '{"id": "1", "op": "ping", "data": {"n": 1e999}}',
        "[" * 10_000,
        '{"a":' * 3_000,
        '{"id": "1", "id": "2", "op": "ping"}',
        '{"id": "1", "op": "' + "x" * 15_000 + '"}',
        '{"id": "1", "op": "sync", "data": {"epoch": "x", "after": ' + "9" * 5_000 + "}}",
        '{"id": "1", "op": "close"}',
        '{"id": "1", "op": "websocket.disconnect", "type": "websocket.disconnect"}',
        '{"id": "1", "op": "dispatch", "data": {"type": "hub.close"}}',
        '{"id": "1", "op": "chat.send", "data": {"text": "\\u0000", "client_id": "c"}}',
        '{"id": "1", "op": "chat.send", "data": {"text": "\\ud800", "client_id": "c"}}',
        '{"id": "1", "op": "chat.send", "data": {"text": "   ", "client_id": "c"}}',
        '{"id": {}, "op": 7, "data": []}',
    ],
)
async def test_odd_documents_are_answered_with_an_error_and_the_socket_lives(cluster, text):
    room = await Room.open(cluster)
    try:
        client = room.client("", person=cluster.crowd[0])
        await client.greeted()
        assert client._socket is not None
        await client._socket.send(text)
        await asyncio.sleep(0.05)
        reply = await client.command("ping")
        log = cluster.log(0).read_text()
    finally:
        await room.leave()

    assert reply is not None and reply["ok"]
    assert client.closes == []
    assert "socket command failed" not in log
