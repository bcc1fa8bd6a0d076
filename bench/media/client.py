"""A synthetic WebRTC party over one UDP socket: ICE checks, DTLS-SRTP, RTP and RTCP, no codecs.

Blocking and small on purpose: hundreds fit into one load process. The media tests use it for what no
browser would send.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import time
from typing import Literal

from streams.media.dtls import DtlsIdentity, DtlsState, DtlsTransport
from streams.media.stun import (
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
_BUFFER_BYTES = 4 * 1024 * 1024
_IDENTITY: list[DtlsIdentity] = []


class ConnectFailed(Exception):
    """No connection within the time given."""


def shared_identity() -> DtlsIdentity:
    """One certificate for all clients of a process."""
    if not _IDENTITY:
        _IDENTITY.append(DtlsIdentity())
    return _IDENTITY[0]


class MediaClient:
    """One publisher or viewer."""

    def __init__(
        self, role: Literal["publisher", "viewer"], *, host: str = "127.0.0.1", with_repair: bool = False
    ) -> None:
        self.role = role
        self.host = host
        self.with_repair = with_repair
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.ufrag, self.pwd = secrets.token_hex(4), secrets.token_hex(12)
        self.audio_ssrc, self.video_ssrc, self.repair_ssrc, self.own_ssrc = (
            secrets.randbelow(2**32 - 1) + 1 for _ in range(4)
        )
        self.remote: dict[str, str] = {}
        self.target: tuple[str, int] = ("", 0)
        self.answer_ssrcs: list[int] = []
        self.dtls: DtlsTransport | None = None
        self.is_checked = False

    # -- negotiation

    def offer(self) -> str:
        """Audio and video, sent or received."""
        direction = "sendonly" if self.role == "publisher" else "recvonly"
        lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
        formats = f"{VIDEO_TYPE} {REPAIR_TYPE}" if self.with_repair else f"{VIDEO_TYPE}"
        for mid, kind, types in (("0", "audio", f"{AUDIO_TYPE}"), ("1", "video", formats)):
            lines += [
                f"m={kind} 9 UDP/TLS/RTP/SAVPF {types}",
                "c=IN IP4 0.0.0.0",
                f"a=ice-ufrag:{self.ufrag}",
                f"a=ice-pwd:{self.pwd}",
                f"a=fingerprint:sha-256 {shared_identity().fingerprint}",
                "a=setup:actpass",
                f"a=mid:{mid}",
                f"a={direction}",
                "a=rtcp-mux",
            ]
            if kind == "audio":
                lines += [f"a=rtpmap:{AUDIO_TYPE} opus/48000/2"]
                ssrcs = [self.audio_ssrc]
            else:
                lines += [
                    f"a=rtpmap:{VIDEO_TYPE} VP8/90000",
                    f"a=rtcp-fb:{VIDEO_TYPE} nack",
                    f"a=rtcp-fb:{VIDEO_TYPE} nack pli",
                    f"a=rtcp-fb:{VIDEO_TYPE} goog-remb",
                ]
                ssrcs = [self.video_ssrc]
                if self.with_repair:
                    lines += [f"a=rtpmap:{REPAIR_TYPE} rtx/90000", f"a=fmtp:{REPAIR_TYPE} apt={VIDEO_TYPE}"]
                    ssrcs.append(self.repair_ssrc)
            if self.role == "publisher":
                if len(ssrcs) == 2:
                    lines.append(f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}")
                lines += [f"a=ssrc:{ssrc} cname:synthetic" for ssrc in ssrcs]
        return "\r\n".join(lines) + "\r\n"

    def set_answer(self, answer: str) -> None:
        """Take over the node's side."""
        for line in answer.splitlines():
            name, _, value = line[2:].partition(":")
            if name in ("ice-ufrag", "ice-pwd", "fingerprint"):
                self.remote.setdefault(name, value)
            elif name == "candidate":
                fields = value.split()
                if fields[4] == self.host or not self.target[0]:
                    self.target = (fields[4], int(fields[5]))
            elif name == "ssrc" and int(value.split()[0]) not in self.answer_ssrcs:
                self.answer_ssrcs.append(int(value.split()[0]))

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
        """Send one datagram as it is."""
        try:
            self.socket.sendto(data, self.target)
        except BlockingIOError:
            return

    @property
    def is_ready(self) -> bool:
        """Whether keys are there."""
        return self.dtls is not None and self.dtls.state is DtlsState.CONNECTED

    @property
    def is_over(self) -> bool:
        """Whether the node said goodbye."""
        return self.dtls is not None and self.dtls.state in (DtlsState.CLOSED, DtlsState.FAILED)

    def receive(self) -> list[bytes]:
        """Handle what has arrived; encrypted RTP and RTCP is handed back."""
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
        """STUN or DTLS."""
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
        """The plain packet."""
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
