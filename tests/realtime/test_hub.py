"""The hub, the sender and the layer in one process: deliveries to sockets, and robustness."""

import asyncio
import json
from uuid import uuid4

import pytest
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer

from livestream.cancellation import PATIENCE_SECONDS, end_all
from livestream.realtime import layer_sender
from livestream.realtime.groups import person_group, room_group, studio_group
from livestream.realtime.hub import HOLD_DOCUMENTS, Hub
from livestream.realtime.protocol import CloseCode
from livestream.realtime.socket_writer import BACKLOG_FRAMES, Member

LAYERS = ("memory", "redis")


class Wire:
    """The server's side of a socket: accepts frames, unless told to make the sender wait."""

    def __init__(self):
        self.sent = []
        self.free = asyncio.Event()
        self.free.set()
        self.gone = False

    async def send(self, event):
        if self.gone:
            raise OSError("gone")
        await self.free.wait()
        self.sent.append(event)

    @property
    def documents(self):
        lines = [line for event in self.sent if event["type"] == "websocket.send" for line in event["text"].split("\n")]
        return [json.loads(line) for line in lines]

    @property
    def closed(self):
        return [(event["code"], event["reason"]) for event in self.sent if event["type"] == "websocket.close"]


class Room:
    """A hub with a running sender, and the stored events that it may read."""

    def __init__(self):
        self.session_id = uuid4()
        self.group = room_group(self.session_id)
        self.stored = []
        self.reads = []
        self.read_error = None
        self.hub = Hub(self.read)
        self.sender = layer_sender.Sender(self.hub)
        layer_sender.bind(self.sender)
        self.tasks = [asyncio.create_task(self.hub.run()), asyncio.create_task(self.sender.run())]

    async def read(self, group, first, last):
        self.reads.append((first, last))
        if self.read_error is not None:
            raise self.read_error
        return [(seq, json.dumps(self.event(seq))) for seq in self.stored if first <= seq <= last]

    @staticmethod
    def event(seq):
        return {"type": "chat.message", "seq": seq, "data": {}}

    async def enter(self):
        wire = Wire()
        member = Member(name=uuid4().hex, send=wire.send)
        await self.hub.join(member=member, group=self.group)
        return member, wire

    def publish(self, seq, group=None):
        if seq is not None:
            self.stored.append(seq)
        document = self.event(seq) if seq is not None else {"type": "host.back", "data": {}}
        layer_sender.send_event(self.session_id, document, group)

    async def stop(self):
        layer_sender.bind(None)
        await end_all(self.tasks)


async def until(holds, seconds=5):
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)


async def flush_layer():
    layer = get_channel_layer()
    if hasattr(layer, "flush"):
        await layer.flush()


def seqs(wire):
    return [document.get("seq") for document in wire.documents]


@pytest.fixture(params=LAYERS)
async def layer(request, settings):
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        backend = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [url]}}
    else:
        backend = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    settings.CHANNEL_LAYERS = {"default": backend}
    channel_layers.backends.clear()
    yield
    await flush_layer()
    channel_layers.backends.clear()


@pytest.fixture
async def room(layer):
    running = Room()
    yield running
    await running.stop()


async def test_everybody_in_a_room_gets_the_same_documents_in_order(room):
    wires = [(await room.enter())[1] for _ in range(3)]

    for seq in range(1, 101):
        room.publish(seq)
    await until(lambda: all(len(wire.documents) == 100 for wire in wires))

    assert [seqs(wire) for wire in wires] == [list(range(1, 101))] * 3


async def test_what_comes_within_a_tick_travels_in_one_frame(room):
    _, wire = await room.enter()

    for seq in range(1, 201):
        room.publish(seq)
    await until(lambda: len(wire.documents) == 200)

    assert len(wire.sent) < 50


async def test_another_room_hears_nothing(room):
    _, wire = await room.enter()

    layer_sender.send_event(uuid4(), room.event(1))
    room.publish(1)
    await until(lambda: wire.documents)

    assert seqs(wire) == [1]


async def test_who_has_left_hears_nothing_and_who_comes_back_hears_again(room):
    member, wire = await room.enter()
    other, other_wire = await room.enter()
    room.hub.leave(member=member, group=room.group)
    room.publish(1)
    await until(lambda: other_wire.documents)
    room.hub.leave(member=other, group=room.group)
    _, third = await room.enter()
    room.publish(2)
    await until(lambda: third.documents)

    assert (seqs(wire), seqs(other_wire), seqs(third)) == ([], [1], [2])


async def test_while_a_socket_waits_for_its_snapshot_nothing_is_written(room):
    member, wire = await room.enter()
    member.held = []
    _, other = await room.enter()
    room.publish(1)
    room.publish(None)
    await until(lambda: len(other.documents) == 2)

    assert wire.sent == []
    member.release([json.dumps(room.event(1))])
    assert [document["type"] for document in wire.documents] == ["chat.message", "host.back"]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "from.the.future", "x": 1},
        {"type": "websocket.disconnect"},
        {"type": "hub.frames"},
        {"type": "hub.frames", "frames": [[1]]},
        {"type": "hub.frames", "frames": "x"},
        {"type": "hub.close"},
        {},
    ],
    ids=str,
)
async def test_a_message_that_this_release_does_not_know_is_ignored_and_nothing_is_lost(room, message):
    _, wire = await room.enter()
    told = {
        "type": "hub.frames",
        "frames": [[1, json.dumps(room.event(1))]],
        "revokes": False,
        "origin": "elsewhere",
    }

    for one in (message, told):
        await get_channel_layer().group_send(room.group, {"group": room.group, **one})
    await until(lambda: wire.documents)
    room.publish(2)
    await until(lambda: len(wire.documents) == 2)

    assert (seqs(wire), wire.closed) == ([1, 2], [])


async def test_events_that_the_layer_lost_are_read_from_the_database(room):
    _, wire = await room.enter()
    room.publish(1)
    await until(lambda: seqs(wire) == [1])
    room.stored += [2, 3]

    room.publish(4)
    await until(lambda: len(wire.documents) == 4)

    assert seqs(wire) == [1, 2, 3, 4]
    assert room.reads == [(2, 3)]


async def test_the_last_event_that_the_layer_lost_is_read_when_somebody_says_where_the_room_is(room):
    _, wire = await room.enter()
    room.publish(1)
    await until(lambda: seqs(wire) == [1])
    room.stored += [2, 3]

    room.hub.heal(group=room.group, up_to=3)
    await until(lambda: len(wire.documents) == 3)

    assert seqs(wire) == [1, 2, 3]


async def test_a_gap_that_cannot_be_read_is_given_up_and_later_events_are_shown(room, caplog):
    _, wire = await room.enter()
    room.publish(1)
    await until(lambda: seqs(wire) == [1])
    room.read_error = OSError("the database is away")

    room.publish(4)
    await until(lambda: 4 in seqs(wire))
    room.publish(5)
    await until(lambda: 5 in seqs(wire))

    assert seqs(wire) == [1, 4, 5]
    assert room.hub.log_of(room.group).since(1) is None, "who comes back over the gap has the database asked again"
    assert "gap not filled" in caplog.text


async def test_a_gap_of_which_the_database_knows_nothing_is_given_up_too(room):
    _, wire = await room.enter()
    room.publish(1)
    await until(lambda: seqs(wire) == [1])

    room.publish(4)
    await until(lambda: 4 in seqs(wire))

    assert (seqs(wire), room.reads) == ([1, 4], [(2, 3)])


async def test_after_a_filled_gap_the_past_is_read_again_since_what_was_missed_may_take_some_of_it_back(room):
    _, wire = await room.enter()
    for seq in (1, 2):
        room.publish(seq)
    await until(lambda: seqs(wire) == [1, 2])
    room.stored.append(3)  # for example the removal of 2

    room.publish(4)
    await until(lambda: 4 in seqs(wire))

    log = room.hub.log_of(room.group)
    assert log.since(0) is None
    assert len(log.since(2)) == 2


@pytest.mark.parametrize("revokes", [True, False])
async def test_an_event_that_revokes_something_empties_the_log(room, revokes):
    _, wire = await room.enter()
    room.publish(1)
    layer_sender.send_event(room.session_id, room.event(2), revokes=revokes)
    await until(lambda: seqs(wire) == [1, 2])

    assert (room.hub.log_of(room.group).since(0) is None) is revokes


async def test_a_newcomer_for_whom_too_much_is_held_is_sent_away_and_the_others_are_not(room):
    newcomer, wire = await room.enter()
    newcomer.held = []
    _, other = await room.enter()

    room.hub.deliver({"type": "hub.frames", "group": room.group, "frames": [[None, "{}"]] * (HOLD_DOCUMENTS - 1)})
    room.hub.settle(room.group)
    room.publish(None)
    await until(lambda: len(other.documents) == HOLD_DOCUMENTS)
    assert wire.closed == []
    room.publish(None)
    await until(lambda: wire.closed)

    assert wire.closed == [(4002, "too much at once")]
    assert len(newcomer.held) == HOLD_DOCUMENTS
    assert other.closed == []


async def test_a_persons_sockets_move_into_another_audience_and_out_of_it(room):
    ben, studio = person_group(room.session_id, uuid4()), studio_group(room.session_id)
    member, wire = await room.enter()
    await room.hub.join(member=member, group=ben)
    move = {"type": "hub.audience", "group": ben, "other": studio}

    room.hub.deliver({**move, "joins": True})
    room.hub.send_local(group=studio, text='{"seq": 1}')
    room.hub.deliver({**move, "joins": False})
    room.hub.send_local(group=studio, text='{"seq": 2}')
    room.hub.send_local(group=ben, text='{"seq": 3}')
    await until(lambda: 3 in seqs(wire))

    assert seqs(wire) == [1, 3]
    assert (member.groups, member.dismissed) == ([room.group, ben], {studio})
    room.hub.deliver({**move, "joins": True})
    assert not member.dismissed


async def test_documents_for_narrow_audiences_come_in_one_message_each_to_its_own(room):
    people = [person_group(room.session_id, uuid4()) for _ in range(2)]
    wires = []
    for group in people:
        member, wire = await room.enter()
        await room.hub.join(member=member, group=group)
        wires.append(wire)

    layer_sender.send_latest({group: {"type": "place", "seq": number} for number, group in enumerate(people)})
    await until(lambda: all(wire.documents for wire in wires))

    assert [seqs(wire) for wire in wires] == [[0], [1]]


async def test_an_event_that_comes_twice_is_written_once(room):
    _, wire = await room.enter()
    for seq in (1, 1, 2, 1, 2, 3):
        layer_sender.send_event(room.session_id, room.event(seq))
    await until(lambda: 3 in seqs(wire))

    assert seqs(wire) == [1, 2, 3]


async def test_a_room_is_closed_after_what_was_said_in_it(room):
    _, wire = await room.enter()
    room.publish(1)
    layer_sender.send_room_close(room.session_id, CloseCode.SESSION_ENDED, "session ended", 0)
    await until(lambda: wire.closed)

    assert (seqs(wire), wire.closed) == ([1], [(4410, "session ended")])


async def test_a_close_is_written_once_and_nothing_after_it(room):
    member, wire = await room.enter()
    member.close(CloseCode.FLOODING, "flooding")
    member.close(CloseCode.SESSION_ENDED, "session ended")
    member.write("{}")

    assert [event["type"] for event in wire.sent] == ["websocket.close"]
    assert wire.closed == [(4429, "flooding")]


async def test_a_socket_that_makes_us_wait_gets_everything_once_it_reads(room):
    _, wire = await room.enter()
    wire.free.clear()
    for seq in range(1, 51):
        room.publish(seq)
        await asyncio.sleep(0)
    _, other = await room.enter()
    room.publish(51)
    await until(lambda: 51 in seqs(other))

    wire.free.set()
    await until(lambda: len(wire.documents) == 51)

    assert seqs(wire) == list(range(1, 52))


async def test_a_socket_that_never_reads_is_closed_and_keeps_no_one_waiting(room):
    member, wire = await room.enter()
    wire.free.clear()
    for _ in range(BACKLOG_FRAMES + 2):
        member.write("{}")

    assert member.closing
    _, other = await room.enter()
    room.publish(1)
    await until(lambda: seqs(other) == [1])
    wire.free.set()
    await until(lambda: wire.closed)
    assert wire.closed == [(4001, "too slow")]


async def test_a_socket_that_is_gone_disturbs_nobody(room):
    member, wire = await room.enter()
    wire.gone = True
    _, other = await room.enter()
    room.publish(1)
    room.publish(2)
    await until(lambda: len(other.documents) == 2)

    assert member.closing


async def test_a_layer_that_refuses_still_lets_this_process_hear(room, settings):
    _, wire = await room.enter()

    class Broken:
        async def group_send(self, group, message):
            raise OSError("away")

    channel_layers.set("default", Broken())
    room.publish(1)
    await until(lambda: wire.documents)

    assert seqs(wire) == [1]


async def test_a_layer_that_hangs_keeps_nobody_of_this_process_waiting(room):
    _, wire = await room.enter()

    class Hanging:
        async def group_send(self, group, message):
            await asyncio.Event().wait()

    channel_layers.set("default", Hanging())
    began = asyncio.get_running_loop().time()
    for seq in (1, None, 2):
        room.publish(seq)
    await until(lambda: len(wire.documents) == 3)

    assert seqs(wire) == [1, None, 2]
    assert asyncio.get_running_loop().time() - began < layer_sender.LAYER_TIMEOUT_SECONDS / 2


async def test_an_event_without_a_number_is_not_shown_again_when_the_layer_brings_it_back(room):
    _, wire = await room.enter()

    room.publish(None)
    room.publish(1)
    await asyncio.sleep(0.3)

    assert seqs(wire) == [None, 1]


async def test_an_event_without_a_number_of_another_process_is_shown(room):
    if isinstance(get_channel_layer(), InMemoryChannelLayer):
        pytest.skip("the layer in memory reaches one process")
    _, wire = await room.enter()
    other = Hub(room.read)
    elsewhere = layer_sender.Sender(other)
    sending = asyncio.create_task(elsewhere.run())

    elsewhere.submit({"type": "hub.frames", "group": room.group, "frames": [[None, "{}"]], "revokes": False})
    await until(lambda: wire.documents)
    sending.cancel()

    assert wire.documents == [{}]


async def test_every_socket_is_told_to_come_back_when_the_process_goes(room):
    wires = [(await room.enter())[1] for _ in range(3)]

    room.hub.close_all(CloseCode.RESTARTING, "restarting")

    assert [wire.closed for wire in wires] == [[(4000, "restarting")]] * 3


async def test_a_process_stops_at_once_whatever_it_waits_for(layer):
    for moments in range(0, 160, 2):
        going = Room()
        going.publish(1)
        for _ in range(moments):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            await going.stop()
        await flush_layer()
