"""Synthetic people on stage of the media benchmark, all in one process: video in one or three layers, audio with its
level, and key frames on request.

Every first packet of a frame, and every audio packet, carries a marker and the monotonic clock.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import select
import struct
import time
import urllib.request
from collections.abc import Callable

from bench.media.client import (
    AUDIO_TYPE,
    LEVEL_NUMBER,
    MID_NUMBER,
    RID_NUMBER,
    VIDEO_TYPE,
    MediaClient,
    extended,
)
from bench.media.publish import MARKER
from media_node.wire.rtcp import KeyframeRequest, rtcp_parse
from media_node.wire.rtp import rtp_build

FRAMES_PER_SECOND = 30
AUDIO_SECONDS, SILENCE_SECONDS = 0.02, 0.4
PACKET_BYTES = 1050
SPEECH_LEVEL, SILENCE_LEVEL = 20, 127
_READ_SECONDS = 0.02
_PADDING = os.urandom(1400)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--people", required=True, help="JSON: [{token, layers: {rid: kbps}, speaks}]")
    options = arguments.parse_args()
    with open(options.people) as file:
        people = [Performer(options.url, **person) for person in json.load(file)]
    print(json.dumps({"ready": len(people)}), flush=True)
    Clockwork(people).run()


class Layer:
    """One stream with its numbering. The name of the only layer is empty."""

    def __init__(self, client: MediaClient, rid: str, kbps: int) -> None:
        frame_bytes = kbps * 1000 // 8 // FRAMES_PER_SECOND
        self.packets = max(1, round(frame_bytes / PACKET_BYTES))
        self.packet_bytes = max(40, frame_bytes // self.packets)
        self.ssrc = client.layer_ssrcs[rid] if rid else client.video_ssrc
        self.marks = {MID_NUMBER: b"1", RID_NUMBER: rid.encode()} if rid else {MID_NUMBER: b"1"}
        self.sequence = self.frames = 1
        self.is_key_due = True

    def picture(self, *, at: float) -> list[bytes]:
        """Return the packets of the next frame: VP8 with 15-bit picture ids (RFC 7741)."""
        self.frames += 1
        ids = (0x8000 | self.frames & 0x7FFF).to_bytes(2, "big") + bytes((self.frames & 0xFF,))
        start = b"\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02" if self.is_key_due else b"\x11\x02\x00"
        self.is_key_due = False
        packets = []
        for index in range(self.packets):
            payload = (b"\x90\xc0" if index == 0 else b"\x80\xc0") + ids
            if index == 0:
                payload += start + MARKER + struct.pack("!Q", time.monotonic_ns())
            payload += _PADDING[: self.packet_bytes - len(payload)]
            self.sequence = (self.sequence + 1) & 0xFFFF
            packet = rtp_build(
                marker=128 if index == self.packets - 1 else 0,
                payload_type=VIDEO_TYPE,
                sequence=self.sequence,
                timestamp=int(at * 90000) & 0xFFFFFFFF,
                ssrc=self.ssrc,
                payload=payload,
            )
            packets.append(extended(packet, self.marks))
        return packets


class Performer:
    """One person; connects at once."""

    def __init__(self, url: str, *, token: str, layers: dict[str, int], speaks: bool) -> None:
        names = tuple(name for name in layers if name)
        self.client = MediaClient("publisher", layers=names)
        self.speaks = speaks
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(url, data=self.client.offer().encode(), method="POST", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.client.set_answer(answer.read().decode())
        self.client.connect()
        self.layers = [Layer(self.client, rid, kbps) for rid, kbps in layers.items()]
        self._sounds = 0

    def show(self, at: float) -> float:
        """Send a frame of each layer; return when the next one is due."""
        for layer in self.layers:
            for packet in layer.picture(at=at):
                self.client.send_rtp(packet)
        return at + 1 / FRAMES_PER_SECOND

    def sound(self, at: float) -> float:
        """Send a packet of audio; silence is sent rarely, as Opus does (RFC 6716 section 2.1.9)."""
        self._sounds += 1
        payload = MARKER + struct.pack("!Q", time.monotonic_ns()) + _PADDING[: 60 if self.speaks else 1]
        packet = rtp_build(
            marker=0,
            payload_type=AUDIO_TYPE,
            sequence=self._sounds & 0xFFFF,
            timestamp=int(at * 48000) & 0xFFFFFFFF,
            ssrc=self.client.audio_ssrc,
            payload=payload,
        )
        level = SPEECH_LEVEL if self.speaks else SILENCE_LEVEL
        self.client.send_rtp(extended(packet, {LEVEL_NUMBER: bytes((level,)), MID_NUMBER: b"0"}))
        return at + (AUDIO_SECONDS if self.speaks else SILENCE_SECONDS)

    def check(self, at: float) -> float:
        """Keep the connection alive."""
        self.client.check()
        return at + 2.0

    def listen(self) -> None:
        """Answer key frame requests."""
        for data in self.client.receive():
            if 192 <= data[1] <= 223:
                for item in rtcp_parse(self.client.decrypt(data)):
                    for layer in self.layers:
                        layer.is_key_due |= isinstance(item, KeyframeRequest) and item.ssrc == layer.ssrc


class Clockwork:
    """Runs everybody's due work, spread over time, until the process is ended."""

    def __init__(self, people: list[Performer]) -> None:
        self._people = {person.client.socket.fileno(): person for person in people}
        self._due: list[tuple[float, int, Callable[[float], float]]] = []
        now = time.monotonic()
        for number, person in enumerate(people):
            offset = number / len(people) / FRAMES_PER_SECOND
            for action in (person.show, person.sound, person.check):
                heapq.heappush(self._due, (now + offset, len(self._due), action))

    def run(self) -> None:
        poll = select.epoll()
        for number in self._people:
            poll.register(number, select.EPOLLIN)
        while True:
            now = time.monotonic()
            while self._due[0][0] <= now:
                at, order, action = heapq.heappop(self._due)
                heapq.heappush(self._due, (action(at), order, action))
            pause = max(0.0, min(_READ_SECONDS, self._due[0][0] - time.monotonic()))
            for number, _ in poll.poll(pause):
                self._people[number].listen()


if __name__ == "__main__":
    main()
