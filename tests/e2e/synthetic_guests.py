"""Guests without a browser: real accounts and connections that send video and audio that any browser decodes.

A browser costs this machine a core; twenty of these cost it a tenth of one. Each sends a second of VP8 and Opus in a
loop. Five fields in the upper half of the frame identify the sender, in the lower half a bar moves.
"""

from __future__ import annotations

import heapq
import json
import secrets
import select
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count
from typing import Any

import av
import numpy

from bench.media.client import AUDIO_TYPE, LEVEL_NUMBER, MID_NUMBER, VIDEO_TYPE, MediaClient, extended
from media_node.wire.rtcp import KeyframeRequest, rtcp_parse
from media_node.wire.rtp import rtp_build
from tests.e2e.product import Product

WIDTH, HEIGHT, FIELDS = 160, 90, 5
FRAMES_PER_SECOND = 8
SOUND_SECONDS, SOUND_RATE = 0.06, 48_000
PACKET_BYTES = 1100
# In -dBov (RFC 6464): a speaking person, and one who is only in the room.
LOUD, QUIET = 20, 100
CHECK_SECONDS = 2.0


def reel(number: int) -> list[bytes]:
    """Return a second of VP8, the first frame a key frame."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.bit_rate = Fraction(1, FRAMES_PER_SECOND), 60_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0", "g": "1000"}
    frames: list[bytes] = []
    for index in range(FRAMES_PER_SECOND):
        image = numpy.full((HEIGHT, WIDTH, 3), 96, dtype=numpy.uint8)
        for field in range(FIELDS):
            shade = 220 if number >> field & 1 else 30
            image[: HEIGHT // 2, field * WIDTH // FIELDS : (field + 1) * WIDTH // FIELDS] = shade
        left = index * WIDTH // FRAMES_PER_SECOND
        image[HEIGHT // 2 :, left : left + 20] = 220
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = index, encoder.time_base
        frames += [bytes(packet) for packet in encoder.encode(frame.reformat(format="yuv420p"))]
    frames += [bytes(packet) for packet in encoder.encode(None)]
    assert len(frames) == FRAMES_PER_SECOND
    return frames


def tone(number: int) -> list[bytes]:
    """Return about a second of Opus, a pitch for each person."""
    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "mono", "s16"
    encoder.bit_rate, encoder.options = 16_000, {"frame_duration": "60"}
    samples = int(SOUND_RATE * SOUND_SECONDS)
    packets: list[bytes] = []
    for index in range(17):
        at = (numpy.arange(samples) + index * samples) / SOUND_RATE
        wave = (3000 * numpy.sin(2 * numpy.pi * (200 + 20 * number) * at)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, index * samples, Fraction(1, SOUND_RATE)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


class SyntheticGuest:
    """One account, and once it is on stage one publication. `number` from 1 to 31 is encoded in the frame."""

    def __init__(self, product: Product, show: str, number: int) -> None:
        self.number, self.name = number, f"Guest {number}"
        self.level = QUIET
        self._connection: MediaClient | None = None
        self._product, self._show = product, show
        username, password = f"synthetic-{number}-{secrets.token_hex(3)}", secrets.token_urlsafe(12)
        account = {"username": username, "display_name": self.name, "password": password}
        made = self._post("auth/register/", account)
        self._access, self.id = made["access"], made["user"]["id"]
        self._frames, self._sounds = reel(number), tone(number)
        self._frame = self._packets = self._sound = 0
        self._pictures = number * 1000

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if hasattr(self, "_access"):
            headers["Authorization"] = f"Bearer {self._access}"
        return json.loads(self._send(f"{self._product.url}/api/v1/{path}", json.dumps(body), headers))

    @staticmethod
    def _send(url: str, body: str, headers: dict[str, str], method: str = "POST") -> str:
        request = urllib.request.Request(url, data=body.encode(), headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{url}: {error.code} {error.read().decode()}") from None

    def ask(self) -> str:
        """Ask to come on stage; return the request's id."""
        return str(self._post(f"sessions/{self._show}/guest-requests/", {})["id"])

    def publish(self) -> None:
        """Connect camera and microphone; nothing is sent before a troupe takes over."""
        given = self._post(f"sessions/{self._show}/token/", {"role": "publisher"})
        self._connection = MediaClient("publisher")
        headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {given['token']}"}
        self._connection.set_answer(self._send(given["url"], self._connection.offer(), headers))
        self._connection.connect()

    def leave(self) -> None:
        """Go back to the audience. The server ends the publication."""
        self._post(f"sessions/{self._show}/stage/leave/", {})

    def show(self, at: float) -> float:
        """Send the next frame; return when the one after it is due."""
        frame = self._frames[self._frame]
        self._frame = (self._frame + 1) % len(self._frames)
        self._pictures += 1
        ids = (0x8000 | self._pictures & 0x7FFF).to_bytes(2, "big") + bytes((self._pictures & 0xFF,))
        starts = range(0, len(frame), PACKET_BYTES)
        for start in starts:  # RFC 7741 section 4.2
            self._packets += 1
            head = (b"\x90" if start == 0 else b"\x80") + b"\xc0" + ids
            packet = rtp_build(
                marker=128 if start == starts[-1] else 0,
                payload_type=VIDEO_TYPE,
                sequence=self._packets & 0xFFFF,
                timestamp=int(at * 90_000) & 0xFFFFFFFF,
                ssrc=self.client.video_ssrc,
                payload=head + frame[start : start + PACKET_BYTES],
            )
            self.client.send_rtp(extended(packet, {MID_NUMBER: b"1"}))
        return at + 1 / FRAMES_PER_SECOND

    def speak(self, at: float) -> float:
        """Send the next packet of audio."""
        self._sound += 1
        packet = rtp_build(
            marker=0,
            payload_type=AUDIO_TYPE,
            sequence=self._sound & 0xFFFF,
            timestamp=int(self._sound * SOUND_SECONDS * SOUND_RATE) & 0xFFFFFFFF,
            ssrc=self.client.audio_ssrc,
            payload=self._sounds[self._sound % len(self._sounds)],
        )
        self.client.send_rtp(extended(packet, {LEVEL_NUMBER: bytes((self.level,)), MID_NUMBER: b"0"}))
        return at + SOUND_SECONDS

    def stay(self, at: float) -> float:
        """Keep the connection alive."""
        self.client.check()
        return at + CHECK_SECONDS

    def listen(self) -> None:
        """Restart from the key frame on request."""
        for data in self.client.receive():
            if 192 <= data[1] <= 223:
                for item in rtcp_parse(self.client.decrypt(data)):
                    if isinstance(item, KeyframeRequest):
                        self._frame = 0

    @property
    def client(self) -> MediaClient:
        """Return the connection, once there is one."""
        assert self._connection is not None
        return self._connection


class Troupe:
    """Sends for every added guest, in one thread, from entering the block to its end."""

    def __init__(self) -> None:
        self.guests: list[SyntheticGuest] = []
        self._added: list[SyntheticGuest] = []
        self._order = count()
        self._due: list[tuple[float, int, SyntheticGuest, Callable[[float], float]]] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="troupe", daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Troupe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(5)
        for guest in self.guests:
            guest.client.close()
        if self._failure is not None:
            raise self._failure

    def add(self, guests: Sequence[SyntheticGuest]) -> None:
        """Start sending for these guests. They are connected."""
        self.guests = [*self.guests, *guests]
        self._added += guests

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                self._turn()
        except BaseException as failure:
            self._failure = failure

    def _turn(self) -> None:
        while self._added:
            guest = self._added.pop()
            for action in (guest.show, guest.speak, guest.stay):
                # Spread, so that not all frames come at the same instant.
                at = time.monotonic() + guest.number / 31 / FRAMES_PER_SECOND
                heapq.heappush(self._due, (at, next(self._order), guest, action))
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            at, order, guest, action = heapq.heappop(self._due)
            if guest.client.is_over:
                continue
            heapq.heappush(self._due, (action(at), order, guest, action))
        pause = min(0.02, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.02
        sockets = {guest.client.socket.fileno(): guest for guest in self.guests}
        for number in select.select(list(sockets), [], [], pause)[0]:
            sockets[number].listen()
