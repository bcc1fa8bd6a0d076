"""A UDP proxy between a party and the node that loses, counts and delays packets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable

Drop = Callable[[bytes], bool]
Delay = Callable[[bytes], float]


def is_media(data: bytes) -> bool:
    """Whether a packet is RTP, and not RTCP, STUN or DTLS."""
    return 128 <= data[0] <= 191 and not 192 <= data[1] <= 223


class EveryNth:
    """Drops one media packet in `n`."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._seen = 0
        self.dropped = 0

    def __call__(self, data: bytes) -> bool:
        if not is_media(data):
            return False
        self._seen += 1
        if self._seen % self._n:
            return False
        self.dropped += 1
        return True


class Bottleneck:
    """A link of limited rate: faster packets wait in a queue, and are dropped when it is full.

    Pass it to a proxy as the dropping function and `wait` as the delaying one. The queue holds as many bytes as the
    link carries in `QUEUE_SECONDS`; a change of the rate applies to later packets, so nothing is overtaken.
    """

    QUEUE_SECONDS = 0.2

    def __init__(self, bits_per_second: float) -> None:
        self.bits_per_second = bits_per_second
        self.dropped = 0
        self.longest_wait = 0.0
        self._free_at = 0.0

    def __call__(self, data: bytes) -> bool:
        now = time.monotonic()
        through_at = max(now, self._free_at) + 8 * len(data) / self.bits_per_second
        if through_at - now > self.QUEUE_SECONDS:
            self.dropped += 1
            return True
        self._free_at = through_at
        return False

    def wait(self, data: bytes) -> float:
        """Return the seconds until the packet that was just queued has gone through."""
        seconds = max(0.0, self._free_at - time.monotonic())
        self.longest_wait = max(self.longest_wait, seconds)
        return seconds


def nothing(data: bytes) -> bool:
    """Drops nothing."""
    return False


def at_once(data: bytes) -> float:
    """Delays nothing."""
    return 0.0


class LossyProxy:
    """Listens on its own port; each party behind it gets its own socket towards the node."""

    def __init__(self, *, node_port: int, to_node: Drop, to_party: Drop, delay_to_party: Delay) -> None:
        self._node_port = node_port
        self._to_node, self._to_party, self._delay_to_party = to_node, to_party, delay_to_party
        self._outward: dict[tuple[str, int], socket.socket] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.port = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Side(self._from_party), local_addr=("0.0.0.0", 0)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        for outward in self._outward.values():
            asyncio.get_running_loop().remove_reader(outward.fileno())
            outward.close()

    def reroute(self, answer: str) -> str:
        """Replace the node by this proxy in the answer, IPv4 only."""
        lines = [
            line
            for line in answer.split("\r\n")
            if not (line.startswith("a=candidate:") and line.split()[4].count(":"))
        ]
        return re.sub(rf" {self._node_port} typ host", f" {self.port} typ host", "\r\n".join(lines))

    def _from_party(self, data: bytes, address: tuple[str, int]) -> None:
        if self._to_node(data):
            return
        outward = self._outward.get(address) or self._open_outward(address)
        outward.send(data)

    def _open_outward(self, address: tuple[str, int]) -> socket.socket:
        outward = self._outward[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        outward.setblocking(False)
        outward.connect(("127.0.0.1", self._node_port))
        asyncio.get_running_loop().add_reader(outward.fileno(), self._from_node, outward, address)
        return outward

    def _from_node(self, outward: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := outward.recv(2048):
                if self._to_party(data):
                    continue
                seconds = self._delay_to_party(data)
                if seconds:
                    asyncio.get_running_loop().call_later(seconds, self._to, address, data)
                else:
                    self._to(address, data)

    def _to(self, address: tuple[str, int], data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data, address)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._take(data, addr)


@contextlib.asynccontextmanager
async def lossy(
    *, node_port: int, to_node: Drop = nothing, to_party: Drop = nothing, delay_to_party: Delay = at_once
) -> AsyncIterator[LossyProxy]:
    """Run a proxy for the length of the block."""
    proxy = LossyProxy(node_port=node_port, to_node=to_node, to_party=to_party, delay_to_party=delay_to_party)
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.close()
