"""Synthetic publisher of the media benchmark: 30 frames and 50 audio packets a second, in real time.

Every payload carries a marker and the monotonic clock, which is the same for all processes of a machine.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import struct
import time
import urllib.request

from bench.media.client import AUDIO_TYPE, VIDEO_TYPE, MediaClient
from media_node.wire.rtcp import SenderReport, sender_report
from media_node.wire.rtp import rtp_build

MARKER = b"TIME"
FRAMES_PER_SECOND = 30
AUDIO_SECONDS = 0.02
PACKET_BYTES = 1050
_KEY_START, _DELTA_START, _REST = b"\x10\x10\x02\x00\x9d\x01\x2a", b"\x10\x11\x02\x00", b"\x00\x00"
_NTP_EPOCH_SECONDS = 2_208_988_800


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--token", required=True)
    arguments.add_argument("--kbps", type=int, default=1000)
    options = arguments.parse_args()
    client = MediaClient("publisher")
    request = urllib.request.Request(
        options.url,
        data=client.offer().encode(),
        method="POST",
        headers={
            "Content-Type": "application/sdp",
            "Authorization": f"Bearer {options.token}",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        client.set_answer(answer.read().decode())
    client.connect()
    print(json.dumps({"ready": True, "profile": client.dtls.profile_name if client.dtls else ""}), flush=True)
    Stream(client, kbps=options.kbps).run()


class Stream:
    """Sends until the process is ended."""

    def __init__(self, client: MediaClient, *, kbps: int) -> None:
        self._client = client
        frame_bytes = kbps * 1000 // 8 // FRAMES_PER_SECOND
        self._packets = max(1, round(frame_bytes / PACKET_BYTES))
        self._packet_bytes = frame_bytes // self._packets
        self._padding = os.urandom(1400)
        self._video_sequence = self._audio_sequence = 1
        self._frames = 0

    def run(self) -> None:
        now = time.monotonic()
        next_frame = next_sound = next_report = next_check = now
        while True:
            now = time.monotonic()
            if now >= next_frame:
                self._frame(at=next_frame)
                next_frame += 1 / FRAMES_PER_SECOND
            if now >= next_sound:
                self._sound(at=next_sound)
                next_sound += AUDIO_SECONDS
            if now >= next_report:
                self._report(at=now)
                next_report = now + 1.0
            if now >= next_check:
                self._client.check()
                next_check = now + 2.0
            pause = max(0.0, min(next_frame, next_sound) - time.monotonic())
            if select.select([self._client.socket], [], [], pause)[0]:
                self._client.receive()

    def _frame(self, *, at: float) -> None:
        is_key = self._frames % (2 * FRAMES_PER_SECOND) == 0
        self._frames += 1
        for index in range(self._packets):
            start = (_KEY_START if is_key else _DELTA_START) if index == 0 else _REST
            payload = start + MARKER + struct.pack("!Q", time.monotonic_ns())
            payload += self._padding[: self._packet_bytes - len(payload)]
            self._client.send_rtp(
                rtp_build(
                    marker=128 if index == self._packets - 1 else 0,
                    payload_type=VIDEO_TYPE,
                    sequence=self._video_sequence & 0xFFFF,
                    timestamp=int(at * 90000) & 0xFFFFFFFF,
                    ssrc=self._client.video_ssrc,
                    payload=payload,
                )
            )
            self._video_sequence += 1

    def _sound(self, *, at: float) -> None:
        payload = b"\0\0" + MARKER + struct.pack("!Q", time.monotonic_ns()) + self._padding[:60]
        self._client.send_rtp(
            rtp_build(
                marker=0,
                payload_type=AUDIO_TYPE,
                sequence=self._audio_sequence & 0xFFFF,
                timestamp=int(at * 48000) & 0xFFFFFFFF,
                ssrc=self._client.audio_ssrc,
                payload=payload,
            )
        )
        self._audio_sequence += 1

    def _report(self, *, at: float) -> None:
        ntp = int((time.time() + _NTP_EPOCH_SECONDS) * 2**32)
        for ssrc, rate in ((self._client.video_ssrc, 90000), (self._client.audio_ssrc, 48000)):
            self._client.send_rtcp(sender_report(SenderReport(ssrc, ntp, int(at * rate) & 0xFFFFFFFF, 1, 1)))


if __name__ == "__main__":
    main()
