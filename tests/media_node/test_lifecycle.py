"""Peers that join, fall silent and leave, and the node as a process."""

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from bench.media.client import MediaClient
from tests.media_node.show import ROOM, SECRET, eventually, running
from tests.media_node.test_hostile import KEY, joined, on_air, received, video
from tests.ports import free_port

pytestmark = pytest.mark.waits

ROOT = Path(__file__).parents[2]


async def test_an_offer_that_is_never_followed_up_is_freed():
    async with running(handshake_seconds=0.5) as show:
        client = MediaClient("publisher")
        assert (await show.offer("whip", client.offer(), token=show.token()))[0] == 201

        await eventually(lambda: not show.engine.peers, seconds=3)

        assert show.engine.rooms == show.engine.udp.by_ufrag == {}
        assert show.engine.stats.handshakes_expired == 1
        client.close()


async def test_a_viewer_without_checks_is_freed():
    async with running(idle_seconds=2.0) as show:
        ada = await on_air(show)
        await joined(show, ada)

        for number in range(3, 40):
            ada.send_rtp(video(ada, sequence=number))
            await asyncio.sleep(0.1)

        assert not show.engine.rooms[ROOM].viewers
        assert show.engine.rooms[ROOM].is_live, "media is a sign of life of a publisher"


async def test_viewers_wait_for_their_publisher_but_not_for_ever():
    async with running(hold_seconds=1.5) as show:
        ada = await on_air(show)
        ben = await joined(show, ada)

        ada.close()
        await eventually(lambda: show.publisher() is None)
        assert len(show.engine.rooms[ROOM].viewers) == 1
        status, _, body = await show.offer("whep", ben.offer(), token=show.token("mo", "subscriber"))
        assert (status, body["error"]["code"]) == (404, "media.not_live")

        await eventually(lambda: not show.engine.rooms, seconds=5)


async def test_a_failing_second_attempt_takes_nothing_off_the_air():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)

        attempt = MediaClient("publisher")
        assert (await show.offer("whip", attempt.offer(), token=show.token("ada")))[0] == 201
        ada.send_rtp(video(ada, sequence=3))

        assert len(await received(ben, 1)) == 1
        attempt.close()


async def test_another_user_does_not_take_the_hosts_place():
    async with running() as show:
        ada = await on_air(show)
        ben = await joined(show, ada)

        mo = await show.synthetic("publisher", "mo")
        mo.send_rtp(video(mo, sequence=1, payload=KEY + b"mo"))
        await eventually(lambda: "mo" in show.engine.rooms[ROOM].publishers)
        mo.send_rtp(video(mo, sequence=2, payload=KEY + b"mo"))
        ada.send_rtp(video(ada, sequence=3, payload=KEY + b"ada"))

        assert [packet.payload for packet in await received(ben, 2, seconds=0.5)] == [KEY + b"ada"]


async def test_a_publisher_is_told_how_his_stream_arrives_and_what_is_welcome():
    async with running() as show:
        ada = await on_air(show)
        from media_node.wire.rtcp import BitrateEstimate, ReportBlock, rtcp_parse

        items = []
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            for data in ada.receive():
                items += rtcp_parse(ada.decrypt(data))
            await asyncio.sleep(0.05)

        assert (
            BitrateEstimate(2_499_984, (ada.video_ssrc,)) in items
            or BitrateEstimate(2_500_000, (ada.video_ssrc,)) in items
        )
        assert any(isinstance(item, ReportBlock) and item.ssrc == ada.video_ssrc for item in items)


async def test_ipv6_carries_media_where_the_machine_has_it():
    async with running() as show:
        if not show.engine.udp.has_ipv6 or not any(" ::1 " in line for line in show.engine.candidates()):
            pytest.skip("this machine has no IPv6 loopback")
        ada = await on_air(show, host="::1")
        ben = await show.synthetic("viewer", "ben", host="::1")
        await eventually(lambda: len(show.engine.rooms[ROOM].slots["video"]) == 1)

        ada.send_rtp(video(ada, sequence=2))

        assert [packet.payload for packet in await received(ben, 1)] == [KEY]
        assert show.publisher().address[0] == "::1"


async def start_process(*, udp_port, http_port, **environ):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "media_node",
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "MEDIA_SECRET": SECRET,
            "MEDIA_UDP_PORT": str(udp_port),
            "MEDIA_HTTP_PORT": str(http_port),
            "MEDIA_WEBHOOK_URL": "http://127.0.0.1:1/",
            **environ,
        },
    )


def free_ports():
    return free_port(socket.SOCK_DGRAM), free_port()


@pytest.mark.parametrize("taken", ["UDP", "HTTP"])
async def test_a_port_in_use_is_one_plain_sentence(taken):
    udp_port, http_port = free_ports()
    kind = socket.SOCK_DGRAM if taken == "UDP" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("" if taken == "UDP" else "127.0.0.1", udp_port if taken == "UDP" else http_port))
        if taken == "HTTP":
            other.listen()
        process = await start_process(udp_port=udp_port, http_port=http_port)
        _, stderr = await asyncio.wait_for(process.communicate(), 15)

    lines = stderr.decode().splitlines()
    assert process.returncode == 1
    assert len(lines) == 1
    assert f"{taken} port" in lines[0] and f"MEDIA_{taken}_PORT" in lines[0]


async def test_a_bad_setting_is_one_plain_sentence():
    process = await start_process(udp_port=0, http_port=0, MEDIA_SECRET="short")
    _, stderr = await asyncio.wait_for(process.communicate(), 15)

    assert (process.returncode, len(stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_says_goodbye_to_peers_and_ends_the_process(number):
    udp_port, http_port = free_ports()
    process = await start_process(udp_port=udp_port, http_port=http_port)
    async with running() as show:
        show.url = f"http://127.0.0.1:{http_port}"
        for _ in range(100):
            try:
                if (await show.call("GET", "/health"))[0] == 200:
                    break
            except OSError:
                await asyncio.sleep(0.1)
        ada = await show.synthetic("publisher", "ada")

        started = time.monotonic()
        process.send_signal(number)
        _, stderr = await asyncio.wait_for(process.communicate(), 10)

        assert process.returncode == 0
        assert time.monotonic() - started < 3.0
        assert b"Traceback" not in stderr
        await eventually(lambda: ada.receive() is not None and ada.is_over)
