"""The stage: everybody in one connection, in fixed places, muted and removed at the server."""

import asyncio
import contextlib
import itertools
import time

import pytest

from tests.media_node.show import ROOM, eventually, running
from tests.media_node.stagehands import LOUD, Company

pytestmark = pytest.mark.waits


@contextlib.asynccontextmanager
async def company(**options):
    async with running(**options) as show:
        people = Company(show)
        try:
            yield people
        finally:
            await people.end()


async def test_people_on_stage_see_and_hear_each_other_and_not_themselves():
    async with company() as people:
        await people.perform("ada", "host")
        await people.perform("ben")
        ada, ben = await people.watch("ada", "host"), await people.watch("ben", "guest")

        await ada.sees(ada.video_mids[1])
        await ben.sees(ben.video_mids[0])
        await ben.sees(ben.audio_mids[0])

        room = people.show.engine.rooms[ROOM]
        assert await ben.state() == {
            "v": room.stage.version,
            "table": "stage",
            "video": [
                {
                    "index": 0,
                    "mid": ben.video_mids[0],
                    "user": "ada",
                    "source": "camera",
                    "muted": False,
                    "layer": "high",
                    "width": 640,
                    "height": 360,
                }
            ],
            "audio": [{"index": 0, "mid": ben.audio_mids[0], "user": "ada", "muted": False}],
        }
        assert [ben.count(mid) for mid in (ben.video_mids[1], ben.audio_mids[1])] == [0, 0]
        assert [ada.count(mid) for mid in (ada.video_mids[0], ada.audio_mids[0])] == [0, 0]
        assert {p.payload for p in ben.by_mid[ben.audio_mids[0]].packets} == {b"sound of ada"}


async def test_a_host_who_watches_as_the_audience_does_sees_everybody_themselves_included():
    async with company() as people:
        await people.perform("ada", "host", layers=("l", "m", "h"))
        await people.perform("ben")
        alone = await people.watch("ada", "host", pictures=1, sounds=1)
        among = await people.watch("ada", "host", query="?as=audience")
        studio = await people.watch("ada", "host")

        await alone.sees(alone.video_mids[0])
        for mid in (among.video_mids[0], among.video_mids[2], *among.audio_mids[:2]):
            await among.sees(mid)
        await studio.sees(studio.video_mids[1])

        state = await among.state()
        assert state["table"] == "speakers"
        assert [row["user"] for row in state["video"]] == ["ada", "ben"]
        # A change of the role changes nothing: it is still the audience's picture.
        room = people.show.engine.rooms[ROOM]
        room.set_stage("ada", "host")
        assert (await among.state())["video"][0]["user"] == "ada"
        assert [studio.count(mid) for mid in (studio.video_mids[0], studio.audio_mids[0])] == [0, 0]


async def test_a_newcomer_appears_in_a_free_place_without_a_new_negotiation():
    async with company() as people:
        await people.perform("ada", "host")
        eve = await people.watch("eve", "guest", pictures=3)
        await eve.sees(eve.video_mids[0])

        await people.perform("ben")
        await eve.sees(eve.video_mids[1])

        assert [(row["index"], row["user"]) for row in (await eve.state())["video"]] == [(0, "ada"), (1, "ben")]


async def test_a_place_that_was_left_is_taken_by_the_next_and_the_stream_goes_on():
    async with company() as people:
        await people.perform("ada", "host")
        ben = await people.perform("ben")
        await people.perform("mo")
        cam = await people.watch("cam", "guest", pictures=4)
        for mid in cam.video_mids[:3]:
            await cam.sees(mid)
        await ben.leave()
        await eventually(lambda: people.show.engine.rooms[ROOM].stage.stage.rows[1] is None)
        await asyncio.sleep(0.3)  # packets in flight have arrived
        gone_at = len(cam.by_mid[cam.video_mids[1]].packets)

        await people.perform("dot")
        await cam.sees(cam.video_mids[1])

        rows = {row["index"]: row["user"] for row in (await cam.state())["video"]}
        before, after = cam.by_mid[cam.video_mids[1]].packets[gone_at - 1 : gone_at + 1]
        assert rows == {0: "ada", 1: "dot", 2: "mo"}
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert 0 < (after.timestamp - before.timestamp) & 0xFFFFFFFF < 20 * 90_000
        assert after.payload[5:6] == b"\x10", "a key frame"


async def test_a_screen_comes_and_goes_without_a_new_negotiation():
    async with company(silence_seconds=1.0) as people:
        ada = await people.perform("ada", "host", with_screen=True)
        ben = await people.watch("ben", pictures=3)
        await ben.sees(ben.video_mids[0])

        ada.layers["screen"].is_sent = True
        await ben.sees(ben.video_mids[1])
        assert [(r["index"], r["source"]) for r in (await ben.state())["video"]] == [(0, "camera"), (1, "screen")]

        ada.layers["screen"].is_sent = False
        await eventually(lambda: people.show.engine.rooms[ROOM].stage.speakers.rows[1] is None)
        assert [(r["index"], r["source"]) for r in (await ben.state())["video"]] == [(0, "camera")]


async def test_viewers_see_who_speaks_when_the_stage_is_larger_than_their_table():
    async with company(last_n=3) as people:
        await people.perform("ada", "host")
        guests = [await people.perform(name) for name in ("bo", "cy", "di")]
        ben = await people.watch("ben", pictures=3, sounds=4)
        stage = people.show.engine.rooms[ROOM].stage
        await eventually(lambda: None not in stage.speakers.rows)
        assert [name.user for name in stage.speakers.rows] == ["ada", "cy", "bo"]

        guests[2].level = LOUD
        await eventually(lambda: "di" in [name.user for name in stage.speakers.rows], seconds=4)
        guests[2].level = 127
        guests[0].level = guests[1].level = LOUD
        await eventually(lambda: "di" in [name.user for name in stage.speakers.rows])

        assert stage.speakers.rows[0].user == "ada"
        await asyncio.gather(*(ben.sees(mid) for mid in ben.audio_mids))


@pytest.mark.parametrize(("kind", "mid"), [("video", 3), ("audio", 0), ("screen", 4)])
async def test_a_mute_stops_every_packet_at_once_and_survives_a_reconnect(kind, mid):
    async with company() as people:
        ada = await people.perform("ada", "host", with_screen=True)
        ada.layers["screen"].is_sent = True
        ben = await people.watch("ben")
        mid = ben.client.sections[mid].mid
        await ben.sees(mid)
        path = f"/rooms/{ROOM}/participants/ada/mute"

        assert await people.show.control("POST", path, f'{{"kind": "{kind}", "muted": true}}') == (204, "")
        await asyncio.sleep(0.1)
        muted_at = time.monotonic()
        await asyncio.sleep(0.5)
        assert ben.by_mid[mid].since(muted_at) == []

        again = await people.perform("ada", "host", with_screen=True)
        again.layers["screen"].is_sent = True
        await asyncio.sleep(0.7)
        assert ben.by_mid[mid].since(muted_at) == []
        state = await ben.state()
        assert [row["muted"] for row in state["video"] + state["audio"] if row["mid"] == mid] == [True]
        assert (await people.show.control("GET", f"/rooms/{ROOM}"))[1]["mutes"] == {"ada": [kind]}

        await people.show.control("POST", path, f'{{"kind": "{kind}", "muted": false}}')
        await ben.sees(mid)


async def test_who_is_taken_off_the_stage_goes_on_watching_as_a_viewer():
    async with company() as people:
        await people.perform("ada", "host")
        ben_on_air = await people.perform("ben")
        ben, old = await people.watch("ben", "guest"), ben_on_air.token
        await ben.sees(ben.video_mids[0])

        path = f"/rooms/{ROOM}/participants/ben/publications"
        assert await people.show.control("DELETE", path) == (204, "")

        assert "ben" not in people.show.engine.rooms[ROOM].publishers
        assert (await ben.state())["table"] == "speakers"
        await ben.sees(ben.video_mids[0])
        status, _, body = await people.show.offer("whip", ben_on_air.client.offer(), token=old)
        assert (status, body["error"]["code"]) == (401, "media.bad_token")
        renewed = people.show.token("ben", stage="guest")
        assert (await people.show.offer("whip", ben_on_air.client.offer(), token=renewed))[0] == 201


async def test_who_is_brought_on_stage_sees_the_stage_at_once():
    async with company(last_n=1) as people:
        await people.perform("ada", "host")
        await people.perform("mo")
        ben = await people.watch("ben")
        await ben.sees(ben.video_mids[0])
        assert ben.count(ben.video_mids[1]) == 0

        path = f"/rooms/{ROOM}/participants/ben/stage"
        assert await people.show.control("POST", path, '{"stage": "guest"}') == (204, "")

        await ben.sees(ben.video_mids[1])
        assert (await ben.state())["table"] == "stage"
        sequences = [packet.sequence for packet in ben.by_mid[ben.video_mids[0]].packets]
        assert all((after - before) & 0xFFFF == 1 for before, after in itertools.pairwise(sequences))


async def test_who_is_removed_is_cut_off_within_a_second_and_nothing_he_saved_works():
    async with company() as people:
        await people.perform("ada", "host")
        mo_on_air = await people.perform("mo")
        mo = await people.watch("mo", "guest")
        ben = await people.watch("ben")
        await mo.sees(mo.video_mids[0])
        await ben.sees(ben.video_mids[2])
        saved = [people.show.token("mo", "publisher", stage="guest"), people.show.token("mo", "subscriber")]
        show = people.show

        assert await show.control("DELETE", f"/rooms/{ROOM}/participants/mo") == (204, "")
        out_at = time.monotonic()
        await asyncio.sleep(0.9)

        assert all(peer.user != "mo" for peer in show.engine.peers.values())
        # Earlier packets are still read for a moment, on a busy machine for a longer one.
        assert ben.by_mid[ben.video_mids[2]].since(out_at + 0.5) == []
        assert [mo.by_mid[mid].since(out_at + 0.5) for mid in mo.by_mid] == [[]] * 6
        for token in [mo_on_air.token, mo.token, *saved]:
            for protocol, client in (("whip", mo_on_air.client), ("whep", mo.client)):
                status, _, _ = await show.offer(protocol, client.offer(), token=token)
                assert status in (401, 403)
            for location in (mo_on_air.location, mo.location):
                for method, path in (("GET", ""), ("POST", "/layers"), ("DELETE", ""), ("PATCH", "")):
                    assert (await show.call(method, location + path, token=token))[0] in (401, 404, 405)


async def test_a_host_named_by_his_grant_is_the_host_whoever_came_first():
    async with company() as people:
        await people.perform("mo", "guest")
        await people.perform("ada", "host")
        room = people.show.engine.rooms[ROOM]

        assert room.host == "ada"
        assert [row and row.user for row in room.stage.stage.rows] == ["mo", "ada"]
        assert room.stage.speakers.rows[0].user == "ada"
        ben = await people.watch("ben", pictures=1, sounds=1)
        await ben.sees(ben.video_mids[0])
        assert (await ben.state())["table"] == "host"


async def test_a_guest_may_wait_on_stage_for_the_host():
    async with company() as people:
        mo = await people.watch("mo", "guest")
        await people.perform("ada", "host")

        await mo.sees(mo.video_mids[0])


async def test_a_stage_of_24_pictures_and_24_sounds_is_answered_and_filled():
    async with company() as people:
        names = [f"guest-{number}" for number in range(6)]
        for name in names:
            await people.perform(name, "host" if name == "guest-0" else "guest")
        ben = await people.watch("ben", "cohost", pictures=24, sounds=24)

        await asyncio.gather(*(ben.sees(mid) for mid in ben.video_mids[:6] + ben.audio_mids[:6]))

        assert [section.direction for section in ben.client.answered] == ["sendonly"] * 48
        firsts = [section.ssrcs[0] for section in ben.client.answered]
        assert len(set(firsts)) == 48
        assert [row["user"] for row in (await ben.state())["video"]] == names


async def test_sections_beyond_24_of_a_kind_are_kept_inactive():
    async with company() as people:
        await people.perform("ada", "host")
        ben = await people.watch("ben", "guest", pictures=25, sounds=25)

        directions = [section.direction for section in ben.client.answered]
        assert directions == (["sendonly"] * 24 + ["inactive"]) * 2
