"""The UDP port: demultiplexing of STUN, DTLS and SRTP (RFC 7983) and dispatch to peers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import time
from typing import TYPE_CHECKING

from media_node.wire.stun import BINDING_REQUEST, USERNAME, Address, StunInvalid, stun_parse

if TYPE_CHECKING:
    from media_node.forwarding.slot import Send
    from media_node.rooms.peer import Peer
    from media_node.rooms.token_buckets import QuietLog
    from media_node.stats import Stats

logger = logging.getLogger(__name__)

BUFFER_BYTES = 8 * 1024 * 1024
BATCH = 64
_DATAGRAM_BYTES = 2048
# Linux constants missing from the socket module. They set a buffer above the system limit if permitted.
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33


class PortInUse(OSError):
    """The port is in use or not permitted."""


class UdpPort:
    """The sockets of one port (IPv4, and IPv6 where available) and the peers by address."""

    def __init__(self, *, stats: Stats, quiet: QuietLog) -> None:
        self.by_ufrag: dict[str, Peer] = {}
        self.by_address: dict[Address, Peer] = {}
        self.port = 0
        self.has_ipv6 = False
        self._stats = stats
        self._quiet = quiet
        self._sockets: list[socket.socket] = []

    def open(self, *, host: str, port: int) -> None:
        """Bind and start reading on the running loop. Raises PortInUse."""
        is_six_only = ":" in host
        if not is_six_only:
            first = _bound(socket.AF_INET, host, port)
            self._sockets.append(first)
            port = first.getsockname()[1]
        if is_six_only or (not host and socket.has_ipv6):
            self._open_six(host=host, port=port, is_required=is_six_only)
        self.port = self._sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        for opened in self._sockets:
            loop.add_reader(opened.fileno(), self._readable, opened)

    def close(self) -> None:
        """Stop reading and free the port."""
        for opened in self._sockets:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(opened.fileno())
            opened.close()
        self._sockets.clear()

    def transmit(self, data: bytes, *, address: Address, send: Send) -> None:
        """Send a datagram other than media. If sending fails, it is lost, as on any network."""
        try:
            send(data, address)
        except OSError:
            self._stats.packets_failed += 1

    def _open_six(self, *, host: str, port: int, is_required: bool) -> None:
        try:
            self._sockets.append(_bound(socket.AF_INET6, host or "::", port))
            self.has_ipv6 = True
        except OSError as error:
            if is_required or isinstance(error, PortInUse):
                self.close()
                raise
            logger.info("no IPv6 on this machine error=%s", error.strerror)

    def _readable(self, opened: socket.socket) -> None:
        receive, send = opened.recvfrom, opened.sendto
        now = time.monotonic()
        for _ in range(BATCH):
            try:
                data, address = receive(_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # A pending ICMP error of an earlier send. The socket is fine.
                continue
            self._stats.datagrams_received += 1
            if not data:
                continue
            try:
                self._dispatch(data, address, send=send, now=now)
            except Exception as error:
                # No datagram may end the loop.
                self._stats.errors += 1
                self._quiet.failure("datagram handling failed", now=now, error=error)

    def _dispatch(self, data: bytes, address: Address, *, send: Send, now: float) -> None:
        first = data[0]
        if first < 4:
            self._stun(data, address, send=send, now=now)
            return
        peer = self.by_address.get(address)
        if peer is None:
            self._stats.datagrams_unknown += 1
        elif 128 <= first <= 191 and len(data) > 1:
            if 192 <= data[1] <= 223:
                peer.receive_rtcp(data, now=now)
            else:
                peer.receive_rtp(data, now=now)
        elif 20 <= first <= 63:
            peer.receive_dtls(data, now=now)

    def _stun(self, data: bytes, address: Address, *, send: Send, now: float) -> None:
        try:
            message = stun_parse(data)
        except StunInvalid:
            self._stats.datagrams_unknown += 1
            return
        if message.type != BINDING_REQUEST:
            return
        ours, _, theirs = message.attributes.get(USERNAME, b"").partition(b":")
        peer = self.by_ufrag.get(ours.decode("ascii", "replace"))
        if peer is None or theirs != peer.remote_ufrag.encode():
            self._stats.datagrams_unknown += 1
            return
        peer.check(message, address=address, send=send, now=now)


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        _enlarge(opened)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortInUse(error.errno, error.strerror) from None
        raise
    return opened


def _enlarge(opened: socket.socket) -> None:
    for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:
            # Not privileged: use the size that the system allows.
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
