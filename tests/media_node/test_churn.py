"""Random joins and leaves: whatever the order, the engine's lists are consistent and end empty."""

import random

import pytest

from media_node.rooms.publisher import Publisher
from media_node.rooms.viewer import Viewer
from tests.media_node.show import ROOM, eventually, running
from tests.media_node.test_hostile import video

pytestmark = pytest.mark.waits


def books_are_right(engine):
    """Assert that every list of the engine contains the same peers."""
    peers = set(engine.peers.values())
    assert set(engine.udp.by_ufrag.values()) == peers
    assert set(engine.udp.by_address.values()) <= peers
    assert engine._publishers == {peer for peer in peers if isinstance(peer, Publisher)}
    assert engine._handshaking <= peers
    assert sum(engine._peers_by_user.values()) == len(peers)
    inside = set()
    for room in engine.rooms.values():
        assert not room.is_empty
        inside |= room.viewers | set(room.publishers.values()) | set(room.waiting.values())
        watching = {id(sink) for viewer in room.viewers for _, sink in viewer.host_streams}
        for slot in room.slots.values():
            assert {id(sink) for sink in slot._sinks} <= watching
    assert inside == peers
    assert {peer for peer in peers if isinstance(peer, Viewer)} == {
        viewer for room in engine.rooms.values() for viewer in room.viewers
    }


@pytest.mark.parametrize("seed", range(4))
async def test_the_books_are_right_after_every_step(seed):
    dice = random.Random(seed)
    async with running(silence_seconds=1.0) as show:
        engine, publishers, viewers = show.engine, [], []

        async def publish():
            user = dice.choice(["ada", "mo"])
            client = await show.synthetic("publisher", user)
            client.send_rtp(video(client, sequence=1))
            publishers.append(client)
            await eventually(lambda: user in engine.rooms[ROOM].publishers)

        async def watch():
            if ROOM in engine.rooms and engine.rooms[ROOM].is_live:
                viewers.append(await show.synthetic("viewer", f"ben-{dice.randrange(3)}"))

        async def leave():
            party = dice.choice(publishers + viewers)
            (publishers if party in publishers else viewers).remove(party)
            ufrag = party.remote["ice-ufrag"]
            party.close()
            await eventually(lambda: ufrag not in engine.udp.by_ufrag)

        async def kick():
            engine.close_user(session=ROOM, user=dice.choice(["ada", "mo", "ben-0", "ben-1"]))

        async def mute():
            change = dice.choice([engine.mute, engine.unmute])
            change(session=ROOM, user="ada", kind=dice.choice(["audio", "video"]))

        async def end():
            engine.close_room(ROOM)

        steps = [publish] * 3 + [watch] * 5 + [leave] * 3 + [kick, mute, end]
        await publish()
        for number in range(120):
            step = dice.choice(steps)
            if step is not leave or publishers or viewers:
                await step()
            for publisher in publishers:
                publisher.send_rtp(video(publisher, sequence=number * 800 + dice.randrange(2, 800)))
            books_are_right(engine)

        engine.close_room(ROOM)
        books_are_right(engine)
        assert (engine.peers, engine.rooms, engine.stats.errors) == ({}, {}, 0)
