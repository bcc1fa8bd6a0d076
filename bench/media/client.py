"""A synthetic WebRTC party over one UDP socket: ICE checks, DTLS-SRTP, RTP and RTCP, no codecs.

Blocking and small on purpose: hundreds fit into one load process. The media tests use it for input that no browser
sends.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Literal

from media_node.wire.dtls import DtlsIdentity, DtlsState, DtlsTransport
from media_node.wire.extensions import AUDIO_LEVEL, MID, REPAIRED_RID, RID
from media_node.wire.stun import (
    BINDING_REQUEST,
    BINDING_SUCCESS,
    ICE_CONTROLLING,
    PRIORITY,
    USE_CANDIDATE,
    USERNAME,
    StunInvalid,
    stun_build,
    stun_parse,
)

AUDIO_TYPE, VIDEO_TYPE, REPAIR_TYPE = 111, 96, 97
LEVEL_NUMBER, MID_NUMBER, RID_NUMBER, REPAIRED_NUMBER = 1, 4, 10, 11
_H264_PARAMETERS = "packetization-mode=1;profile-level-id=42e01f"
_BUFFER_BYTES = 4 * 1024 * 1024
_IDENTITY: list[DtlsIdentity] = []


def _watching(pictures: int, sounds: int) -> list[Section]:
    kinds: list[Literal["audio", "video"]] = ["audio"] * sounds + ["video"] * pictures
    return [Section(str(mid), kind, kind) for mid, kind in enumerate(kinds)]


def extension(elements: dict[int, bytes]) -> bytes:
    """Return a header extension with these elements (RFC 8285, the short form)."""
    body = b"".join(bytes((number << 4 | len(value) - 1,)) + value for number, value in elements.items())
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!HH", 0xBEDE, len(body) // 4) + body


def extended(packet: bytes, elements: dict[int, bytes]) -> bytes:
    """Add a header extension to an RTP packet with a plain header."""
    return bytes((packet[0] | 0x10,)) + packet[1:12] + extension(elements) + packet[12:]


class ConnectFailed(Exception):
    """No connection within the time given."""


def shared_identity() -> DtlsIdentity:
    """Return one certificate for all clients of a process."""
    if not _IDENTITY:
        _IDENTITY.append(DtlsIdentity())
    return _IDENTITY[0]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of an offer, and of its answer."""

    mid: str
    kind: Literal["audio", "video"]
    name: str
    ssrcs: tuple[int, ...] = ()
    rids: tuple[str, ...] = ()


@dataclass(slots=True)
class Answered:
    """The node's answer to one section."""

    mid: str
    direction: str = ""
    ssrcs: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class MediaClient:
    """One publisher or viewer.

    A publisher sends a microphone and a camera, the camera in `layers` where those are named (rids, as browsers do
    without declaring their sources), and a screen if they have one. A viewer receives `pictures` video and `sounds`
    audio sections.
    """

    def __init__(
        self,
        role: Literal["publisher", "viewer"],
        *,
        host: str = "127.0.0.1",
        with_repair: bool = False,
        layers: tuple[str, ...] = (),
        with_screen: bool = False,
        pictures: int = 1,
        sounds: int = 1,
        codec: str = "VP8",
    ) -> None:
        self.role = role
        self.host = host
        self.with_repair = with_repair
        self.codec = codec
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.audio_ssrc, self.video_ssrc, self.repair_ssrc, self.screen_ssrc, self.own_ssrc = (
            secrets.randbelow(2**32 - 1) + 1 for _ in range(5)
        )
        self.layer_ssrcs = {rid: secrets.randbelow(2**32 - 1) + 1 for rid in layers}
        self.sections = self._publishing(layers, with_screen) if role == "publisher" else _watching(pictures, sounds)
        self.remote: dict[str, str] = {}
        self.target: tuple[str, int] = ("", 0)
        self.answer_ssrcs: list[int] = []
        self.answered: list[Answered] = []
        self.dtls: DtlsTransport | None = None
        self.is_checked = False

    # -- negotiation

    def _publishing(self, layers: tuple[str, ...], with_screen: bool) -> list[Section]:
        camera = (self.video_ssrc, self.repair_ssrc) if self.with_repair else (self.video_ssrc,)
        sections = [
            Section("0", "audio", "audio", ssrcs=(self.audio_ssrc,)),
            Section("1", "video", "camera", ssrcs=() if layers else camera, rids=layers),
        ]
        return [*sections, Section("2", "video", "screen", ssrcs=(self.screen_ssrc,))] if with_screen else sections

    def offer(self) -> str:
        """Return the offer of the sections to send or receive."""
        lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        lines.append(f"a=group:BUNDLE {' '.join(section.mid for section in self.sections)}")
        for section in self.sections:
            lines += self._section(section)
        return "\r\n".join(lines) + "\r\n"

    def _section(self, section: Section) -> list[str]:
        repaired = self.with_repair and section.kind == "video"
        types = f"{AUDIO_TYPE}" if section.kind == "audio" else f"{VIDEO_TYPE}"
        lines = [
            f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {types} {REPAIR_TYPE}"
            if repaired
            else f"m={section.kind} 9 UDP/TLS/RTP/SAVPF {types}",
            "c=IN IP4 0.0.0.0",
            f"a=ice-ufrag:{self.ufrag}",
            f"a=ice-pwd:{self.pwd}",
            f"a=fingerprint:sha-256 {shared_identity().fingerprint}",
            "a=setup:actpass",
            f"a=mid:{section.mid}",
            "a=sendonly" if self.role == "publisher" else "a=recvonly",
            "a=rtcp-mux",
            f"a=extmap:{MID_NUMBER} {MID}",
        ]
        if section.kind == "audio":
            lines += [f"a=extmap:{LEVEL_NUMBER} {AUDIO_LEVEL}", f"a=rtpmap:{AUDIO_TYPE} opus/48000/2"]
        else:
            lines += [
                f"a=extmap:{RID_NUMBER} {RID}",
                f"a=extmap:{REPAIRED_NUMBER} {REPAIRED_RID}",
                f"a=rtpmap:{VIDEO_TYPE} {self.codec}/90000",
                *([f"a=fmtp:{VIDEO_TYPE} {_H264_PARAMETERS}"] if self.codec == "H264" else []),
                *(f"a=rtcp-fb:{VIDEO_TYPE} {kind}" for kind in ("nack", "nack pli", "goog-remb")),
            ]
            if repaired:
                lines += [f"a=rtpmap:{REPAIR_TYPE} rtx/90000", f"a=fmtp:{REPAIR_TYPE} apt={VIDEO_TYPE}"]
        if section.rids:
            lines += [f"a=rid:{rid} send" for rid in section.rids]
            lines.append(f"a=simulcast:send {';'.join(section.rids)}")
        if len(section.ssrcs) == 2:
            lines.append(f"a=ssrc-group:FID {section.ssrcs[0]} {section.ssrcs[1]}")
        return lines + [f"a=ssrc:{ssrc} cname:synthetic" for ssrc in section.ssrcs]

    def set_answer(self, answer: str) -> None:
        """Apply the node's answer."""
        for line in answer.splitlines():
            name, _, value = line[2:].partition(":")
            if line.startswith("m="):
                self.answered.append(Answered(mid=""))
            if self.answered:
                self._note(self.answered[-1], line)
            if name in ("ice-ufrag", "ice-pwd", "fingerprint"):
                self.remote.setdefault(name, value)
            elif name == "candidate":
                fields = value.split()
                if fields[4] == self.host or not self.target[0]:
                    self.target = (fields[4], int(fields[5]))
            elif name == "ssrc" and int(value.split()[0]) not in self.answer_ssrcs:
                self.answer_ssrcs.append(int(value.split()[0]))

    @staticmethod
    def _note(section: Answered, line: str) -> None:
        name, _, value = line[2:].partition(":")
        section.lines.append(line)
        if name == "mid":
            section.mid = value
        elif name in ("sendonly", "recvonly", "inactive"):
            section.direction = name
        elif name == "ssrc" and int(value.split()[0]) not in section.ssrcs:
            section.ssrcs.append(int(value.split()[0]))

    # -- transport

    def begin(self) -> None:
        """Send the first check."""
        algorithm, _, fingerprint = self.remote["fingerprint"].partition(" ")
        self.dtls = DtlsTransport(shared_identity(), is_client=True, algorithm=algorithm, fingerprint=fingerprint)
        self.check()

    def check(self) -> None:
        """One connectivity check, nominating."""
        username = f"{self.remote['ice-ufrag']}:{self.ufrag}".encode()
        attributes = [
            (USERNAME, username),
            (PRIORITY, struct.pack("!I", 1)),
            (ICE_CONTROLLING, os.urandom(8)),
            (USE_CANDIDATE, b""),
        ]
        self.transmit(
            stun_build(
                type=BINDING_REQUEST,
                transaction=os.urandom(12),
                attributes=attributes,
                key=self.remote["ice-pwd"].encode(),
            )
        )

    def transmit(self, data: bytes) -> None:
        """Send one datagram unchanged."""
        try:
            self.socket.sendto(data, self.target)
        except BlockingIOError:
            return

    @property
    def is_ready(self) -> bool:
        """Whether the keys are available."""
        return self.dtls is not None and self.dtls.state is DtlsState.CONNECTED

    @property
    def is_over(self) -> bool:
        """Whether the node said goodbye."""
        return self.dtls is not None and self.dtls.state in (DtlsState.CLOSED, DtlsState.FAILED)

    def receive(self) -> list[bytes]:
        """Handle arrived datagrams; return encrypted RTP and RTCP."""
        media: list[bytes] = []
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return media
            if 128 <= data[0] <= 191:
                media.append(data)
            else:
                self.handle(data)

    def handle(self, data: bytes) -> None:
        """Handle STUN or DTLS."""
        if self.dtls is None:
            return
        if data[0] < 4:
            try:
                message = stun_parse(data)
            except StunInvalid:
                return
            if message.type == BINDING_SUCCESS and not self.is_checked:
                self.is_checked = True
                for datagram in self.dtls.start():
                    self.transmit(datagram)
        elif 20 <= data[0] <= 63:
            for datagram in self.dtls.receive(data):
                self.transmit(datagram)

    def connect(self, *, seconds: float = 10.0) -> None:
        """Check and shake hands; blocks. Raises ConnectFailed."""
        self.begin()
        end = time.monotonic() + seconds
        while not self.is_ready:
            if time.monotonic() > end or self.is_over or self.dtls is None:
                raise ConnectFailed(self.dtls.failure if self.dtls else "no answer")
            if select.select([self.socket], [], [], 0.05)[0]:
                self.receive()
            elif not self.is_checked:
                self.check()
            else:
                for datagram in self.dtls.on_timer():
                    self.transmit(datagram)

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send."""
        if self.dtls is not None and self.dtls.srtp is not None:
            self.transmit(self.dtls.srtp.outbound.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send."""
        if self.dtls is not None and self.dtls.srtp is not None:
            self.transmit(self.dtls.srtp.outbound.protect_rtcp(packet))

    def decrypt(self, datagram: bytes) -> bytes:
        """Return the decrypted packet."""
        assert self.dtls is not None and self.dtls.srtp is not None
        inbound = self.dtls.srtp.inbound
        is_rtcp = 192 <= datagram[1] <= 223
        return inbound.unprotect_rtcp(datagram) if is_rtcp else inbound.unprotect(datagram)

    def close(self) -> None:
        """Say goodbye and free the socket."""
        if self.dtls is not None:
            for datagram in self.dtls.close():
                self.transmit(datagram)
        self.socket.close()
