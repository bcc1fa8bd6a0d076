"""Delivery while clients' networks break, everybody reconnects at once, or the layer loses a message."""

import asyncio
import time
from collections import Counter

import pytest

from tests.faults.checker import Fault, check
from tests.faults.client import RoomClient
from tests.faults.proxy import Proxy, Ruling
from tests.faults.storm import SIZE, Outcome, Room, Size, send_openly, sized, storm
from tests.faults.watch import memory_bytes

CUT_SECONDS = sized(4, 30)
RETURNING = sized(300, 1000)
BURST = 1000
PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n"


async def finished(room: Room) -> Outcome:
    """Return the outcome of a room, once it is quiet."""
    await room.quiet()
    logs = await room.logs()
    return Outcome(check(logs), logs, room.clients)


@pytest.mark.parametrize(
    "how",
    [
        "reset",
        pytest.param("hole", marks=pytest.mark.nightly),
        pytest.param("half_close", marks=pytest.mark.nightly),
        pytest.param("cut_after", marks=pytest.mark.nightly),
    ],
)
async def test_a_client_whose_network_breaks_gets_all_it_missed(cluster, row, how):
    own = Proxy(cluster.thread, cluster.workers[0].port)
    cut: list[RoomClient] = []

    async def script(room: Room) -> None:
        # A hole looks like silence: this client does not wait the whole 25 s to detect it.
        client = room.client(
            "cut", addresses=[f"ws://127.0.0.1:{own.port}"], silence_seconds=sized(2.0, 25.0) if how == "hole" else 25.0
        )
        cut.append(client)
        await client.greeted()
        await asyncio.sleep(0.5)
        async with room.fault(how):
            getattr(own, how)()
            if how == "reset":
                own.refusing = True
            await asyncio.sleep(CUT_SECONDS if how in ("hole", "reset") else 1.0)
            own.heal()

    try:
        outcome = await storm(cluster, script, lead=0.2)
    finally:
        own.close()

    row(f"one client's network: {how}", resumed=cut[0].recovered, **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert cut[0].closes, "the fault was not felt"
    assert len(cut[0].watched.screens) == 1, "it was resumed, not started anew"
    assert outcome.recovery() is not None and outcome.recovery() <= 6


@pytest.mark.nightly
async def test_everybody_cut_off_is_caught_up_from_memory(cluster, row):
    cluster.fronted = True
    reads = 0

    def intercept(data: bytes) -> Ruling:
        nonlocal reads
        reads += data.count(b'FROM "streams_sessionevent"')
        return Ruling(data)

    async def script(room: Room) -> None:
        async with room.fault("all cut"):
            for front in cluster.fronts:
                front.refuse()
            await asyncio.sleep(CUT_SECONDS)
            # The senders are away, too; another client writes the messages that they will all have missed.
            for number in range(20):
                await room.post(f"meanwhile-{number}")
            await asyncio.sleep(0.5)
            cluster.postgres_link.intercept = intercept
            for front in cluster.fronts:
                front.heal()
        await asyncio.gather(*(client.greeted(30) for client in room.clients))
        await asyncio.sleep(1)

    began = time.monotonic()
    outcome = await storm(cluster, script, size=sized(Size(seconds=3), SIZE))

    back = sum(client.recovered for client in outcome.clients)
    seconds = time.monotonic() - began
    row("all clients cut", resumed=back, catch_up_queries=reads, **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert reads <= len(cluster.workers) * seconds
    assert back == len(outcome.clients)
    assert outcome.recovery() is not None and outcome.recovery() <= 30


async def memory_is_back(processes: list[int], before: list[int], seconds: float = 120) -> tuple[float, float]:
    """Return the worst process's growth in percent, and the time when it was at most ten, or of the timeout."""
    began = time.monotonic()
    while True:
        now = [memory_bytes(pid) for pid in processes]
        grown = max(100 * (one / old - 1) for one, old in zip(now, before, strict=True))
        took = time.monotonic() - began
        if grown <= 10 or took > seconds:
            return grown, took
        await asyncio.sleep(0.5)


@pytest.mark.nightly
async def test_a_thousand_who_come_back_at_once_are_all_caught_up(cluster, row):
    """Without jitter, all in the same moment; nothing is restarted, refused clients try again."""
    cluster.fronted = True
    room = await Room.open(cluster)
    try:
        sender = room.client("", person=cluster.crowd[0])
        await sender.greeted()
        crowd = [room.client(f"returning-{number}", jitter=False) for number in range(RETURNING)]
        began = time.monotonic()
        await asyncio.gather(*(client.greeted(60) for client in crowd))
        first_seconds = time.monotonic() - began
        processes = [web.process.pid for web in cluster.workers]
        memory = [memory_bytes(pid) for pid in processes]

        for front in cluster.fronts:
            front.reset()
        began = time.monotonic()
        sending = asyncio.create_task(send_openly([sender], size=Size(senders=1, rate=8, seconds=3)))
        await asyncio.sleep(0.5)
        await asyncio.gather(*(client.greeted(60) for client in crowd))
        back_seconds = time.monotonic() - began
        await sending
        room.faults.append(Fault("all reset", began, began))
        outcome = await finished(room)
        caught_up = time.monotonic() - began
        grown, memory_back = await memory_is_back(processes, memory)
    finally:
        await room.leave()

    row(
        f"reconnect storm of {RETURNING}",
        first_connect_s=round(first_seconds, 2),
        all_back_s=round(back_seconds, 2),
        caught_up_s=round(caught_up, 2),
        memory_grown_percent=round(grown, 1),
        memory_back_s=round(memory_back, 1),
        failed_attempts=sum(client.failed_attempts for client in crowd),
        resumed=sum(client.recovered for client in crowd),
        **outcome.summary(),
    )
    assert outcome.verdict.findings == []
    assert caught_up <= 30
    assert grown <= 10
    assert [web.process.poll() for web in cluster.workers] == [None, None]
    assert [web.process.pid for web in cluster.workers] == processes


async def test_one_message_sent_fifty_times_at_once_is_one_message(cluster, row):
    person = cluster.crowd[0]
    room = await Room.open(cluster)
    try:
        clients = [room.client("", person=person) for _ in range(10)]
        await asyncio.gather(*(client.greeted() for client in clients))
        sending = [
            client.command("chat.send", text="once", client_id="the same") for client in clients for _ in range(5)
        ]
        replies = await asyncio.gather(*sending)
        await room.quiet()
        logs = await room.logs()
    finally:
        await room.leave()

    answers = Counter(
        (reply["data"]["id"], reply["data"]["seq"]) if reply and reply["ok"] else str(reply) for reply in replies
    )
    stored = [entry for entry in logs.by_sql if entry.client_id is not None]
    row("one client_id 50 times in parallel over two workers", rows=len(stored), answers=len(answers))
    assert len(stored) == 1
    assert answers == {(stored[0].id, stored[0].seq): 50}


@pytest.mark.nightly
async def test_a_burst_of_a_thousand_messages_reaches_everybody(cluster, row):
    """A socket may send ten commands at once, so a hundred of them send a thousand."""
    room = await Room.open(cluster)
    try:
        people = cluster.crowd[:20]
        senders = [room.client("", person=person) for person in people for _ in range(5)]
        for number in range(sized(10, 100)):
            room.client(f"viewer-{number}")
        await asyncio.gather(*(client.greeted(30) for client in room.clients))
        began = time.monotonic()
        await asyncio.gather(
            *(
                client.say(f"burst {index}", client_id=f"{number}-{index}")
                for index in range(BURST // len(senders))
                for number, client in enumerate(senders)
            )
        )
        acknowledged = time.monotonic() - began
        outcome = await finished(room)
        complete = time.monotonic() - began
    finally:
        await room.leave()

    row(f"burst of {BURST}", acknowledged_s=round(acknowledged, 2), complete_s=round(complete, 2), **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert complete <= 5 + acknowledged


async def test_the_loss_of_the_last_message_is_noticed(cluster, row):
    """No later event would reveal the gap; only the beat does."""
    swallowed = 0

    def intercept(data: bytes) -> Ruling:
        nonlocal swallowed
        if swallowed or not data.startswith(PUBLISH) or b"the last one" not in data:
            return Ruling(data)
        swallowed += 1
        return Ruling(b"", answer=b":1\r\n")

    room = await Room.open(cluster)
    try:
        sender = room.client("", person=cluster.crowd[0], turn=0)
        viewers = [room.client(f"viewer-{number}", turn=number) for number in range(6)]
        await asyncio.gather(*(client.greeted() for client in room.clients))
        await sender.say("the first one", client_id="first")
        await asyncio.sleep(0.5)
        cluster.redis_link.intercept = intercept
        last = await sender.say("the last one", client_id="last")
        outcome = await finished(room)
    finally:
        await room.leave()

    shown = [one.at for viewer in viewers for one in viewer.watched.screens[0].shown if one.seq == last.seq]
    noticed = max(shown) - (last.done_at or 0) if shown else float("inf")
    row("the last message lost in the layer", noticed_s=round(noticed, 2), **outcome.summary())
    assert swallowed == 1
    assert outcome.verdict.findings == []
    assert len(shown) == len(viewers)
    assert noticed <= 10


async def test_what_is_removed_while_half_are_away_is_shown_by_nobody(cluster, row):
    cluster.fronted = True
    told: list[float] = []

    async def script(room: Room) -> None:
        async with room.fault("half away"):
            cluster.fronts[1].refuse()
            for client in room.clients:
                client._addresses = client._addresses[1:] if client._turn % 2 == 0 else client._addresses[:1]
            await asyncio.sleep(1)
            done = [one for client in room.clients for one in client.sent if one.id is not None][:5]
            removed_at: dict[str, float] = {}
            for one in done:
                answer = await asyncio.to_thread(room.host.delete, f"sessions/{room.session_id}/messages/{one.id}/")
                assert answer.status == 204, answer
                removed_at[str(one.id)] = time.monotonic()
            await asyncio.sleep(1.5)
            for client in room.clients:
                for shown in client.watched.screens[-1].shown:
                    if shown.type == "chat.removed" and shown.id in removed_at:
                        told.append(max(0.0, shown.at - removed_at[shown.id]))
            cluster.fronts[1].heal()

    outcome = await storm(cluster, script)

    told_max = round(max(told, default=9), 3)
    removed = sum(entry.removed for entry in outcome.storm.by_sql)
    row(
        "removal while half are away",
        removed=removed,
        online_told_max_s=round(max(told, default=9), 3),
        **outcome.summary(),
    )
    assert outcome.verdict.findings == []
    assert removed == 5
    assert told_max <= 1


async def test_who_is_banned_is_out_whether_on_line_or_away(cluster, row):
    """A banned person who is online is disconnected at once; one who was away is refused; the others go on."""
    room = await Room.open(cluster)
    cable = Proxy(cluster.thread, cluster.workers[1].port)
    ben, cleo = cluster.crowd[0], cluster.crowd[1]
    try:
        here = room.client("", person=ben, turn=1)
        away = room.client("", person=cleo, addresses=[f"ws://127.0.0.1:{cable.port}"])
        bystander = room.client("bystander", turn=0)
        await asyncio.gather(*(client.greeted() for client in room.clients))
        cable.refuse()
        began = time.monotonic()
        for person in (ben, cleo):
            path = f"sessions/{room.session_id}/participants/{person.id}/ban/"
            answer = await asyncio.to_thread(room.host.post, path, {"reason": "rude"})
            assert answer.status == 200, answer
        while not here.finished and time.monotonic() - began < 5:
            await asyncio.sleep(0.02)
        out = time.monotonic() - began
        cable.heal()
        while not away.finished and time.monotonic() - began < 15:
            await asyncio.sleep(0.05)
        reply = await bystander.command("ping")
    finally:
        await room.leave()
        cable.close()

    row("banned on line and away", here=here.closes[-1].code, out_s=round(out, 2), away_greeted=len(away.greeted_at))
    assert here.closes[-1].code == 4403
    assert out <= 2
    assert away.finished and len(away.greeted_at) == 1
    assert reply is not None and reply["ok"]
