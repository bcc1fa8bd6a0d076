"""A raw WebSocket client (RFC 6455), for bytes that no conforming client sends."""

import asyncio
import base64
import os
import socket
import struct
from dataclasses import dataclass

MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    announce: int | None = None,
) -> bytes:
    """Return a client's frame. `rsv` holds the three reserved bits; `announce` is a false length."""
    length = len(payload) if announce is None else announce
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, mask_bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, length)
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


@dataclass
class RawSocket:
    """A connection that was upgraded, or is about to be."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    response: str = ""

    async def upgrade(self, session_id: str, *, headers: str = "") -> None:
        """Request the room socket; the answer's head is `response`."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            (
                f"GET /ws/live/{session_id}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
            ).encode()
        )
        self.response = (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the server's next frame. Raises IncompleteReadError at the end."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(length)

    async def close_code(self, seconds: float = 10.0) -> int | None:
        """Read until the server closes; return the code of its close frame, None when there was none."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    opcode, payload = await self.read_frame()
                    if opcode == 8:
                        return int(struct.unpack("!H", payload[:2])[0]) if payload else 1005
            except (asyncio.IncompleteReadError, ConnectionError):
                return None

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def close(self) -> None:
        self.writer.transport.abort()


async def raw_connect(port: int, *, receive_buffer: int | None = None) -> RawSocket:
    """Open a TCP connection; with a tiny receive buffer on request. Nothing is read ahead."""
    plain = socket.socket()
    plain.setblocking(False)
    if receive_buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=4 * 1024 * 1024)
    return RawSocket(reader, writer)
