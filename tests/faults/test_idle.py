"""Idle sockets stay open, and still receive later events."""

import asyncio
import time

from tests.faults.conftest import LEASE_SECONDS
from tests.faults.storm import Room, sized
from tests.faults.watch import metric

# Longer than any timeout of ours or of our libraries: the lease of presence and its keys, a ticket (here as long as a
# lease), the layer's health check (10 s) and timeout (15 s), redis-py's own (5 s). In CI the lease is 9 s. The layer
# has no expiry of groups: a subscription lives as long as its connection to Redis.
IDLE_SECONDS = sized(20, 600)


async def test_sockets_without_traffic_stay_open_and_still_hear_through_the_layer(cluster, row):
    """One of them used a ticket that has long expired. Nothing is repaired from the database: the layer works."""
    assert IDLE_SECONDS > 2 * LEASE_SECONDS
    room = await Room.open(cluster)
    try:
        ticket = await asyncio.to_thread(cluster.crowd[1].post, "auth/ticket/", {"session": room.session_id})
        assert ticket.status in (200, 201), ticket
        sender = room.client("", person=cluster.crowd[0], turn=0)
        idle = [room.client(f"idle-{number}", turn=number) for number in range(6)]
        by_ticket = room.client("by-ticket", turn=1, query=f"ticket={ticket.data['ticket']}")
        await asyncio.gather(*(client.greeted() for client in room.clients))
        await asyncio.sleep(IDLE_SECONDS)
        healed = sum(metric(web.url, "livestream_gap_fills_total") for web in cluster.workers)
        sent = await sender.say("after a while", client_id="late")
        await asyncio.sleep(1)
        healed = sum(metric(web.url, "livestream_gap_fills_total") for web in cluster.workers) - healed
        came = [
            shown.at for client in room.clients for shown in client.watched.screens[-1].shown if shown.seq == sent.seq
        ]
        reconnects = sum(len(client.closes) for client in room.clients)
        counted = [client.counts[-1][1] for client in (*idle, by_ticket)]
    finally:
        await room.leave()

    late = max(came) - (sent.done_at or time.monotonic())
    row(
        f"idle for {IDLE_SECONDS} s",
        reconnects=reconnects,
        heard=len(came),
        late_ms=round(1000 * late, 1),
        healed=healed,
    )
    assert reconnects == 0
    assert len(came) == 8
    assert late <= 1
    assert healed == 0
    assert set(counted) == {8}
