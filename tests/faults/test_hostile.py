"""Slow and hostile connections are ended, or held off, without an effect on others."""

import asyncio
import json
import time
from collections import Counter
from uuid import UUID

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from livestream.realtime.groups import room_group
from tests.faults.checker import percentile
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.raw import RawSocket, frame, raw_connect
from tests.faults.storm import Room, sized
from tests.faults.watch import cpu_seconds, memory_bytes, metric

SLOW_READERS = 20
BROADCAST_MB = sized(20, 50)
DOCUMENT_KB = 64
PER_SECOND = 100
HALF_HANDSHAKES = sized(200, 500)


async def broadcast(cluster, room: Room, megabytes: int) -> list[float]:
    """Send big documents to the room through the layer, as another process would; return the times."""
    layer = RedisPubSubChannelLayer(hosts=[f"redis://127.0.0.1:{cluster.redis.port}/0"], prefix="livestream")
    group = room_group(UUID(room.session_id))
    padding = "x" * (DOCUMENT_KB * 1024)
    began, sent = time.monotonic(), []
    for number in range(megabytes * 1024 // DOCUMENT_KB):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        document = json.dumps({"type": "padding", "number": number, "data": padding})
        sent.append(time.monotonic())
        await layer.group_send(group, {"type": "hub.frames", "group": group, "frames": [[None, document]]})
    await layer.flush()
    return sent


async def read_padding(port: int, session_id: str, into: dict[int, float]) -> None:
    """Run a viewer who notes the arrival of each big document."""
    raw = await raw_connect(port)
    await raw.upgrade(session_id)
    try:
        while True:
            _, payload = await raw.read_frame()
            now = time.monotonic()
            for line in payload.split(b"\n"):
                if line.startswith(b'{"type": "padding"'):
                    into[int(line[30:40].partition(b",")[0])] = now
    finally:
        raw.close()


@pytest.mark.alone
async def test_readers_who_never_read_are_closed_and_nobody_else_notices(cluster, row):
    room = await Room.open(cluster)
    worker = cluster.workers[0]
    readers: list[dict[int, float]] = [{} for _ in range(4)]
    reading = [asyncio.create_task(read_padding(worker.port, room.session_id, into)) for into in readers]
    try:
        await asyncio.sleep(0.5)
        alone = await broadcast(cluster, room, BROADCAST_MB // 4)
        await asyncio.sleep(0.5)
        before_latency = [into[number] - at for into in readers for number, at in enumerate(alone) if number in into]
        for into in readers:
            into.clear()

        slow = [await raw_connect(worker.port, receive_buffer=4096) for _ in range(SLOW_READERS)]
        await asyncio.gather(*(one.upgrade(room.session_id) for one in slow))
        for one in slow:
            one.writer.transport.pause_reading()
        await asyncio.sleep(1.2)
        sockets = metric(worker.url, "livestream_sockets")
        closed_before = metric(worker.url, "livestream_slow_sockets_closed_total")
        memory, highest = memory_bytes(worker.process.pid), 0

        began = time.monotonic()
        sending = asyncio.create_task(broadcast(cluster, room, BROADCAST_MB))
        gone_after = float("inf")
        while time.monotonic() - began < 20 and not (sending.done() and gone_after < float("inf")):
            await asyncio.sleep(0.1)
            highest = max(highest, memory_bytes(worker.process.pid) - memory)
            left = await asyncio.to_thread(metric, worker.url, "livestream_sockets")
            if left <= sockets - SLOW_READERS and gone_after == float("inf"):
                gone_after = time.monotonic() - began
        sent = await sending
        await asyncio.sleep(1)
        closed = metric(worker.url, "livestream_slow_sockets_closed_total") - closed_before
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await room.leave()

    missed = sum(number not in into for into in readers for number in range(len(sent)))
    latency = [into[number] - at for into in readers for number, at in enumerate(sent) if number in into]
    row(
        f"{SLOW_READERS} readers who never read, {BROADCAST_MB} MB",
        closed_slow=int(closed),
        gone_s=round(gone_after, 2),
        memory_mb=round(highest / 1e6, 1),
        others_p99_alone_ms=round(1000 * percentile(before_latency, 0.99), 1),
        others_p99_ms=round(1000 * percentile(latency, 0.99), 1),
        others_missed=missed,
    )
    for one in slow:
        one.close()
    assert closed == SLOW_READERS
    assert gone_after <= 10
    assert highest <= 40_000_000
    assert missed == 0


async def test_a_reader_who_was_too_slow_is_told_so(cluster, row):
    """A client that does read, only later, finds the code that asks it to reconnect."""
    room = await Room.open(cluster)
    worker = cluster.workers[0]
    try:
        slow = await raw_connect(worker.port, receive_buffer=4096)
        await slow.upgrade(room.session_id)
        slow.writer.transport.pause_reading()
        before = metric(worker.url, "livestream_slow_sockets_closed_total")
        sending = asyncio.create_task(broadcast(cluster, room, 20))
        while not sending.done():
            await asyncio.sleep(0.05)
            if await asyncio.to_thread(metric, worker.url, "livestream_slow_sockets_closed_total") > before:
                break
        slow.writer.transport.resume_reading()
        code = await slow.close_code()
        await sending
    finally:
        await room.leave()

    row("a reader who was too slow", code=code)
    assert code == 4001


async def open_sockets(cluster, session_id: str, count: int, headers: str) -> list[RawSocket]:
    """Open a number of sockets, alternately at both workers; some may be refused."""
    made = [await raw_connect(cluster.workers[number % 2].port) for number in range(count)]
    for one in made:
        await one.upgrade(session_id, headers=headers)
    return made


def statuses(sockets: list[RawSocket]) -> dict[str, int]:
    return dict(Counter(one.response.split()[1] for one in sockets))


async def test_one_address_and_one_person_hold_so_many_sockets_and_others_do_not_notice(cluster, row):
    """A socket is for one room, so a row of a hundred rooms on one socket is impossible."""
    room = await Room.open(cluster)
    office, home = ("X-Forwarded-For: 203.0.113.7\r\n", "X-Forwarded-For: 203.0.113.8\r\n")
    person = f"{office}Authorization: Bearer {cluster.crowd[0].access}\r\n"
    try:
        bystander = room.client("bystander")
        await bystander.greeted()
        crowd = await open_sockets(cluster, room.session_id, 210, office)
        of_one_person = await open_sockets(cluster, room.session_id, 22, person)
        elsewhere = await open_sockets(cluster, room.session_id, 2, home)
        refused = next(one for one in crowd if " 429 " in one.response)
        cluster.kill_worker(1)
        for one in crowd[:4]:
            one.close()
        await asyncio.sleep(LEASE_SECONDS + 1)
        later = await raw_connect(cluster.workers[0].port)
        await later.upgrade(room.session_id, headers=office)
        reply = await bystander.command("ping") or await bystander.command("ping")
        for one in [*crowd, *of_one_person, *elsewhere, later]:
            one.close()
    finally:
        await room.leave()

    row(
        "200 sockets from one address, 20 of one person",
        address=statuses(crowd),
        person=statuses(of_one_person),
        another_address=statuses(elsewhere),
        after_kill_9_and_its_leases=later.response.split()[1],
    )
    assert statuses(crowd) == {"101": 200, "429": 10}
    assert statuses(of_one_person) == {"101": 20, "429": 2}
    assert statuses(elsewhere) == {"101": 2}
    assert "retry-after: 30" in refused.response.lower()
    assert later.response.split()[1] == "101"
    assert reply is not None and reply["ok"]


@pytest.mark.alone
async def test_half_handshakes_keep_nobody_out(cluster, row):
    room = await Room.open(cluster)
    halves = [await raw_connect(cluster.workers[0].port) for _ in range(HALF_HANDSHAKES)]
    try:
        for one in halves:
            one.send(f"GET /ws/live/{room.session_id}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A".encode())
        await asyncio.sleep(0.5)
        began = time.monotonic()
        client = room.client("somebody", turn=0)
        await client.greeted()
        connected = time.monotonic() - began
    finally:
        for one in halves:
            one.close()
        await room.leave()

    row(f"{HALF_HANDSHAKES} half handshakes", new_user_connects_s=round(connected, 3))
    assert connected <= 1


HALVES = {
    "silent": b"",
    "half a head": b"GET /ws/live/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A",
    "half a second head": b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health HTTP/1.1\r\nX-A",
}


async def test_half_handshakes_are_closed_within_ten_seconds(cluster, row):
    """Directly at the worker, without a proxy; one of them keeps sending a byte now and then."""
    halves = {}
    for name, data in HALVES.items():
        halves[name] = [await raw_connect(cluster.workers[0].port) for _ in range(10)]
        for one in halves[name]:
            one.send(data)
    dribbling = await raw_connect(cluster.workers[0].port)
    began, gone = time.monotonic(), 0.0
    dribbling.send(HALVES["half a head"])
    every = [dribbling, *(one for some in halves.values() for one in some)]
    draining = [asyncio.create_task(one.reader.read()) for one in every]
    while time.monotonic() - began < 12 and not all(one.done() for one in draining):
        await asyncio.sleep(0.25)
        gone = time.monotonic() - began
        dribbling.send(b"a")
    closed = sum(one.done() for one in draining)
    for one, task in zip(every, draining, strict=True):
        task.cancel()
        one.close()
    await asyncio.gather(*draining, return_exceptions=True)

    row("half handshakes, straight at the worker", opened=len(every), closed=closed, gone_s=round(gone, 1))
    assert closed == len(every)
    assert gone <= 10.5


async def test_whoever_never_answers_a_ping_is_closed(cluster, row):
    room = await Room.open(cluster)
    with cluster.extra_worker(**{"ws-ping-interval": 1, "ws-ping-timeout": 2}) as web:
        raw = await raw_connect(web.port)
        await raw.upgrade(room.session_id)
        began = time.monotonic()
        code = await raw.close_code(seconds=15)
        seconds = time.monotonic() - began
        raw.close()

    row("never answers a ping (interval 1 s, patience 2 s)", code=code, closed_s=round(seconds, 2))
    assert seconds <= 5


async def test_a_socket_whose_sign_in_is_no_good_is_closed_at_once(cluster, row):
    """Authentication is part of the handshake, so no open socket has yet to authenticate. Without any ticket the
    socket is an anonymous viewer's, who may read."""
    room = await Room.open(cluster)
    codes, began = [], time.monotonic()
    for headers in ("Authorization: Bearer nonsense\r\n", "Authorization: Bearer \r\n"):
        raw = await raw_connect(cluster.workers[0].port)
        await raw.upgrade(room.session_id, headers=headers)
        codes.append(await raw.close_code())
        raw.close()
    seconds = time.monotonic() - began

    row("upgraded, signed in badly", codes=codes, closed_s=round(seconds, 2))
    assert codes == [4401, 4401]
    assert seconds <= 5


@pytest.mark.alone
async def test_a_flood_on_one_socket_is_limited_and_then_closed(cluster, row):
    room = await Room.open(cluster)
    worker = cluster.workers[0]
    try:
        observer = room.client("observer", turn=0)
        flooder = room.client("", person=cluster.crowd[0], turn=0)
        await asyncio.gather(observer.greeted(), flooder.greeted())
        raw = await raw_connect(worker.port)
        await raw.upgrade(room.session_id, headers=f"Authorization: Bearer {cluster.crowd[1].access}\r\n")
        closing = asyncio.create_task(raw.close_code(seconds=20))
        stored_before = await room.head()
        cpu, began, sent = cpu_seconds(worker.process.pid), time.monotonic(), 0
        latency: list[float] = []
        while not closing.done() and time.monotonic() - began < 15:
            for _ in range(20):
                command = {"id": str(sent), "op": "chat.send", "data": {"text": "flood", "client_id": f"flood-{sent}"}}
                raw.send(frame(1, json.dumps(command).encode()))
                sent += 1
            await asyncio.sleep(max(0.0, began + sent / 1000 - time.monotonic()))
            asked = time.monotonic()
            reply = await observer.command("no.such.operation") if sent % 100 == 0 else None
            if reply is not None:
                latency.append(time.monotonic() - asked)
        seconds = time.monotonic() - began
        busy = (cpu_seconds(worker.process.pid) - cpu) / seconds
        code = await closing
        stored = await room.head() - stored_before
    finally:
        await room.leave()

    row(
        "flood of 1,000 messages/s",
        sent=sent,
        stored=stored,
        code=code,
        closed_s=round(seconds, 2),
        worker_cpu_percent=round(100 * busy, 1),
        others_p99_ms=round(1000 * percentile(latency, 0.99), 1),
    )
    assert code == 4429
    assert 5 <= seconds <= 8
    assert busy < 0.3
    assert stored <= 10 + 10 * (seconds + 1)
    assert percentile(latency, 0.99) <= 0.1
