"""Publisher to viewers through a real node on a real UDP port, with aiortc at both ends."""

import asyncio

import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack

from tests.media_node.lossy import EveryNth, lossy
from tests.media_node.show import ROOM, eventually, running

pytestmark = pytest.mark.waits


async def test_a_viewer_decodes_moving_pictures_and_sound():
    async with running() as show:
        await show.publish("ada")

        ben = await show.watch("ben")
        await ben.sees(20)

        assert ben.audio_frames > 10
        assert max(ben.brightness) - min(ben.brightness) < 40
        assert sum(ben.brightness[-10:]) / 10 > 150


async def test_h264_is_forwarded_to_viewers_who_can_decode_it():
    async with running() as show:
        await show.publish("ada", codec="video/H264")

        ben = await show.watch("ben")
        await ben.sees(10)

        assert "H264/90000" in ben.answer
        assert "VP8" not in ben.answer


async def test_every_viewer_of_a_room_gets_the_same_stream():
    async with running() as show:
        await show.publish("ada")

        viewers = [await show.watch(f"ben-{number}") for number in range(3)]
        await asyncio.gather(*(viewer.sees(10) for viewer in viewers))

        sources = {
            line
            for viewer in viewers
            for line in viewer.answer.split("\r\n")
            if line.startswith("a=ssrc:") and "cname" in line
        }
        assert len(sources) == 3, "audio, video, retransmission; the same for all"


async def test_viewers_go_on_when_the_publisher_is_replaced():
    async with running() as show:
        first = await show.publish("ada", shade=200)
        ben = await show.watch("ben")
        await ben.sees(10)
        resource = show.publisher().resource

        await show.publish("ada", shade=60)
        await eventually(lambda: show.publisher().resource != resource)
        await ben.sees(20)

        assert ben.brightness[-1] < 100, "the new picture"
        assert ben.connection.connectionState == "connected"
        await first.close()
        await ben.sees(10)


async def test_viewers_go_on_when_the_publisher_comes_back_after_an_absence():
    async with running() as show:
        first = await show.publish("ada")
        ben = await show.watch("ben")
        await ben.sees(10)
        await first.close()
        await eventually(lambda: show.publisher() is None)
        await asyncio.sleep(1.0)

        await show.publish("ada", shade=60)

        await ben.sees(20)
        assert ben.brightness[-1] < 100


async def test_another_codec_lets_the_viewers_go_so_that_they_join_again():
    async with running() as show:
        await show.publish("ada", codec="video/VP8")
        ben = await show.watch("ben")
        await ben.sees(5)

        await show.publish("ada", codec="video/H264")
        await eventually(lambda: not show.engine.rooms[ROOM].viewers)

        again = await show.watch("ben")
        await again.sees(5)


async def test_loss_towards_a_viewer_is_repaired_by_retransmission():
    drop = EveryNth(12)
    async with running() as show, lossy(node_port=show.engine.udp.port, to_party=drop) as proxy:
        await show.publish("ada")

        ben = await show.watch("ben", reroute=proxy.reroute)
        await ben.sees(60, seconds=20)

        stats = show.engine.stats
        assert drop.dropped > 5
        assert stats.nacks_received > 0
        assert stats.retransmissions_sent > 0


async def test_loss_from_the_publisher_is_asked_for_and_repaired():
    drop = EveryNth(12)
    async with running() as show, lossy(node_port=show.engine.udp.port, to_node=drop) as proxy:
        await show.publish("ada", reroute=proxy.reroute)

        ben = await show.watch("ben")
        await ben.sees(60, seconds=20)

        stats = show.engine.stats
        assert drop.dropped > 5
        assert stats.nacks_sent > 0
        assert stats.retransmissions_received > 0


async def test_a_muted_publisher_is_not_forwarded_until_unmuted():
    async with running() as show:
        await show.publish("ada")
        ben = await show.watch("ben")
        await ben.sees(10)
        path = f"/rooms/{ROOM}/participants/ada/mute"

        assert await show.control("POST", path, '{"kind": "video", "muted": true}') == (204, "")
        await asyncio.sleep(0.5)
        muted_at, heard_at = ben.frames, ben.audio_frames
        await asyncio.sleep(0.7)

        assert ben.frames == muted_at
        assert ben.audio_frames > heard_at
        assert await show.control("POST", path, '{"kind": "video", "muted": false}') == (204, "")
        await ben.sees(10)


async def test_nothing_is_left_after_everybody_has_gone():
    async with running() as show:
        ada = await show.publish("ada")
        viewers = [await show.watch(f"ben-{number}") for number in range(3)]
        await asyncio.gather(*(viewer.sees(3) for viewer in viewers))

        for viewer in viewers:
            await viewer.connection.close()
        await ada.close()
        engine = show.engine
        await eventually(lambda: not engine.rooms)

        assert (engine.peers, engine.udp.by_address, engine.udp.by_ufrag) == ({}, {}, {})
        gauges = {key: value for key, _, value in engine.gauges()}
        assert (gauges["publishers"], gauges["viewers"], gauges["handshaking"]) == (0, 0, 0)
        assert not engine._peers_by_user


async def test_a_publisher_of_sound_alone_can_be_heard():
    async with running() as show:
        connection = RTCPeerConnection()
        connection.addTrack(AudioStreamTrack())
        await show._negotiate(connection, "whip", show.token("ada"), str)
        await eventually(lambda: ROOM in show.engine.rooms and show.engine.rooms[ROOM].is_live)

        ben = await show.watch("ben")
        await eventually(lambda: ben.audio_frames > 10)

        assert "a=inactive" in ben.answer
        await connection.close()


@pytest.mark.parametrize("who", ["ada", "ben"])
async def test_a_removed_user_is_cut_off_and_his_old_token_refused(who):
    async with running() as show:
        await show.publish("ada")
        ben = await show.watch("ben")
        await ben.sees(5)
        role = "publisher" if who == "ada" else "subscriber"
        old = show.token(who, role)

        assert await show.control("DELETE", f"/rooms/{ROOM}/participants/{who}") == (204, "")

        assert all(peer.user != who for peer in show.engine.peers.values())
        seen = ben.frames
        await asyncio.sleep(0.5)
        assert ben.frames - seen <= 2
        protocol = "whip" if who == "ada" else "whep"
        status, _, body = await show.offer(protocol, "v=0\r\n", token=old)
        assert (status, body["error"]["code"]) == (401, "media.bad_token")
