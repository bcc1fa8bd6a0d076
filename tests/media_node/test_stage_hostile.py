"""Hostile input to a stage: foreign resources, foreign tokens, floods and false reports."""

import asyncio
import json
import time

import pytest

from bench.media.client import LEVEL_NUMBER, MID_NUMBER, RID_NUMBER, MediaClient, extended
from media_node.wire.rtcp import ReportBlock, bitrate_estimate, nack, picture_loss, receiver_report
from media_node.wire.rtp import rtp_build
from tests.media_node.show import ROOM, eventually
from tests.media_node.test_simulcast import until_layer
from tests.media_node.test_stage import company

pytestmark = pytest.mark.waits


async def test_what_somebody_receives_is_told_to_nobody_else():
    async with company() as people:
        ada = await people.perform("ada", "host")
        ben = await people.watch("ben")
        show = people.show
        eve, elsewhere = show.token("eve", "subscriber"), show.token("ben", "subscriber", session="another")
        revoked = show.token("ben", "subscriber", age=700)

        for method, path in (("GET", ""), ("POST", "/layers")):
            for token, expected in ((None, 401), ("x", 401), (revoked, 401), (eve, 404), (elsewhere, 404)):
                status, _, body = await show.call(method, ben.location + path, token=token, body=b"{}")
                guessed, _, same = await show.call(method, f"/whep/{ROOM}/guess{path}", token=token, body=b"{}")
                assert (status, body) == (guessed, same)
                assert status == expected
            crossed = ada.location.replace("/whip/", "/whep/") + path
            assert (await show.call(method, crossed, token=ada.token, body=b"{}"))[0] == 404
            assert (await show.call(method, ada.location + path, token=ada.token, body=b"{}"))[0] in (404, 405)
        assert (await show.call("GET", ben.location, token=show.token("ben", "subscriber")))[0] == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid")),
        (b"[]", (400, "invalid")),
        (b"null", (400, "invalid")),
        (b"{", (400, "invalid")),
        (b"\xff\xfe", (400, "media.bad_offer")),
        (b'{"quality": NaN}', (400, "invalid")),
        (b'{"tiles": {"99": {}}}', (400, "invalid")),
        (b'{"tiles": {"3": {"width": 1e999}}}', (400, "invalid")),
        (b"[" * 10_000, (400, "invalid")),
        (b'{"x": "' + b"y" * 20_000 + b'"}', (413, "media.too_large")),
    ],
)
async def test_layer_requests_that_cannot_be_read_are_refused_and_change_nothing(body, expected):
    async with company() as people:
        await people.perform("ada", "host")
        ben = await people.watch("ben")

        status, _, answer = await people.show.call("POST", ben.location + "/layers", token=ben.token, body=body)

        assert (status, answer["error"]["code"]) == expected
        await ben.sees(ben.video_mids[0])
        assert people.show.engine.stats.errors == 0


async def test_layer_requests_come_at_most_five_a_second():
    async with company() as people:
        await people.perform("ada", "host")
        ben, mo = await people.watch("ben"), await people.watch("mo")

        statuses = [await ben.ask(quality="low") for _ in range(12)]

        assert statuses[:5] == [204] * 5
        assert 429 in statuses
        assert await mo.ask(quality="low") == 204


async def test_a_grant_for_sound_alone_sends_no_picture_whatever_is_offered():
    async with company() as people:
        await people.perform("ada", "host")
        mo = await people.perform("mo", sources=("audio",), with_screen=True)
        mo.layers["screen"].is_sent = True
        ben = await people.watch("ben")
        await ben.sees(ben.audio_mids[1])
        await asyncio.sleep(0.3)

        assert [row["user"] for row in (await ben.state())["video"]] == ["ada"]
        assert [ben.count(mid) for mid in ben.video_mids[1:]] == [0, 0]


async def test_names_and_levels_that_lie_bring_nothing_down():
    async with company() as people:
        await people.perform("ada", "host", layers=("l", "m", "h"))
        client = await people.show.synthetic("publisher", "eve", layers=("l", "m", "h"))
        ben = await people.watch("ben", pictures=4)
        for number in range(300):
            packet = rtp_build(
                marker=128,
                payload_type=(96, 111, 97, 5)[number % 4],
                sequence=number,
                timestamp=number * 7,
                ssrc=number % 23 + 1,
                payload=b"\x90\x80\x10\x10"[: number % 5] * (number % 3),
            )
            marks = {
                MID_NUMBER: (b"1", b"0", b"9", b"\xff" * 16)[number % 4],
                RID_NUMBER: (b"l", b"h", b"nobody", b"m")[number % 4],
                LEVEL_NUMBER: bytes((number % 256,)),
            }
            client.send_rtp(extended(packet, marks))
            await asyncio.sleep(0.001)

        await ben.sees(ben.video_mids[0])
        assert people.show.engine.stats.errors == 0


async def test_feedback_that_lies_harms_only_its_sender():
    async with company() as people:
        await people.perform("ada", "host", layers=("l", "m", "h"))
        eve, ben = await people.watch("eve"), await people.watch("ben")
        await ben.sees(ben.video_mids[0])
        await eve.sees(eve.video_mids[0])
        sources = [section.ssrcs[0] for section in eve.client.answered]
        # Also the packets sent to her before that.
        lost = [*range(0, 400, 17), *(packet.sequence for packet in eve.by_mid[eve.video_mids[0]].packets[-10:])]

        for _ in range(60):
            for ssrc in sources:
                eve.client.send_rtcp(nack(ssrc=eve.client.own_ssrc, media_ssrc=ssrc, sequences=lost))
                eve.client.send_rtcp(picture_loss(ssrc=eve.client.own_ssrc, media_ssrc=ssrc))
            blocks = [ReportBlock(ssrc, 255, 0, 0, 0) for ssrc in sources]
            eve.client.send_rtcp(receiver_report(ssrc=eve.client.own_ssrc, blocks=blocks))
            eve.client.send_rtcp(bitrate_estimate(ssrc=eve.client.own_ssrc, bits_per_second=0, ssrcs=sources))
        await asyncio.sleep(0.5)

        await until_layer(ben, "high")
        await ben.sees(ben.video_mids[0])
        stats = people.show.engine.stats
        assert stats.errors == 0
        assert stats.keyframe_requests_sent < 20
        assert 0 < eve.repeats <= stats.retransmissions_sent


async def test_a_crowd_that_joins_and_leaves_a_stage_leaves_nothing():
    async with company() as people:
        await people.perform("ada", "host")
        engine = people.show.engine
        for number in range(8):
            ben = await people.watch(f"ben-{number}", "guest" if number % 2 else "", pictures=9, sounds=9)
            await people.show.call("DELETE", ben.location, token=ben.token)
        room = engine.rooms[ROOM]

        assert room.viewers == set()
        assert [len(slot) for slot in room.stage.audio_slots] == [0] * len(room.stage.audio_slots)
        camera = room.publishers["ada"].track("camera").encodings[0]
        assert (len(camera.fanout), camera.fanout.is_awaited) == (0, False)


async def test_a_stage_without_anybody_is_forgotten():
    async with company() as people:
        mo = await people.watch("mo", "guest")
        await people.show.call("DELETE", mo.location, token=mo.token)

        assert people.show.engine.rooms == {}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"stage": "owner"}', '{"stage": 5}', '{"stage": ["host"]}'])
async def test_a_place_on_stage_that_does_not_exist_is_refused(body):
    async with company() as people:
        path = f"/rooms/{ROOM}/participants/ada/stage"
        status, answer = await people.show.control("POST", path, body)

        assert (status, answer["error"]["code"]) == (400, "invalid")


async def test_the_controls_of_a_stage_need_their_own_token():
    async with company() as people:
        show = people.show
        for method, path in (("POST", "stage"), ("DELETE", "publications")):
            for token in (None, "x", show.token()):
                status, _, body = await show.call(method, f"/rooms/{ROOM}/participants/ada/{path}", token=token)
                assert (status, body["error"]["code"]) == (401, "media.bad_token")


async def test_grants_issued_after_a_change_of_role_are_believed_and_older_ones_are_not():
    async with company() as people:
        await people.perform("ada", "host")
        show = people.show
        old = show.token("mo", "subscriber", stage="guest")
        await show.control("POST", f"/rooms/{ROOM}/participants/mo/stage", '{"stage": ""}')
        new = show.token("mo", "subscriber", stage="cohost")
        tables = []
        for token in (old, new):
            client = MediaClient("viewer", pictures=2, sounds=2)
            _, headers, _ = await show.offer("whep", client.offer(), token=token)
            tables.append((await show.call("GET", headers["Location"], token=token))[2]["table"])
            client.close()

        assert tables == ["speakers", "stage"]


@pytest.mark.alone
async def test_an_offer_of_a_whole_stage_from_a_browser_fits():
    async with company() as people:
        await people.perform("ada", "host")
        client = MediaClient("viewer", pictures=24, sounds=24)
        padded = client.offer().replace("a=rtcp-mux", "a=rtcp-mux\r\n" + "\r\n".join(["a=rtcp-fb:45 nack pli"] * 110))
        assert 120_000 < len(padded) < 256 * 1024

        started = time.monotonic()
        status, headers, _ = await people.show.offer("whep", padded, token=people.show.token("ben", "subscriber"))

        assert status == 201
        assert time.monotonic() - started < 2.0
        token = people.show.token("ben", "subscriber")
        body = json.dumps({"tiles": {str(mid): {"width": 64, "height": 36} for mid in range(24, 48)}})
        assert (await people.show.call("POST", headers["Location"] + "/layers", token=token, body=body))[0] == 204
        await eventually(lambda: people.show.engine.stats.errors == 0)
        client.close()
