"""People on a stage, and their viewers: synthetic parties that really send, answer and report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.media.client import (
    AUDIO_TYPE,
    LEVEL_NUMBER,
    MID_NUMBER,
    REPAIR_TYPE,
    REPAIRED_NUMBER,
    RID_NUMBER,
    VIDEO_TYPE,
    MediaClient,
    extended,
)
from media_node.grants import SOURCES, Source, Stage
from media_node.wire.rtcp import KeyframeRequest, Nack, ReportBlock, receiver_report, rtcp_parse
from media_node.wire.rtp import RtpPacket, rtp_build, rtp_parse, rtx_payload
from media_node.wire.srtp import SrtpError
from tests.media_node.show import ROOM, Show, eventually

FRAMES_PER_SECOND = 25
# Bitrate and size of the layers, the lowest first.
LADDER = {"l": (100_000, (320, 180)), "m": (300_000, (640, 360)), "h": (900_000, (1280, 720))}
LOUD, QUIET = 20, 127


def vp8(*, is_key: bool, picture: int, base: int, size: tuple[int, int] = (320, 180), fill: int = 20) -> bytes:
    """Return the first packet of a VP8 frame with 15-bit picture id and TL0PICIDX (RFC 7741 section 4.2)."""
    head = bytes((0x90, 0xC0)) + (0x8000 | picture & 0x7FFF).to_bytes(2, "big") + bytes((base & 0xFF,))
    if is_key:
        sides = b"".join(side.to_bytes(2, "little") for side in size)
        return head + b"\x10\x02\x00\x9d\x01\x2a" + sides + b"k" * fill
    return head + b"\x11\x02\x00" + b"d" * fill


@dataclass
class Layer:
    """One sent stream, with its own numbering."""

    ssrc: int
    bits_per_second: int
    size: tuple[int, int]
    marks: dict[int, bytes]
    sequence: int
    timestamp: int
    picture: int
    base: int = 7
    is_key_due: bool = True
    is_sent: bool = True
    # Packets lost at first, by number, and the source that resends them on request.
    lost: dict[int, bytes] = field(default_factory=dict)
    repair_ssrc: int = field(default_factory=lambda: secrets.randbelow(2**32 - 1) + 1)
    repair_sequence: int = 0


class Performer:
    """Sends audio and video until stopped, and key frames on request.

    With `loses`, one in so many packets of a layer is lost, and comes as RTX on request; that source is identified by
    nothing but repaired-rid (RFC 8852).
    """

    def __init__(self, show: Show, user: str, client: MediaClient, token: str, location: str) -> None:
        self.show, self.user, self.client, self.token, self.location = show, user, client, token, location
        self.level = QUIET
        self.layers: dict[str, Layer] = {}
        number = sum(user.encode()) * 977
        for section in client.sections:
            if section.kind != "video":
                continue
            for rid in section.rids or (section.name,):
                rate, size = LADDER.get(rid, (400_000, (640, 360)))
                named = {RID_NUMBER: rid.encode()} if section.rids else {}
                self.layers[rid] = Layer(
                    ssrc=client.layer_ssrcs[rid] if section.rids else section.ssrcs[0],
                    bits_per_second=rate,
                    size=size,
                    marks={MID_NUMBER: section.mid.encode(), **named},
                    sequence=(number := number + 20_011) & 0xFFFF,
                    timestamp=number * 65_537 & 0xFFFFFFFF,
                    picture=number & 0x7FFF,
                    is_sent=section.name != "screen",
                )
        self._audio_sequence = 1
        self._started = time.monotonic()
        self.has_sound = True
        self.loses = 0
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        turn = 0
        while True:
            turn += 1
            await asyncio.sleep(max(0.0, self._started + turn / FRAMES_PER_SECOND - time.monotonic()))
            self._answer()
            if self.has_sound:
                self._sound()
            for layer in self.layers.values():
                if layer.is_sent:
                    self._picture(layer, turn)

    def _answer(self) -> None:
        for data in self.client.receive():
            if not 192 <= data[1] <= 223:
                continue
            for item in rtcp_parse(self.client.decrypt(data)):
                if isinstance(item, KeyframeRequest):
                    for layer in self.layers.values():
                        layer.is_key_due |= layer.ssrc == item.ssrc
                elif isinstance(item, Nack):
                    for rid, layer in self.layers.items():
                        if layer.ssrc == item.ssrc:
                            self._repair(rid, layer, item.sequences)

    def _repair(self, rid: str, layer: Layer, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            packet = layer.lost.pop(sequence, None)
            if packet is None:
                continue
            layer.repair_sequence += 1
            again = rtp_build(
                marker=packet[1] & 0x80,
                payload_type=REPAIR_TYPE,
                sequence=layer.repair_sequence & 0xFFFF,
                timestamp=int.from_bytes(packet[4:8], "big"),
                ssrc=layer.repair_ssrc,
                payload=rtx_payload(sequence=sequence, payload=packet[12:]),
            )
            names = {MID_NUMBER: layer.marks[MID_NUMBER], REPAIRED_NUMBER: rid.encode()}
            self.client.send_rtp(extended(again, names))

    def _sound(self) -> None:
        packet = rtp_build(
            marker=0,
            payload_type=AUDIO_TYPE,
            sequence=self._audio_sequence & 0xFFFF,
            timestamp=self._audio_sequence * 1920 & 0xFFFFFFFF,
            ssrc=self.client.audio_ssrc,
            payload=b"sound of " + self.user.encode(),
        )
        self._audio_sequence += 1
        self.client.send_rtp(extended(packet, {LEVEL_NUMBER: bytes((self.level,))}))

    def _picture(self, layer: Layer, turn: int) -> None:
        total = layer.bits_per_second // 8 // FRAMES_PER_SECOND
        count = max(1, round(total / 1000))
        layer.picture += 1
        layer.base += 1
        first = vp8(
            is_key=layer.is_key_due,
            picture=layer.picture,
            base=layer.base,
            size=layer.size,
            fill=max(1, total // count - 20),
        )
        layer.is_key_due = False
        timestamp = (layer.timestamp + turn * 90_000 // FRAMES_PER_SECOND) & 0xFFFFFFFF
        for index in range(count):
            payload = first if index == 0 else bytes((0x80,)) + first[1:5] + b"r" * (total // count - 5)
            layer.sequence = (layer.sequence + 1) & 0xFFFF
            packet = rtp_build(
                marker=128 if index == count - 1 else 0,
                payload_type=VIDEO_TYPE,
                sequence=layer.sequence,
                timestamp=timestamp,
                ssrc=layer.ssrc,
                payload=payload,
            )
            if self.loses and layer.sequence % self.loses == 0:
                layer.lost[layer.sequence] = packet
            else:
                self.client.send_rtp(extended(packet, layer.marks))

    async def leave(self) -> None:
        """Stop sending and say goodbye."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        await self.show.call("DELETE", self.location, token=self.token)


@dataclass
class Heard:
    """The received packets of one section."""

    packets: list[RtpPacket] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def since(self, moment: float) -> list[RtpPacket]:
        """Return the packets that arrived after a moment."""
        return [packet for packet, at in zip(self.packets, self.at, strict=True) if at > moment]


class Spectator:
    """Receives as many sections as requested, decrypts everything, and reports loss twice a second."""

    def __init__(self, show: Show, user: str, client: MediaClient, token: str, location: str) -> None:
        self.show, self.user, self.client, self.token, self.location = show, user, client, token, location
        self.by_mid = {section.mid: Heard() for section in client.answered}
        self._mid_of = {ssrc: section.mid for section in client.answered for ssrc in section.ssrcs[:1]}
        self._seen: dict[int, list[int]] = {}
        # Packets that came twice, as repairs without RTX do; receivers drop them (RFC 3711 section 3.3.2).
        self.repeats = 0
        self.task = asyncio.ensure_future(self._run())

    @property
    def video_mids(self) -> list[str]:
        """Return the mids of the video sections, in order."""
        return [section.mid for section in self.client.sections if section.kind == "video"]

    @property
    def audio_mids(self) -> list[str]:
        """Return the mids of the audio sections, in order."""
        return [section.mid for section in self.client.sections if section.kind == "audio"]

    async def state(self) -> dict[str, Any]:
        """Return the node's report of the received streams."""
        status, _, body = await self.show.call("GET", self.location, token=self.token)
        assert status == 200, body
        return dict(body)

    async def ask(self, **request: Any) -> int:
        """Send the wanted quality and displayed sizes to the node; return the status."""
        path = self.location + "/layers"
        status, _, _ = await self.show.call("POST", path, token=self.token, body=json.dumps(request))
        return status

    def count(self, mid: str) -> int:
        """Return the number of packets that arrived in a section."""
        return len(self.by_mid[mid].packets)

    async def sees(self, mid: str, *, more: int = 10, seconds: float = 8.0) -> None:
        """Wait until this many more packets arrived in a section."""
        goal = self.count(mid) + more
        await eventually(lambda: self.count(mid) >= goal, seconds=seconds)

    async def _run(self) -> None:
        next_report = next_check = time.monotonic()
        while True:
            self._read()
            now = time.monotonic()
            if now >= next_report:
                self._report()
                next_report = now + 0.5
            if now >= next_check:
                self.client.check()
                next_check = now + 2.0
            await asyncio.sleep(0.005)

    def _read(self) -> None:
        for data in self.client.receive():
            if 192 <= data[1] <= 223:
                continue
            try:
                packet = rtp_parse(self.client.decrypt(data))
            except SrtpError as error:
                if "replay" not in str(error):
                    raise
                self.repeats += 1
                continue
            mid = self._mid_of.get(packet.ssrc)
            if mid is None:
                continue
            heard = self.by_mid[mid]
            heard.packets.append(packet)
            heard.at.append(time.monotonic())
            # First, highest, count, and the last two as previously reported.
            state = self._seen.setdefault(packet.ssrc, [packet.sequence, packet.sequence, 0, packet.sequence - 1, 0])
            forward = (packet.sequence - state[1]) & 0xFFFF
            if forward < 0x8000:
                state[1] += forward
            state[2] += 1

    def _report(self) -> None:
        blocks = []
        for ssrc, state in self._seen.items():
            expected, got = state[1] - state[3], state[2] - state[4]
            fraction = max(0, min(255, 256 * (expected - got) // expected)) if expected > 0 else 0
            blocks.append(ReportBlock(ssrc, fraction, 0, state[1], 0))
            state[3], state[4] = state[1], state[2]
        self.client.send_rtcp(receiver_report(ssrc=self.client.own_ssrc, blocks=blocks[:31]))


@dataclass
class Company:
    """Everybody of one show, ended with it."""

    show: Show
    people: list[Performer | Spectator] = field(default_factory=list)

    async def perform(
        self,
        user: str,
        stage: Stage = "guest",
        *,
        layers: tuple[str, ...] = (),
        with_screen: bool = False,
        with_repair: bool = False,
        sources: tuple[Source, ...] = SOURCES,
        token: str | None = None,
    ) -> Performer:
        """Put a person on stage, live."""
        token = token or self.show.token(user, "publisher", stage=stage, sources=sources)
        client = MediaClient("publisher", layers=layers, with_screen=with_screen, with_repair=with_repair)
        location = await self._connect("whip", client, token)
        performer = Performer(self.show, user, client, token, location)
        self.people.append(performer)
        await eventually(
            lambda: (
                (room := self.show.engine.rooms.get(ROOM)) is not None
                and (publisher := room.publishers.get(user)) is not None
                and f"/whip/{ROOM}/{publisher.resource}" == location
            )
        )
        return performer

    async def watch(
        self, user: str, stage: Stage = "", *, pictures: int = 3, sounds: int = 3, reroute: Any = str, query: str = ""
    ) -> Spectator:
        """Add a viewer; with a stage role, one who receives the stage."""
        token = self.show.token(user, "subscriber", stage=stage)
        client = MediaClient("viewer", pictures=pictures, sounds=sounds)
        location = await self._connect("whep", client, token, reroute=reroute, query=query)
        spectator = Spectator(self.show, user, client, token, location)
        self.people.append(spectator)
        return spectator

    async def _connect(
        self, protocol: str, client: MediaClient, token: str, *, reroute: Any = str, query: str = ""
    ) -> str:
        status, headers, answer = await self.show.offer(protocol, client.offer(), token=token, query=query)
        assert status == 201, answer
        client.set_answer(reroute(answer))
        await asyncio.to_thread(client.connect)
        return str(headers["Location"])

    async def end(self) -> None:
        """Stop everybody."""
        for person in self.people:
            person.task.cancel()
        outcomes = await asyncio.gather(*(person.task for person in self.people), return_exceptions=True)
        for person in self.people:
            person.client.close()
        failures = [each for each in outcomes if each is not None and not isinstance(each, asyncio.CancelledError)]
        assert not failures, failures
