"""Layers: each viewer is sent the one that they display and that their link carries, without a break."""

import asyncio
import itertools
import time

import pytest

from media_node.forwarding.bandwidth_estimate import DOUBT_SECONDS
from media_node.wire.picture_ids import picture_ids
from media_node.wire.rtcp import BitrateEstimate, bitrate_estimate, rtcp_parse
from tests.media_node.lossy import Bottleneck, lossy
from tests.media_node.plain_peers import Hall, Sender, Watching
from tests.media_node.show import ROOM, eventually
from tests.media_node.test_stage import company

pytestmark = pytest.mark.alone

THREE = ("l", "m", "h")


async def layer_of(viewer, index=0):
    return (await viewer.state())["video"][index]["layer"]


async def until_layer(viewer, layer, *, seconds=8.0):
    end = time.monotonic() + seconds
    while (got := await layer_of(viewer)) != layer:
        assert time.monotonic() < end, f"{got} and not {layer} after {seconds} s"
        await asyncio.sleep(0.05)


def assert_unbroken(packets):
    for before, after in itertools.pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        one, other = picture_ids(before.payload), picture_ids(after.payload)
        is_new = after.timestamp != before.timestamp
        assert (other.picture - one.picture) & 0x7FFF == int(is_new)
        assert (other.base - one.base) & 0xFF == int(is_new)


@pytest.mark.parametrize(("pictures", "sounds"), [(1, 1), (3, 3)])
async def test_a_viewer_gets_the_layer_that_he_asks_for_in_one_unbroken_stream(pictures, sounds):
    async with company() as people:
        await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben", pictures=pictures, sounds=sounds)
        mid = ben.video_mids[0]
        await ben.sees(mid)

        for quality in ("low", "medium", "high", "low"):
            assert await ben.ask(quality=quality) == 204
            await until_layer(ben, quality)
            await ben.sees(mid)

        row = (await ben.state())["video"][0]
        assert (row["layer"], row["width"], row["height"]) == ("low", 320, 180)
        assert_unbroken(ben.by_mid[mid].packets)


async def test_small_tiles_get_the_small_layer_and_hidden_ones_nothing_but_sound():
    async with company() as people:
        await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben")
        mid = ben.video_mids[0]
        await ben.ask(tiles={mid: {"width": 300, "height": 170}})
        await until_layer(ben, "low")
        await ben.ask(tiles={mid: {"width": 1280, "height": 720}})
        await until_layer(ben, "high")

        await ben.ask(tiles={mid: {"width": 300, "height": 170, "visible": False}})
        await until_layer(ben, None)
        await asyncio.sleep(0.1)
        hidden_at = time.monotonic()
        await ben.sees(ben.audio_mids[0])

        assert ben.by_mid[mid].since(hidden_at) == []
        await ben.ask(tiles={mid: {"width": 300, "height": 170}})
        await until_layer(ben, "low")


async def test_a_link_that_falls_to_a_third_gets_a_smaller_layer_and_later_the_large_one_again():
    neck = Bottleneck(1_500_000)
    async with company() as people, lossy(node_port=people.show.engine.udp.port, to_party=neck) as proxy:
        await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben", reroute=proxy.reroute)
        await until_layer(ben, "high")
        await asyncio.sleep(1.0)

        neck.bits_per_second = 500_000
        fell_at = time.monotonic()
        while await layer_of(ben) == "high":
            await asyncio.sleep(0.05)
        assert time.monotonic() - fell_at < 3.0

        neck.bits_per_second = 1_500_000
        await until_layer(ben, "high", seconds=10.0)


async def test_sound_goes_on_when_the_link_carries_no_picture():
    neck = Bottleneck(1_500_000)
    async with company() as people, lossy(node_port=people.show.engine.udp.port, to_party=neck) as proxy:
        await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben", reroute=proxy.reroute)
        await until_layer(ben, "high")

        neck.bits_per_second = 60_000
        await until_layer(ben, None)
        dark_at = time.monotonic()
        await asyncio.sleep(3.0)

        # A small layer is tried again meanwhile, which costs some of the 75 packets of audio.
        assert len(ben.by_mid[ben.audio_mids[0]].since(dark_at)) > 40


def test_an_estimate_alone_takes_the_picture_away_only_when_it_goes_on():
    hall = Hall()
    ada = Sender(hall, layers=THREE, name="ada", start=1)
    for layer in THREE:
        ada.send(layer, is_key=True)
    ben = Watching(hall, "ben")
    ben.peer.request_layers({"quality": "low"})
    for layer in THREE:
        ada.send(layer, is_key=True)
    (feed,), began_at = ben.peer.feeds, hall.now
    feed.encoding.rate = 100_000.0  # an estimate without media says nothing
    tell = bitrate_estimate(ssrc=1, bits_per_second=1000, ssrcs=[1])

    shown = []
    while hall.now < began_at + DOUBT_SECONDS + 2.0:
        hall.now += 0.5
        for layer in THREE:
            ada.send(layer, is_key=False)
        ben.peer.receive_rtcp(tell, now=hall.now)
        shown.append(feed.encoding is not None)

    # The first of them starts the period of doubt.
    assert shown == [True] * int(DOUBT_SECONDS / 0.5) + [False] * 4


async def test_a_layer_that_the_publisher_switches_off_is_not_waited_for():
    async with company() as people:
        ada = await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben")
        await until_layer(ben, "high")

        ada.layers["h"].is_sent = False
        await until_layer(ben, "medium", seconds=4.0)
        ada.layers["h"].is_sent = True
        ada.layers["h"].is_key_due = True
        await until_layer(ben, "high", seconds=4.0)

        assert_unbroken(ben.by_mid[ben.video_mids[0]].packets)


async def test_two_layers_are_a_low_and_a_high_one():
    async with company() as people:
        await people.perform("ada", "host", layers=("h", "l"))
        ben = await people.watch("ben")
        await until_layer(ben, "high")

        await ben.ask(quality="low")

        await until_layer(ben, "low")


async def test_a_mute_holds_for_every_layer():
    async with company() as people:
        await people.perform("ada", "host", layers=THREE)
        ben = await people.watch("ben")
        await until_layer(ben, "high")

        await people.show.control("POST", f"/rooms/{ROOM}/participants/ada/mute", '{"kind": "video", "muted": true}')
        await asyncio.sleep(0.1)
        muted_at = time.monotonic()
        for quality in ("low", "medium", "high"):
            await ben.ask(quality=quality)
            await asyncio.sleep(0.3)

        assert ben.by_mid[ben.video_mids[0]].since(muted_at) == []


async def test_a_host_who_begins_to_send_layers_brings_his_viewers_back():
    async with company() as people:
        await people.perform("ada", "host")
        ben = await people.watch("ben", pictures=1, sounds=1)
        await ben.sees(ben.video_mids[0])

        await people.perform("ada", "host", layers=THREE)
        await eventually(lambda: not people.show.engine.rooms[ROOM].viewers)
        again = await people.watch("ben", pictures=1, sounds=1)
        await until_layer(again, "high")

        await people.perform("ada", "host")
        await again.sees(again.video_mids[0], more=30)
        assert len(people.show.engine.rooms[ROOM].viewers) == 1


async def test_a_publisher_is_told_that_all_layers_are_welcome_before_their_sources_are_known():
    async with company() as people:
        client = await people.show.synthetic("publisher", "ada", layers=THREE)
        items = []
        end = time.monotonic() + 3.0
        while not items and time.monotonic() < end:
            items += [item for data in client.receive() for item in rtcp_parse(client.decrypt(data))]
            await asyncio.sleep(0.02)

        assert [item.ssrcs for item in items if isinstance(item, BitrateEstimate)] == [()]


async def test_what_a_layer_loses_comes_again_from_a_source_known_only_by_the_name_of_what_it_repairs():
    async with company() as people:
        ada = await people.perform("ada", "host", layers=THREE, with_repair=True)
        viewers = {}
        for quality in ("low", "medium", "high"):
            viewers[quality] = await people.watch(quality)
            await viewers[quality].ask(quality=quality)
            await until_layer(viewers[quality], quality)
        since = time.monotonic()

        ada.loses = 12
        await asyncio.sleep(3.0)
        ada.loses = 0
        await asyncio.sleep(0.5)

        camera = people.show.publisher().track("camera")
        assert {layer.rid: layer.repair_ssrc for layer in camera.encodings} == {
            rid: layer.repair_ssrc for rid, layer in ada.layers.items()
        }
        for viewer in viewers.values():
            packets = viewer.by_mid[viewer.video_mids[0]].since(since)
            before = packets[0].sequence - 1000  # repeated packets may come first
            assert len(packets) > 60
            assert_unbroken(sorted(packets, key=lambda packet: (packet.sequence - before) & 0xFFFF))
        assert [layer.lost for layer in ada.layers.values()] == [{}, {}, {}]
        assert [layer.repair_sequence > 3 for layer in ada.layers.values()] == [True, True, True]
