"""A third-party WHIP and WHEP server: aiortc carries the media, and it knows no persons, only tokens."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator

import jwt
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamTrack

ROLES = {"whip": "publisher", "whep": "subscriber"}


class ForeignServer:
    """`open` are its connections by name: channel and direction."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.open: dict[str, tuple[str, str]] = {}
        self.url = ""
        self._connections: dict[str, RTCPeerConnection] = {}
        self._tracks: dict[str, list[MediaStreamTrack]] = {}
        self._relay = MediaRelay()
        self._numbers = itertools.count(1)

    async def make(self, request: web.Request) -> web.Response:
        channel, way = self._checked(request)
        if way == "whep" and not self._tracks.get(channel):
            return web.Response(status=409)
        connection = RTCPeerConnection()
        if way == "whip":
            tracks = self._tracks[channel] = []
            connection.on("track", tracks.append)
        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        for track in self._tracks[channel] if way == "whep" else ():
            connection.addTrack(self._relay.subscribe(track))
        await connection.setLocalDescription(await connection.createAnswer())
        name = str(next(self._numbers))
        self._connections[name], self.open[name] = connection, (channel, way)
        return web.Response(
            status=201,
            text=connection.localDescription.sdp,
            content_type="application/sdp",
            headers={"Location": f"{request.path}/{name}"},
        )

    async def end(self, request: web.Request) -> web.Response:
        named = self._checked(request)
        name = request.match_info["name"]
        if self.open.get(name) != named:
            return web.Response(status=404)
        del self.open[name]
        await self._connections.pop(name).close()
        return web.Response(status=200)

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()

    def _checked(self, request: web.Request) -> tuple[str, str]:
        channel, way = request.match_info["channel"], request.match_info["way"]
        try:
            token = request.headers["Authorization"].removeprefix("Bearer ")
            claims = jwt.decode(token, self.secret, algorithms=["HS256"])
        except (KeyError, jwt.PyJWTError):
            raise web.HTTPUnauthorized from None
        if (claims["channel"], claims["role"]) != (channel, ROLES[way]):
            raise web.HTTPForbidden
        return channel, way


@contextlib.asynccontextmanager
async def serving(secret: str) -> AsyncIterator[ForeignServer]:
    """Run such a server on a free port for the length of the block."""
    server = ForeignServer(secret)
    app = web.Application()
    app.router.add_post("/{channel}/{way:whip|whep}", server.make)
    app.router.add_delete("/{channel}/{way:whip|whep}/{name}", server.end)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await server.close()
        await runner.cleanup()
