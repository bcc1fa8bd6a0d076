"""Hostile input: garbage on UDP and HTTP, and publishers who break the rules."""

import asyncio
import itertools
import logging
import os
import random
import socket
import struct
import time

import pytest

from bench.media.client import MediaClient
from media_node.config import Limits
from media_node.rooms.publisher import Publisher
from media_node.rooms.viewer import FEEDBACK_BUDGET, FEEDBACK_PER_SECTION, RESEND_BURST_BYTES, Viewer
from media_node.wire.rtcp import ReportBlock, bitrate_estimate, nack, picture_loss, receiver_report
from media_node.wire.rtp import rtp_build, rtp_parse
from media_node.wire.stun import BINDING_REQUEST, USERNAME, stun_build
from tests.media_node.show import ROOM, eventually, running

pytestmark = pytest.mark.waits

KEY, DELTA = b"\x10\x10key", b"\x10\x11delta"


def video(client, *, sequence, payload=KEY, timestamp=0, ssrc=None, payload_type=96):
    return rtp_build(
        marker=128,
        payload_type=payload_type,
        sequence=sequence & 0xFFFF,
        timestamp=timestamp,
        ssrc=client.video_ssrc if ssrc is None else ssrc,
        payload=payload,
    )


async def on_air(show, **options):
    ada = await show.synthetic("publisher", "ada", **options)
    ada.send_rtp(video(ada, sequence=1))
    await eventually(lambda: show.engine.rooms[ROOM].is_live)
    return ada


async def received(viewer, count, *, seconds=3.0):
    packets = []
    end = time.monotonic() + seconds
    while len(packets) < count and time.monotonic() < end:
        for data in viewer.receive():
            if not 192 <= data[1] <= 223:
                packets.append(rtp_parse(viewer.decrypt(data)))
        await asyncio.sleep(0.01)
    return packets


async def joined(show, ada, *, sequence=2):
    """Connect a viewer who has received a key frame."""
    ben = await show.synthetic("viewer", "ben")
    await eventually(lambda: len(show.engine.rooms[ROOM].slots["video"]) == 1)
    ada.send_rtp(video(ada, sequence=sequence))
    assert len(await received(ben, 1)) == 1
    return ben


async def test_a_storm_of_garbage_changes_nothing_and_is_not_logged(caplog):
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        caplog.clear()
        caplog.set_level(logging.DEBUG, logger="media_node")
        generator = random.Random(1)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address = ("127.0.0.1", show.engine.udp.port)

        for number in range(5000):
            stranger.sendto(generator.randbytes(generator.randrange(0, 200)), address)
            if number % 500 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)

        assert [record for record in caplog.records if record.name.startswith("media_node")] == []
        assert len(show.engine.udp.by_address) == 2
        assert show.engine.stats.errors == 0
        ada.send_rtp(video(ada, sequence=3, payload=DELTA))
        assert [packet.payload for packet in await received(ben, 1)] == [DELTA]
        stranger.close()


async def test_garbage_from_a_known_address_ends_neither_peer_nor_node():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        generator = random.Random(2)

        for first in (0, 1, 20, 22, 23, 63, 64, 127, 128, 191, 192, 255):
            for size in (0, 1, 2, 7, 11, 12, 13, 40, 1500):
                for party in (ada, ben):
                    party.transmit(bytes([first]) + generator.randbytes(size))
        for first in range(0x80, 0xC0):
            ada.transmit(bytes([first, 200]) + generator.randbytes(60))
            ada.send_rtcp(
                bytes([first, generator.choice([200, 201, 203, 205, 206])])
                + struct.pack("!H", generator.randrange(40))
                + generator.randbytes(60)
            )
        await asyncio.sleep(0.2)

        assert show.engine.stats.errors == 0
        ada.send_rtp(video(ada, sequence=3, payload=DELTA))
        assert [packet.payload for packet in await received(ben, 1)] == [DELTA]


async def test_a_check_without_the_password_moves_nobody():
    async with running() as show:
        ada = await on_air(show)
        peer = show.publisher()
        before = (peer.address, list(peer.addresses))
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.setblocking(False)

        for key in (None, b"guess"):
            stranger.sendto(
                stun_build(
                    type=BINDING_REQUEST,
                    transaction=os.urandom(12),
                    key=key,
                    attributes=[(USERNAME, f"{peer.ufrag}:{ada.ufrag}".encode()), (0x25, b"")],
                ),
                ("127.0.0.1", show.engine.udp.port),
            )
        await asyncio.sleep(0.2)

        assert (peer.address, peer.addresses) == before
        try:
            assert stranger.recv(2048) == b"no answer to strangers"
        except BlockingIOError:
            stranger.close()


async def test_a_publisher_who_changes_networks_is_followed():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        ada.socket.close()
        ada.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ada.socket.bind(("127.0.0.1", 0))
        ada.socket.setblocking(False)

        ada.check()
        await eventually(lambda: show.publisher().address == ada.socket.getsockname())
        ada.send_rtp(video(ada, sequence=3, payload=DELTA))

        assert [packet.payload for packet in await received(ben, 1)] == [DELTA]


async def test_a_flood_of_sources_is_not_decrypted():
    async with running() as show:
        ada = await on_air(show)

        for ssrc in range(1, 200):
            ada.send_rtp(video(ada, sequence=5, ssrc=ssrc))
        await asyncio.sleep(0.3)

        assert len(show.publisher()._sources) == 16
        assert show.engine.stats.packets_received == 16


async def test_a_publisher_who_floods_is_held_to_his_budget(monkeypatch):
    monkeypatch.setattr("media_node.rooms.publisher.PACKET_BUDGET", 30)
    async with running() as show:
        ada = await on_air(show)
        publisher, stats = show.publisher(), show.engine.stats
        publisher.report = lambda now: None  # skip the node's own second; the next one is begun below
        Publisher.report(publisher, 1.0)
        before = stats.packets_received

        for sequence in range(2, 52):
            ada.send_rtp(video(ada, sequence=sequence, payload=DELTA))
        await eventually(lambda: stats.packets_received + stats.packets_over_budget == before + 50)

        assert (stats.packets_received - before, stats.packets_over_budget) == (30, 20)
        Publisher.report(publisher, 2.0)
        ada.send_rtp(video(ada, sequence=52, payload=DELTA))
        await eventually(lambda: stats.packets_received == before + 31)


@pytest.mark.parametrize(("lost", "is_repaired"), [(200, True), (201, False)])
async def test_a_loss_too_wide_to_repair_asks_for_a_key_frame_instead(lost, is_repaired):
    async with running() as show:
        ada = await on_air(show)
        await joined(show, ada)
        stats, encoding = show.engine.stats, show.publisher().track("camera").encodings[0]
        await eventually(lambda: not encoding._keyframe_due)
        asked, nacked = stats.keyframe_requests_sent, stats.nacks_sent

        ada.send_rtp(video(ada, sequence=3 + lost, payload=DELTA))

        if is_repaired:
            await eventually(lambda: stats.nacks_sent - nacked >= 200)
            assert stats.keyframe_requests_sent == asked
        else:
            await eventually(lambda: stats.keyframe_requests_sent == asked + 1)
            assert (encoding.reception.tracker.missing, stats.nacks_sent) == ({}, nacked)


async def test_padding_probes_leave_no_gap_in_what_viewers_get():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)

        ada.send_rtp(b"\xa0" + video(ada, sequence=3, payload=b"\0\0\0\x04")[1:])
        ada.send_rtp(video(ada, sequence=4, payload=DELTA))

        packets = await received(ben, 2)
        assert [packet.payload for packet in packets] == [b"", DELTA]
        assert (packets[1].sequence - packets[0].sequence) & 0xFFFF == 1


async def test_retransmissions_nobody_asked_for_are_not_sent_twice():
    async with running() as show:
        ada = await on_air(show, with_repair=True)
        ben = await joined(show, ada)

        for number in range(5):
            payload = b"\x00\x02" + KEY if number % 2 else b""
            ada.send_rtp(video(ada, sequence=number, payload=payload, ssrc=ada.repair_ssrc, payload_type=97))
        ada.send_rtp(video(ada, sequence=3, payload=DELTA))

        assert [packet.payload for packet in await received(ben, 2, seconds=1.0)] == [DELTA]


async def test_viewers_follow_over_the_wrap_of_the_sequence():
    async with running() as show:
        ada = await show.synthetic("publisher", "ada")
        ada.send_rtp(video(ada, sequence=65500))
        await eventually(lambda: show.engine.rooms[ROOM].is_live)
        ben = await joined(show, ada, sequence=65501)

        for sequence in range(65502, 65602):
            ada.send_rtp(video(ada, sequence=sequence, payload=DELTA + struct.pack("!I", sequence)))
        packets = await received(ben, 100)

        steps = {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)}
        assert (len(packets), steps) == (100, {1})


async def test_a_viewers_feedback_is_limited(monkeypatch):
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        slot, stats = show.engine.rooms[ROOM].slots["video"], show.engine.stats
        viewer = next(iter(show.engine.rooms[ROOM].viewers))
        monkeypatch.setattr(Viewer, "refill", lambda viewer: None)  # all of it within one second
        budget, read, asked = viewer._feedback_left, stats.nacks_received, stats.keyframe_requests_sent
        datagrams = stats.datagrams_received

        for _ in range(150):
            ben.send_rtcp(nack(ssrc=ben.own_ssrc, media_ssrc=slot.ssrc, sequences=[7]))
            ben.send_rtcp(picture_loss(ssrc=ben.own_ssrc, media_ssrc=slot.ssrc))
        ben.send_rtcp(bitrate_estimate(ssrc=ben.own_ssrc, bits_per_second=1, ssrcs=[slot.ssrc]))
        await eventually(lambda: stats.datagrams_received >= datagrams + 301)

        assert FEEDBACK_BUDGET - 10 <= budget <= FEEDBACK_BUDGET + 2 * FEEDBACK_PER_SECTION
        assert 0 < stats.nacks_received - read <= budget // 2 + 1
        assert stats.keyframe_requests_sent - asked <= 1
        assert (stats.errors, viewer._feedback_left, viewer.estimate) == (0, 0, None)


async def test_what_a_viewer_is_sent_again_is_limited(monkeypatch):
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        slot, stats = show.engine.rooms[ROOM].slots["video"], show.engine.stats
        viewer = next(iter(show.engine.rooms[ROOM].viewers))
        monkeypatch.setattr(Viewer, "refill", lambda viewer: None)
        for sequence in range(3, 23):
            ada.send_rtp(video(ada, sequence=sequence, payload=DELTA + b"x" * 1200))
        numbers = [packet.sequence for packet in await received(ben, 20)]
        sent = stats.retransmissions_sent

        for _ in range(10):
            ben.send_rtcp(nack(ssrc=ben.own_ssrc, media_ssrc=slot.ssrc, sequences=numbers))
        await eventually(lambda: stats.nacks_unanswered >= 100)

        # The burst, and one packet above it.
        assert RESEND_BURST_BYTES // 1250 - 5 < stats.retransmissions_sent - sent <= RESEND_BURST_BYTES // 1200 + 1
        assert viewer._resend_left <= 0


@pytest.mark.parametrize("size", [1338, 1388, 1444])
async def test_what_a_link_of_1500_bytes_carries_arrives(size):
    """1388 is the size of GStreamer's packets by default; 1444 with header, tag and UDP over IPv4 is 1500."""
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        payload = DELTA + b"x" * (size - len(DELTA))

        ada.send_rtp(video(ada, sequence=3, payload=payload))

        (packet,) = await received(ben, 1)
        assert packet.payload == payload
        slot, sink = next(iter(show.engine.rooms[ROOM].viewers)).host_streams[-1]
        assert slot.resend(sink, packet.sequence) > size, "and once more, if it is lost"
        assert show.engine.stats.packets_oversize == 0


@pytest.mark.parametrize("size", [1463, 1600])
async def test_packets_too_large_for_any_link_are_counted_told_and_said_once(caplog, size):
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        caplog.set_level(logging.WARNING)

        for sequence in (3, 4):
            packet = video(ada, sequence=sequence, payload=DELTA + b"x" * (size - len(DELTA)))
            # Longer packets cannot even be encrypted by the library; only their address identifies the sender.
            ada.send_rtp(packet) if size < 1480 else ada.transmit(packet)
        ada.send_rtp(video(ada, sequence=5, payload=DELTA))

        assert [packet.payload for packet in await received(ben, 1)] == [DELTA]
        assert show.engine.stats.packets_oversize == 2
        assert show.engine.rooms[ROOM].summary()["publishers"][0]["oversize"] == 2
        assert len([record for record in caplog.records if "packets too large" in record.getMessage()]) == 1


async def test_garbage_on_http_gets_an_answer_or_a_closed_door(caplog):
    requests = [
        *[b"\xff\xfe garbage\r\n\r\n"] * 20,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + os.urandom(200),
        b"\0" * 500,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /whip/x HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /whip/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /whip/%ff%00/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"\xff" * 50 + b"\r\n\r\n",
    ]
    async with running() as show:
        caplog.set_level(logging.INFO)
        for request in requests:
            reader, writer = await asyncio.open_connection("127.0.0.1", show.node.http.port)
            writer.write(request)
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(300), 5)
            writer.close()
            assert answer == b"" or answer.split(b" ")[1] in (b"400", b"401", b"404", b"405", b"505"), answer

        assert (await show.call("GET", "/health"))[0] == 200
        assert show.engine.stats.errors == 0
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(warnings) <= 1, "one line in ten seconds, whatever comes"
        assert all(record.exc_info is None for record in warnings)


async def test_a_connection_that_never_sends_a_request_is_ended(monkeypatch):
    monkeypatch.setattr("media_node.http.server.FIRST_REQUEST_SECONDS", 0.5)
    async with running() as show:
        reader, writer = await asyncio.open_connection("127.0.0.1", show.node.http.port)
        writer.write(b"POST /whip/x HTTP/1.1\r\nHost:")

        assert await asyncio.wait_for(reader.read(), 4) == b""
        writer.close()


async def test_secrets_and_offers_are_not_logged(caplog):
    caplog.set_level(logging.INFO)
    async with running() as show:
        token = show.token("ada")
        client = MediaClient("publisher")
        await show.offer("whip", client.offer(), token=token)
        await show.offer("whip", "v=0 canary-in-the-offer", token=token)
        await show.offer("whip", client.offer(), token="canary-token")
        client.close()

    text = caplog.text
    assert "publisher accepted" in text
    for secret in (token, client.pwd, client.ufrag, "canary", "a=ice"):
        assert secret not in text


async def test_connections_past_the_limit_are_closed_at_once():
    async with running(limits=Limits(http_connections=3)) as show:
        opened = [await asyncio.open_connection("127.0.0.1", show.node.http.port) for _ in range(3)]
        await asyncio.sleep(0.1)

        reader, writer = await asyncio.open_connection("127.0.0.1", show.node.http.port)

        assert await asyncio.wait_for(reader.read(), 2) == b""
        for _, one in [*opened, (reader, writer)]:
            one.close()
        await asyncio.sleep(0.1)
        assert (await show.call("GET", "/health"))[0] == 200


async def test_viewers_who_lose_much_are_counted():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)
        slot = show.engine.rooms[ROOM].slots["video"]

        ben.send_rtcp(receiver_report(ssrc=ben.own_ssrc, blocks=[ReportBlock(slot.ssrc, 64, 9, 9, 0)]))

        await eventually(lambda: ("viewers_losing", 1) in [(key, n) for key, _, n in show.engine.gauges()])
