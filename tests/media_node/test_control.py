"""The control API, health and metrics."""

import pytest

from bench.media.client import MediaClient
from media_node.grants import control_sign
from tests.media_node.show import ROOM, SECRET, eventually, running
from tests.media_node.test_whip import send_key_frame

pytestmark = pytest.mark.waits


async def test_rooms_are_listed_with_who_is_in_them():
    async with running() as show:
        assert await show.control("GET", "/rooms") == (200, {"node": "local", "epoch": show.engine.epoch, "rooms": {}})
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        await show.synthetic("viewer", "ben")

        status, room = await show.control("GET", f"/rooms/{ROOM}")

        publisher = show.publisher()
        since = room["publishers"][0].pop("since")
        assert status == 200
        assert since.endswith("+00:00")
        assert room == {
            "subscribers": 1,
            "mutes": {},
            "slots": {
                "v": show.engine.rooms[ROOM].stage.version,
                "epoch": show.engine.epoch,
                "stage": [{"index": 0, "user": "ada", "source": "camera"}],
                "speakers": [{"index": 0, "user": "ada", "source": "camera"}],
                "audio": [],
            },
            "publishers": [
                {
                    "user": "ada",
                    "resource": publisher.resource,
                    "connected": True,
                    "oversize": 0,
                    "tracks": [
                        {
                            "kind": "audio",
                            "source": "audio",
                            "codec": "opus/48000/2",
                            "packets": 0,
                            "bytes": 0,
                            "layers": 1,
                        },
                        {
                            "kind": "video",
                            "source": "camera",
                            "codec": "VP8/90000",
                            "packets": 1,
                            "bytes": 3,
                            "layers": 1,
                        },
                    ],
                }
            ],
        }
        assert (await show.control("GET", "/rooms/another"))[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/rooms"),
        ("GET", f"/rooms/{ROOM}"),
        ("DELETE", f"/rooms/{ROOM}"),
        ("DELETE", f"/rooms/{ROOM}/participants/ada"),
        ("POST", f"/rooms/{ROOM}/participants/ada/mute"),
    ],
)
async def test_control_needs_its_own_token(method, path):
    async with running() as show:
        for token in (None, "x", show.token(), control_sign(secret=SECRET, node="another")):
            status, _, body = await show.call(method, path, token=token)

            assert (status, body["error"]["code"]) == (401, "media.bad_token")


async def test_ending_a_room_puts_everybody_out_and_voids_the_grants():
    async with running() as show:
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        ben = await show.synthetic("viewer", "ben")
        old = show.token("ada")

        assert await show.control("DELETE", f"/rooms/{ROOM}") == (204, "")

        assert show.engine.rooms == show.engine.peers == show.engine.udp.by_address == {}
        for party in (ada, ben):
            await eventually(lambda party=party: bool(party.receive()) or party.is_over)
        assert (await show.offer("whip", ada.offer(), token=old))[0] == 401
        assert (await show.offer("whip", ada.offer(), token=show.token("ada")))[0] == 201


async def test_grants_are_voided_in_rooms_that_nobody_has_entered():
    async with running() as show:
        old = show.token("ada")

        assert await show.control("DELETE", f"/rooms/{ROOM}") == (204, "")

        client = MediaClient("publisher")
        assert (await show.offer("whip", client.offer(), token=old))[0] == 401
        client.close()


async def test_a_goodbye_is_sent_to_who_is_removed():
    async with running() as show:
        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: show.engine.rooms[ROOM].is_live)

        await show.control("DELETE", f"/rooms/{ROOM}/participants/ada")

        await eventually(lambda: ada.receive() is not None and ada.is_over)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"kind": "video"}',
        '{"kind": "smell", "muted": true}',
        '{"kind": "video", "muted": 1}',
        "[" * 5000,
    ],
)
async def test_a_mute_that_says_nothing_is_refused(body):
    async with running() as show:
        status, answer = await show.control("POST", f"/rooms/{ROOM}/participants/ada/mute", body)

        assert (status, answer["error"]["code"]) == (400, "invalid")


async def test_a_mute_holds_when_the_publisher_comes_again():
    async with running() as show:
        path = f"/rooms/{ROOM}/participants/ada/mute"
        assert await show.control("POST", path, '{"kind": "video", "muted": true}') == (204, "")

        ada = await show.synthetic("publisher", "ada")
        await send_key_frame(ada)
        await eventually(lambda: show.engine.rooms[ROOM].is_live)

        assert [any(each.slots for each in track.encodings) for track in show.publisher().tracks] == [True, False]


async def test_health_and_metrics_are_open():
    async with running() as show:
        status, _, health = await show.call("GET", "/health")
        metrics_status, headers, metrics = await show.call("GET", "/metrics")

        assert (status, health["status"], health["rooms"], health["peers"]) == (200, "ok", 0, 0)
        assert metrics_status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert 'livestream_media_packets_sent_total{node="local"} 0' in metrics
        assert 'livestream_media_viewers{node="local"} 0' in metrics
