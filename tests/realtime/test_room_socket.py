"""The room socket against a real server, on both databases and both layers."""

import asyncio
import contextlib
import json
import secrets
import uuid

import pytest
import websockets
from channels_redis.pubsub import RedisPubSubChannelLayer

from tests.conftest import VARIANTS
from tests.live import Closed

pytestmark = [pytest.mark.waits, pytest.mark.asyncio]


def may(*rights):
    """Return `me.can`."""
    return {right: right in rights for right in ("chat", "moderate", "control", "appoint", "publish", "ask_stage")}


# Tests that daphne cannot pass, by name.
DAPHNE_CANNOT = {
    "test_a_binary_frame_closes_with_1003": "daphne's protocol library refuses to send the close code 1003",
    "test_a_frame_over_sixteen_kibibytes_closes_with_1009": "daphne's protocol library refuses to send the code 1009",
    "test_a_full_room_says_when_to_come_back": "daphne gives a close no reason, where the delay would stand",
}


@pytest.fixture(scope="session", params=(*VARIANTS, "daphne"))
def live(request):
    """The product on both databases and both layers, and behind daphne, which `runserver` uses."""
    names = {"sqlite-memory": "live_small", "postgres-redis": "live_large", "daphne": "live_daphne"}
    return request.getfixturevalue(names[request.param])


@pytest.fixture(autouse=True)
def _what_daphne_cannot_hold(request):
    behind_daphne = getattr(request.node, "callspec", None) and request.node.callspec.params.get("live") == "daphne"
    if behind_daphne and request.node.originalname in DAPHNE_CANNOT:
        pytest.skip(DAPHNE_CANNOT[request.node.originalname])


def name():
    return secrets.token_hex(8)


# ---- Greeting ----------------------------------------------------------------------------------------------------


async def test_a_signed_in_viewer_is_greeted_with_the_whole_room(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    said = ben.post(f"sessions/{show}/messages/", {"text": "hello", "client_id": "c1"}).data

    async with live.watching(show, ben) as socket:
        snapshot = socket.snapshot
        session = ben.get(f"sessions/{show}/").data

    assert set(snapshot) == {"epoch", "seq", "session", "me", "participants", "slots", "viewers", "messages"}
    assert {**snapshot["session"], "viewer_count": 0, "peak_viewers": 0, "total_viewers": 0, "duration_seconds": 0} == {
        **session,
        "viewer_count": 0,
        "peak_viewers": 0,
        "total_viewers": 0,
        "duration_seconds": 0,
    }
    assert (snapshot["seq"], snapshot["viewers"], snapshot["messages"]) == (2, 1, [said])
    assert snapshot["me"] == {
        "id": ben.id,
        "username": ben.username,
        "display_name": "Ben",
        "role": "viewer",
        "moderator": False,
        "can": may("chat", "ask_stage"),
        "read": {"seq": 0, "unread": 0},
        "request": None,
    }
    assert [(row["user"]["id"], row["role"]) for row in snapshot["participants"]] == [(ada.id, "host")]


@pytest.mark.parametrize(
    ("who", "role", "can"),
    [
        ("ada", "host", may("chat", "moderate", "control", "appoint", "publish")),
        ("mo", "viewer", may("chat", "moderate", "appoint", "ask_stage")),
        ("nobody", "viewer", may()),
    ],
)
async def test_everybody_is_told_what_they_may_do(live, who, role, can):
    ada = live.person("ada")
    show = live.show(ada)

    async with live.watching(show, {"ada": ada, "mo": live.mo, "nobody": None}[who]) as socket:
        assert (socket.snapshot["me"]["role"], socket.snapshot["me"]["can"]) == (role, can)


async def test_the_snapshot_holds_the_last_fifty_messages(live):
    ada = live.person("ada")
    show = live.show(ada)
    for number in range(53):
        assert ada.post(f"sessions/{show}/messages/", {"text": f"{number}", "client_id": f"{number}"}).status == 201

    async with live.watching(show) as socket:
        messages = socket.snapshot["messages"]

    assert [message["content"] for message in messages] == [str(number) for number in range(3, 53)]


# ---- Commands and events -----------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_to_its_sender_and_told_to_everybody(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with (
        live.watching(show, ada) as host,
        live.watching(show, ben) as viewer,
        live.watching(show) as anonymous,
    ):
        reply = await viewer.command("chat.send", text="hello", client_id="c1")

        stored = ben.get(f"sessions/{show}/messages/").data["results"]
        assert reply.ok
        assert reply.data == {"id": stored[0]["id"], "seq": 2}
        for socket in (host, viewer, anonymous):
            event = await socket.next("chat.message")
            assert (event["seq"], event["data"]) == (2, stored[0])
        assert len(stored) == 1


@pytest.mark.both_databases
async def test_a_message_sent_again_is_acknowledged_again_and_told_once(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ben) as socket, live.watching(show, ada) as host:
        first = await socket.command("chat.send", text="hello", client_id="c1")
        again = await socket.command("chat.send", text="hello", client_id="c1")
        after = await socket.command("chat.send", text="the end", client_id="c2")

        await host.until(lambda received: host.seqs()[-1:] == [after.data["seq"]])
        assert first.data == again.data
        assert host.seqs() == [2, 3]


@pytest.mark.both_databases
async def test_the_same_message_from_fifty_at_once_is_stored_once(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(live.watching(show, ben)) for _ in range(5)]
        replies = await asyncio.gather(
            *(sockets[index % 5].command("chat.send", text="x", client_id="c") for index in range(50))
        )

    assert len({(reply.data["id"], reply.data["seq"]) for reply in replies if reply.ok}) == 1
    assert {reply.code for reply in replies if not reply.ok} <= {"too_many"}
    assert len(ben.get(f"sessions/{show}/messages/").data["results"]) == 1


@pytest.mark.both_databases
async def test_fifty_who_write_at_once_are_heard_by_all_in_one_order_without_a_hole(live):
    ada = live.person("ada")
    show = live.show(ada)
    people = [live.person("ben") for _ in range(10)]
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(live.watching(show, person)) for person in people]
        silent = await stack.enter_async_context(live.watching(show))
        replies = await asyncio.gather(
            *(
                socket.command("chat.send", text=f"{index}-{number}", client_id=f"{number}")
                for index, socket in enumerate(sockets)
                for number in range(5)
            )
        )
        assert sorted(reply.data["seq"] for reply in replies) == list(range(2, 52))
        for socket in (*sockets, silent):
            await socket.until(lambda received, socket=socket: len(socket.heard("chat.message")) == 50)
            assert socket.seqs() == list(range(2, 52))

    history = ada.get(f"sessions/{show}/messages/?limit=100").data["results"]
    assert [message["id"] for message in history] == [event["data"]["id"] for event in silent.heard("chat.message")]


async def test_messages_posted_over_http_reach_the_sockets(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show) as socket:
        answer = await asyncio.to_thread(
            ben.post, f"sessions/{show}/messages/", {"text": "over HTTP", "client_id": "c"}
        )

        assert (await socket.next("chat.message"))["data"] == answer.data


async def test_a_removed_message_is_gone_for_everybody(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ada) as host, live.watching(show, ben) as viewer:
        sent = (await viewer.command("chat.send", text="shame", client_id="c")).data

        reply = await host.command("chat.delete", id=sent["id"])

        assert (reply.ok, reply.data) == (True, {"id": sent["id"]})
        event = await viewer.next("chat.removed")
        assert (event["seq"], event["data"]) == (3, {"id": sent["id"], "seq_removed": 2, "by": ada.id})
        page = (await viewer.command("chat.history")).data["messages"]
        assert [(message["content"], message["removed"]) for message in page] == [("", True)]


async def test_a_viewer_cannot_do_what_the_host_and_moderators_do(live):
    ada, ben, eve = live.person("ada"), live.person("ben"), live.person("eve")
    show = live.show(ada)
    async with live.watching(show, ben) as viewer, live.watching(show, eve) as other:
        sent = (await viewer.command("chat.send", text="x", client_id="c")).data
        codes = {
            op: (await other.command(op, **data)).code
            for op, data in {
                "session.pause": {},
                "session.resume": {},
                "session.end": {},
                "chat.delete": {"id": sent["id"]},
            }.items()
        }

    assert codes == {
        "session.pause": "session.not_host",
        "session.resume": "session.not_host",
        "session.end": "session.not_host",
        "chat.delete": "session.not_moderator",
    }
    assert ada.get(f"sessions/{show}/").data["state"] == "active"


async def test_nobody_in_particular_watches_and_does_not_speak(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show) as socket:
        codes = {
            op: (await socket.command(op, **data)).code
            for op, data in {
                "chat.send": {"text": "x", "client_id": "c"},
                "chat.delete": {"id": str(uuid.uuid4())},
                "chat.read": {"seq": 1},
                "session.pause": {},
                "session.end": {},
            }.items()
        }
        assert codes == dict.fromkeys(codes, "not_authenticated")
        assert (await socket.command("chat.history")).ok
        assert (await socket.command("ping")).ok
        assert ada.get(f"sessions/{show}/messages/").data["results"] == []


async def test_the_host_controls_the_show_over_the_socket_and_everybody_hears(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as host, live.watching(show) as viewer:
        for op, state in (("session.pause", "paused"), ("session.resume", "active"), ("session.pause", "paused")):
            reply = await host.command(op)
            assert reply.data["session"]["state"] == state
            event = await viewer.next("session.changed")
            assert event["data"]["session"]["state"] == state
        again = await host.command("session.pause")
        assert again.ok
        assert viewer.seqs() == [2, 3, 4]


async def test_a_history_page_is_asked_for_by_number(live):
    ada = live.person("ada")
    show = live.show(ada)
    for number in range(6):
        ada.post(f"sessions/{show}/messages/", {"text": f"{number}", "client_id": f"{number}"})
    async with live.watching(show) as socket:
        pages = {
            str(query): [m["seq"] for m in (await socket.command("chat.history", **query)).data["messages"]]
            for query in (
                {"limit": 2},
                {"before": 5},
                {"after": 5},
                {"after": 2, "limit": 2},
                {"after": 2, "before": 6},
            )
        }
        refused = [(await socket.command("chat.history", limit=limit)).code for limit in (0, 101, "x")]

    assert list(pages.values()) == [[6, 7], [2, 3, 4], [6, 7], [3, 4], [3, 4, 5]]
    assert refused == ["invalid"] * 3


@pytest.mark.both_databases
async def test_a_read_position_never_goes_back_nor_past_the_end(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ben) as socket:
        assert [(await socket.command("chat.read", seq=seq)).data["seq"] for seq in (1, 0, 999)] == [1, 1, 1]


@pytest.mark.both_databases
async def test_who_comes_back_is_told_how_much_is_unread(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    numbers = [ada.post(f"sessions/{show}/messages/", {"text": "x", "client_id": f"{n}"}).data["seq"] for n in range(3)]
    async with live.watching(show, ben) as socket:
        assert socket.snapshot["me"]["read"] == {"seq": 0, "unread": 3}
        await socket.command("chat.read", seq=numbers[1])

    async with live.watching(show, ben) as socket:
        assert socket.snapshot["me"]["read"] == {"seq": numbers[1], "unread": 1}


# ---- Resuming ----------------------------------------------------------------------------------------------------


async def test_what_was_removed_is_in_no_frame_of_whoever_comes_back(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ben) as socket:
        epoch, seq = socket.snapshot["epoch"], socket.snapshot["seq"]
        said = ada.post(f"sessions/{show}/messages/", {"text": "a-secret", "client_id": "1"}).data
        ada.delete(f"sessions/{show}/messages/{said['id']}/")
        await socket.next("chat.removed")

        async with live.watching(show, query=f"?epoch={epoch}&after={seq}", greeting="resumed") as back:
            assert [event["type"] for event in back.snapshot["events"]] == ["chat.message", "chat.removed"]
            assert "a-secret" not in "".join(back.frames)


@pytest.mark.both_databases
async def test_a_show_that_turns_private_removes_anonymous_viewers(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ben) as viewer, live.watching(show) as visitor:
        ada.patch(f"sessions/{show}/", {"visibility": "private"})

        assert (await viewer.close_code(), await visitor.close_code()) == (4002, 4002)
    async with live.watching(show, ben, greeting=None) as again:
        assert await again.close_code() == 4404


@pytest.mark.both_databases
async def test_a_socket_that_comes_back_gets_all_that_it_missed_in_order(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ben) as socket:
        epoch, seq = socket.snapshot["epoch"], socket.snapshot["seq"]
    message = ada.post(f"sessions/{show}/messages/", {"text": "one", "client_id": "1"}).data
    ada.post(f"sessions/{show}/pause/")
    ada.delete(f"sessions/{show}/messages/{message['id']}/")
    ada.patch(f"sessions/{show}/", {"title": "Another title"})

    async with live.watching(show, ben, query=f"?epoch={epoch}&after={seq}", greeting="resumed") as socket:
        resumed = socket.snapshot

    assert (resumed["recovered"], resumed["epoch"], resumed["seq"]) == (True, epoch, 5)
    assert [(event["seq"], event["type"]) for event in resumed["events"]] == [
        (2, "chat.message"),
        (3, "session.changed"),
        (4, "chat.removed"),
        (5, "settings.changed"),
    ]
    assert (resumed["events"][0]["data"]["content"], resumed["events"][0]["data"]["removed"]) == ("", True)


async def test_a_socket_that_missed_nothing_is_told_so(live):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        epoch = socket.snapshot["epoch"]

    async with live.watching(show, query=f"?epoch={epoch}&after=1", greeting="resumed") as socket:
        assert socket.snapshot == {
            "recovered": True,
            "epoch": epoch,
            "seq": 1,
            "me": socket.snapshot["me"],
            "events": [],
        }


@pytest.mark.parametrize(
    "query",
    [
        "?epoch=unknown&after=1",
        "?epoch=&after=1",
        "?epoch={epoch}&after=2",
        "?epoch={epoch}&after=-1",
        "?epoch={epoch}&after=",
        "?epoch={epoch}&after=x",
        "?epoch={epoch}&after=1.0",
        "?epoch={epoch}&after=%D9%A1",
        "?epoch={epoch}&after=99999999999999999999999",
        "?epoch={epoch}%00&after=1",
    ],
)
async def test_a_position_that_cannot_be_is_answered_with_a_fresh_snapshot(live, query):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        epoch = socket.snapshot["epoch"]

    async with live.watching(show, query=query.format(epoch=epoch), greeting="resumed") as socket:
        assert socket.snapshot == {"recovered": False, "epoch": epoch, "seq": 1, "events": []}
        snapshot = (await socket.next("snapshot"))["data"]
        assert (snapshot["epoch"], snapshot["seq"]) == (epoch, 1)


@pytest.mark.both_databases
async def test_a_gap_of_three_hundred_is_filled_and_a_longer_one_is_not(live):
    ada = live.person("ada")
    show = live.show(ada)
    people = [live.person("ben") for _ in range(4)]

    def write(person):
        for number in range(76):
            answer = person.post(f"sessions/{show}/messages/", {"text": "x", "client_id": f"{number}"})
            assert answer.status == 201, answer

    await asyncio.gather(*(asyncio.to_thread(write, person) for person in people))
    async with live.watching(show) as socket:
        epoch, head = socket.snapshot["epoch"], socket.snapshot["seq"]
        assert head == 305
        filled = (await socket.command("sync", epoch=epoch, after=head - 300)).data
        refused = (await socket.command("sync", epoch=epoch, after=head - 301)).data

    assert [event["seq"] for event in filled["events"]] == list(range(6, 306))
    assert filled["recovered"] is True
    assert (refused["recovered"], refused["seq"], "events" in refused) == (False, 305, False)
    assert refused["snapshot"]["seq"] == 305


@pytest.mark.both_databases
async def test_sync_fills_a_gap_or_gives_a_snapshot(live):
    ada = live.person("ada")
    show = live.show(ada)
    ada.post(f"sessions/{show}/messages/", {"text": "x", "client_id": "1"})
    async with live.watching(show) as socket:
        epoch = socket.snapshot["epoch"]
        filled = (await socket.command("sync", epoch=epoch, after=1)).data
        lost = (await socket.command("sync", epoch="other", after=1)).data
        future = (await socket.command("sync", epoch=epoch, after=3)).data
        refused = [
            (await socket.command("sync", **data)).code
            for data in ({}, {"epoch": epoch}, {"epoch": epoch, "after": -1}, {"epoch": epoch, "after": "x"})
        ]

    assert [event["type"] for event in filled["events"]] == ["chat.message"]
    assert (lost["recovered"], lost["snapshot"]["seq"], future["recovered"]) == (False, 2, False)
    assert refused == ["invalid"] * 4


async def test_a_beat_tells_where_the_room_is(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show) as socket:
        epoch = socket.snapshot["epoch"]
        first = await socket.next("beat")
        ada.post(f"sessions/{show}/pause/")
        await socket.until(lambda received: received[-1]["type"] == "beat" and received[-1]["data"]["seq"] == 2)

    assert first["data"] == {"epoch": epoch, "seq": 1}


@pytest.mark.both_databases
async def test_a_socket_that_enters_in_a_storm_misses_nothing_and_shows_nothing_twice(live):
    ada = live.person("ada")
    show = live.show(ada)
    people = [live.person("ben") for _ in range(3)]

    async def write(person):
        async with live.watching(show, person) as socket:
            for number in range(9):
                assert (await socket.command("chat.send", text="x", client_id=f"{number}")).ok

    writing = [asyncio.create_task(write(person)) for person in people]
    while not all(task.done() for task in writing):
        async with live.watching(show) as socket:
            snapshot = socket.snapshot
            assert [m["seq"] for m in snapshot["messages"]] == list(range(2, snapshot["seq"] + 1))
            await asyncio.sleep(0.01)
            seqs = socket.seqs()
            assert seqs == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(seqs)))
    await asyncio.gather(*writing)


# ---- Bad frames --------------------------------------------------------------------------------------------------

NO_JSON = {
    "nothing": "",
    "spaces": "   ",
    "half": '{"id": "1"',
    "a word": "hello",
    "NaN": '{"op": "ping", "data": {"x": NaN}}',
    "Infinity": '{"op": "ping", "data": {"x": -Infinity}}',
    "deep arrays": "[" * 8000,
    "deep objects": '{"a":' * 2500 + "1" + "}" * 2500,
    "duplicate names": '{"op": "ping", "op": "session.end"}',
    "duplicate names inside": '{"op": "ping", "data": {"a": 1, "a": 2}}',
    "a big number": '{"op": "ping", "data": {"x": ' + "9" * 5000 + "}}",
    "a control character": '{"op": "pi\x01ng"}',
}
NO_COMMAND = {
    "an array": "[]",
    "null": "null",
    "a number": "1",
    "1e999": "1e999",
    "a text": '"ping"',
    "an empty object": "{}",
    "a number for the op": '{"op": 1}',
    "nothing for the op": '{"op": null}',
    "a list for the op": '{"op": ["ping"]}',
    "a long op": '{"op": "' + "x" * 65 + '"}',
    "a list for the data": '{"op": "ping", "data": []}',
    "nothing for the data": '{"op": "ping", "data": null}',
    "a text for the data": '{"op": "ping", "data": "x"}',
    "a number for the id": '{"id": 1, "op": "ping"}',
    "a long id": '{"id": "' + "x" * 65 + '", "op": "ping"}',
    "a line break in the id": '{"id": "a\\nb", "op": "ping"}',
    "half a character in the id": '{"id": "\\ud800", "op": "ping"}',
}
UNKNOWN = [
    "",
    "close",
    "websocket.disconnect",
    "websocket.close",
    "dispatch",
    "hub.frame",
    "hub.frames",
    "chat",
    "__init__",
]


@pytest.mark.parametrize("frame", [*NO_JSON, *NO_COMMAND])
async def test_a_frame_that_holds_no_command_is_answered_and_the_socket_lives(live, frame):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        await socket.send(NO_JSON.get(frame, NO_COMMAND.get(frame)))
        reply = await socket.reply(None)

        assert not reply.ok
        assert reply.code == ("frame.bad_json" if frame in NO_JSON else "frame.bad_shape")
        assert (await socket.command("ping")).ok


async def test_an_operation_that_does_not_exist_is_answered_and_the_socket_lives(live):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        for op in UNKNOWN:
            assert (await socket.command(op)).code == "op.unknown"
    async with live.watching(show) as socket:
        await socket.send(json.dumps({"type": "websocket.disconnect", "code": 1000}))
        assert (await socket.reply(None)).code == "frame.bad_shape"
        await socket.send(json.dumps({"type": "websocket.disconnect", "id": "x", "op": "ping"}))
        assert (await socket.reply("x")).ok


@pytest.mark.parametrize(
    ("op", "data"),
    [
        ("chat.send", {}),
        ("chat.send", {"text": "x"}),
        ("chat.send", {"text": ["x"], "client_id": "c"}),
        ("chat.send", {"text": {"a": 1}, "client_id": "c"}),
        ("chat.send", {"text": None, "client_id": "c"}),
        ("chat.send", {"text": True, "client_id": "c"}),
        ("chat.send", {"text": "a\u0000b", "client_id": "c"}),
        ("chat.send", {"text": "\ud800", "client_id": "c"}),
        ("chat.send", {"text": "x", "client_id": "\ud800"}),
        ("chat.send", {"text": "x", "client_id": ""}),
        ("chat.send", {"text": "x", "client_id": "c", "reply_to": 10**40}),
        ("chat.send", {"text": "x", "client_id": "c", "reply_to": {}}),
        ("chat.send", {"text": "x", "client_id": "c", "message_type": "gift!"}),
        ("chat.send", {"text": "x", "client_id": "c", "message_type": []}),
        ("chat.delete", {}),
        ("chat.delete", {"id": "x"}),
        ("chat.delete", {"id": []}),
        ("chat.read", {"seq": -1}),
        ("chat.read", {"seq": 10**30}),
        ("chat.read", {"seq": 1.5}),
        ("chat.history", {"before": {}}),
        ("sync", {"epoch": {}, "after": []}),
    ],
)
async def test_data_of_the_wrong_kind_is_refused_by_name_and_the_socket_lives(live, op, data):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as socket:
        reply = await socket.command(op, **data)

        assert (reply.code, bool(reply.error["fields"])) == ("invalid", True)
        assert (await socket.command("ping")).ok


async def test_names_that_an_operation_does_not_know_are_ignored(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as socket:
        data = {"actor": "x", "session_id": "x", "place": 1, "metadata": {"a": 1}, "role": "host", "seq": 99}
        reply = await socket.command("chat.send", text="x", client_id="c", **data)

        assert reply.data["seq"] == 2
        assert (await socket.command("ping", anything=1)).ok


async def test_several_commands_travel_in_one_frame(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as socket:
        lines = [
            json.dumps({"id": f"{n}", "op": "chat.send", "data": {"text": "x", "client_id": f"{n}"}}) for n in range(5)
        ]
        await socket.send("\n".join([lines[0], "no JSON", "", *lines[1:]]))

        assert [(await socket.reply(f"{n}")).data["seq"] for n in range(5)] == [2, 3, 4, 5, 6]
        assert (await socket.reply(None)).code == "frame.bad_json"


async def test_a_line_break_in_a_text_does_not_break_the_frame(live):
    ada = live.person("ada")
    show = live.show(ada)
    text = 'one\ntwo\u2028three\u0085four "five" \\ six'
    async with live.watching(show, ada) as socket:
        await socket.command("chat.send", text=text, client_id="c")
        event = await socket.next("chat.message")

    assert event["data"]["content"].split("\n") == ["one", "two", 'threefour "five" \\ six']


# ---- Closing -----------------------------------------------------------------------------------------------------


async def test_a_binary_frame_closes_with_1003(live):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        await socket.send(b"\x00\x01")
        assert await socket.close_code() == 1003


@pytest.mark.parametrize(("size", "fits"), [(16 * 1024, True), (16 * 1024 + 1, False), (1024 * 1024, False)])
async def test_a_frame_over_sixteen_kibibytes_closes_with_1009(live, size, fits):
    show = live.show(live.person("ada"))
    async with live.watching(show) as socket:
        frame = '{"id": "x", "op": "ping", "data": {"é": "'
        frame += "x" * (size - len((frame + '"}}').encode())) + '"}}'
        await socket.send(frame)
        if fits:
            assert (await socket.reply("x")).ok
        else:
            assert await socket.close_code() == 1009


async def test_who_may_not_come_in_is_told_by_the_close_code(live):
    ada, eve = live.person("ada"), live.person("eve")
    private = live.show(ada, visibility="private")
    codes = {}
    for what, (session, person) in {
        "no such session": (str(uuid.uuid4()), ada),
        "private": (private, eve),
        "private, nobody": (private, None),
    }.items():
        async with live.watching(session, person, greeting=None) as socket:
            codes[what] = await socket.close_code()
            assert socket.received == []
    assert codes == dict.fromkeys(codes, 4404)


@pytest.mark.parametrize("kind", ["bearer", "ticket"])
async def test_a_sign_in_that_is_no_good_closes_with_4401(live, kind):
    show = live.show(live.person("ada"))
    options = {"bearer": {"headers": {"Authorization": "Bearer nonsense"}}, "ticket": {"query": "?ticket=nonsense"}}
    async with live.watching(show, greeting=None, **options[kind]) as socket:
        assert await socket.close_code() == 4401
        assert socket.received == []


async def test_a_ticket_opens_one_room_once(live):
    ada, ben = live.person("ada"), live.person("ben")
    show, other = live.show(ada), live.show(ada)
    ticket = ben.post("auth/ticket/", {"session": show}).data["ticket"]
    async with live.watching(show, query=f"?ticket={ticket}") as socket:
        assert socket.snapshot["me"]["id"] == ben.id
    async with live.watching(show, query=f"?ticket={ticket}", greeting=None) as socket:
        assert await socket.close_code() == 4401
    ticket = ben.post("auth/ticket/", {"session": show}).data["ticket"]
    async with live.watching(other, query=f"?ticket={ticket}", greeting=None) as socket:
        assert await socket.close_code() == 4401


async def test_a_full_room_says_when_to_come_back(live):
    ada, ben, eve = live.person("ada"), live.person("ben"), live.person("eve")
    show = live.show(ada, settings={"max_participants": 2})
    async with live.watching(show, ben), live.watching(show, eve, greeting=None) as socket:
        assert await socket.close_code() == 4100
        assert socket.connection.close_reason == "30"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1.evil.example",
        "http://localhost:{port}",
    ],
)
async def test_a_page_of_somebody_else_does_not_get_in(live, origin):
    show = live.show(live.person("ada"))
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with live.watching(show, origin=origin.format(port=live.web.port)):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_ours_gets_in(live):
    show = live.show(live.person("ada"))
    async with live.watching(show, origin=live.url) as socket:
        assert socket.snapshot["seq"] == 1


@pytest.mark.both_databases
async def test_the_end_is_told_and_then_the_socket_is_closed_with_4410(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as host, live.watching(show) as viewer:
        reply = await host.command("session.end")
        assert reply.data["session"]["state"] == "ended"
        event = await viewer.next("session.changed")
        assert (event["data"]["session"]["state"], event["data"]["reason"]) == ("ended", "host")
        assert await viewer.close_code() == 4410
        assert await host.close_code() == 4410


async def test_a_show_that_is_over_can_be_read_for_a_while(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    ada.post(f"sessions/{show}/messages/", {"text": "x", "client_id": "1"})
    ada.post(f"sessions/{show}/end/")
    async with live.watching(show, ben) as socket:
        assert socket.snapshot["session"]["state"] == "ended"
        assert socket.snapshot["me"]["can"]["chat"] is False
        assert (await socket.command("chat.send", text="x", client_id="c")).code == "session.ended"
        assert len((await socket.command("chat.history")).data["messages"]) == 1
        assert await socket.close_code() == 4410


async def test_a_flood_is_limited_and_then_closed_with_4429(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as socket, live.watching(show) as other:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with contextlib.suppress(websockets.ConnectionClosed):
            while loop.time() - began < 15:
                await socket.send('{"id": "x", "op": "ping"}')
                await asyncio.sleep(0.005)
        lasted = loop.time() - began

        assert await socket.close_code() == 4429
        assert 5 <= lasted < 8
        refused = next(reply["error"] for reply in socket.replies if not reply["ok"])
        assert (refused["code"], refused["retry_after"]) == ("too_many", 1)
        carried_out = sum(reply["ok"] for reply in socket.replies)
        assert 10 <= carried_out <= 10 + 10 * (lasted + 1)
        assert (await other.command("ping")).ok


async def test_sync_has_a_lower_limit(live):
    ada = live.person("ada")
    async with live.watching(live.show(ada), ada) as socket:
        asked = {"epoch": socket.snapshot["epoch"], "after": 0}
        replies = []
        while len(replies) < 40 and (not replies or replies[-1].ok):
            replies.append(await socket.command("sync", **asked))
            await asyncio.sleep(0.11)  # slower than the limit for all commands

        assert replies[-1].code == "too_many"
        assert len(replies) > 10
        assert (await socket.command("ping")).ok


async def test_a_short_burst_is_limited_and_forgiven(live):
    ada = live.person("ada")
    show = live.show(ada)
    async with live.watching(show, ada) as socket:
        replies = await asyncio.gather(*(socket.command("ping") for _ in range(15)))
        refused = [reply for reply in replies if not reply.ok]

        assert {reply.code for reply in refused} == {"too_many"}
        assert 1 <= len(refused) <= 5
        assert replies[0].ok


# ---- Viewers -----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
async def test_viewers_are_counted_as_people_and_the_host_is_none(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ada) as host:
        assert host.snapshot["viewers"] == 0
        async with live.watching(show, ben) as first:
            assert first.snapshot["viewers"] == 1
            async with live.watching(show, ben) as second, live.watching(show) as anonymous:
                assert (second.snapshot["viewers"], anonymous.snapshot["viewers"]) == (1, 2)
                await counted(host, 2)
                await eventually(lambda: ada.get(f"sessions/{show}/").data["viewer_count"] == 2)
            await counted(host, 1)
        await counted(host, 0)
    await eventually(
        lambda: [ada.get(f"sessions/{show}/").data[f"{kind}_viewers"] for kind in ("peak", "total")] == [2, 2]
    )


async def eventually(holds, *, seconds=5):
    """Poll until it holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await asyncio.to_thread(holds):
        assert asyncio.get_running_loop().time() < deadline, "it never became so"
        await asyncio.sleep(0.05)


async def counted(socket, number, *, seconds=2.5):
    """Wait until the last reported viewer count is this one."""
    await socket.until(
        lambda received: [d["data"]["count"] for d in received if d["type"] == "viewers"][-1:] == [number],
        what=f"count of {number}",
        seconds=seconds,
    )


@pytest.mark.both_databases
async def test_a_tab_that_is_gone_without_a_word_is_not_counted_within_two_seconds(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ada) as host, live.watching(show, ben) as tab:
        await counted(host, 1)
        await tab.drop()
        await counted(host, 0)


@pytest.mark.both_databases
async def test_somebody_who_joins_over_http_is_counted_until_they_leave(live):
    ada, ben = live.person("ada"), live.person("ben")
    show = live.show(ada)
    async with live.watching(show, ada) as host:
        await asyncio.to_thread(ben.post, f"sessions/{show}/join/")
        await counted(host, 1)
        async with live.watching(show, ben):
            ben.post(f"sessions/{show}/leave/")
            assert (await host.command("ping")).ok
            assert host.heard("viewers")[-1]["data"]["count"] == 1
        await counted(host, 0)


@pytest.mark.both_databases
async def test_people_who_come_and_go_all_the_time_leave_no_trace(live):
    ada = live.person("ada")
    show = live.show(ada)

    async def visit():
        for _ in range(5):
            async with live.watching(show) as socket:
                assert socket.snapshot["viewers"] >= 1

    async with live.watching(show, ada) as host:
        await asyncio.gather(*(visit() for _ in range(8)))
        await counted(host, 0)
        assert all(d["data"]["count"] <= 8 for d in host.heard("viewers"))


# ---- The layer ---------------------------------------------------------------------------------------------------


async def test_a_group_event_of_an_unknown_kind_is_ignored(live):
    if live.variant != "postgres-redis":
        pytest.skip("only Redis can be reached from outside the process; see test_hub.py")
    ada = live.person("ada")
    show = live.show(ada)
    group = f"room.{uuid.UUID(show).hex}"
    layer = RedisPubSubChannelLayer(hosts=[live.web.environment["TEST_REDIS_URL"]], prefix="livestream")
    async with live.watching(show, ada) as socket:
        for message in (
            {"type": "from.the.future", "group": group, "x": 1},
            {"type": "websocket.disconnect", "group": group},
            {"group": group},
            {"type": "hub.frames", "group": group},
            {"type": "hub.close", "group": group},
            {"type": "hub.frames"},
        ):
            await layer.group_send(group, message)
        await socket.command("chat.send", text="still here", client_id="c")

        assert (await socket.next("chat.message"))["data"]["content"] == "still here"
    await layer.flush()


@pytest.mark.both_databases
async def test_a_private_room_hears_nothing_of_another(live):
    ada, ben = live.person("ada"), live.person("ben")
    one, two = live.show(ada), live.show(ada)
    async with live.watching(one, ada) as first, live.watching(two, ben) as second:
        await first.command("chat.send", text="for one", client_id="c")
        await first.next("chat.message")
        await second.command("chat.send", text="for two", client_id="c")

        heard = await second.next("chat.message")
        assert heard["data"]["content"] == "for two"
        assert [event["data"]["content"] for event in first.heard("chat.message")] == ["for one"]


async def test_reports_of_the_media_node_reach_the_room(live):
    import time
    from datetime import UTC, datetime

    from media_node.reports import SIGNATURE_HEADER, report_sign

    ada = live.person("ada")
    show = live.show(ada)

    def report(kind):
        body = json.dumps(
            {
                "id": name(),
                "type": kind,
                "session": show,
                "user": ada.id,
                "at": datetime.now(UTC).isoformat(),
                "data": {},
            }
        ).encode()
        secret = "a secret that media node and web share in tests"
        headers = {SIGNATURE_HEADER: report_sign(body=body, secret=secret, now=time.time())}
        return live.anybody.post("/webhooks/builtin/", body, headers=headers)

    async with live.watching(show) as socket:
        assert socket.snapshot["session"]["host_present"] is False
        assert (await asyncio.to_thread(report, "publisher.connected")).data == {"applied": True}
        assert (await socket.next("host.back"))["data"] == {}
        await asyncio.to_thread(report, "publisher.lost")
        assert "until" in (await socket.next("host.lost"))["data"]
        await asyncio.to_thread(report, "publisher.connected")
        await socket.next("host.back")
    assert live.anybody.get(f"sessions/{show}/").data["host_present"] is True


async def test_a_closed_socket_is_noticed_by_the_test_client(live_small):
    show = live_small.show(live_small.person("ada"))
    async with live_small.watching(show) as socket:
        await socket.send(b"x")
        with pytest.raises(Closed):
            await socket.next("never")
