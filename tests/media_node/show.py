"""A running node and independent parties for tests: aiortc publishers and viewers, and plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import aiohttp
import av
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack

from bench.media.client import MediaClient
from media_node.config import Limits, NodeConfig
from media_node.grants import SOURCES, Grant, Role, Source, Stage, control_sign, grant_sign
from media_node.node import Node

SECRET = "a secret of the tests, long enough for anybody"
ROOM = "6f1c1e6e-0000-4000-8000-000000000001"
SDP = "application/sdp"


class ShadedVideo(MediaStreamTrack):
    """Frames of 160x120 with a moving bar, 20 a second."""

    kind = "video"

    def __init__(self, shade: int = 200) -> None:
        super().__init__()
        self._shade = shade
        self._number = 0
        self._started = time.monotonic()

    async def recv(self) -> av.VideoFrame:
        self._number += 1
        await asyncio.sleep(max(0.0, self._started + self._number / 20 - time.monotonic()))
        image = numpy.full((120, 160, 3), self._shade, dtype=numpy.uint8)
        image[:, (self._number * 8) % 150 :][:, :10] = 0
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = self._number * 4500, Fraction(1, 90000)
        return frame


class Watcher:
    """An aiortc viewer that decodes everything."""

    def __init__(self, connection: RTCPeerConnection, location: str, answer: str) -> None:
        self.connection = connection
        self.location = location
        self.answer = answer
        self.frames = 0
        self.audio_frames = 0
        self.brightness: list[float] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def consume(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(Exception):
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    self.frames += 1
                    self.brightness.append(float(frame.to_ndarray(format="gray").mean()))
                else:
                    self.audio_frames += 1

    async def sees(self, count: int, *, seconds: float = 10.0) -> None:
        """Wait until `count` more frames have been decoded."""
        goal = self.frames + count
        await eventually(lambda: self.frames >= goal, seconds=seconds)


class Show:
    """One node, one room by default, and its participants."""

    def __init__(self, node: Node, client: aiohttp.ClientSession) -> None:
        self.node = node
        self.engine = node.engine
        self.client = client
        self.url = f"http://127.0.0.1:{node.http.port}"
        self._closing: list[Any] = []

    # -- plain HTTP

    def token(
        self,
        user: str = "ada",
        role: Role = "publisher",
        *,
        session: str = ROOM,
        node: str = "local",
        age: float = 0.0,
        lifetime: float = 600.0,
        secret: str = SECRET,
        stage: Stage = "",
        sources: tuple[Source, ...] = SOURCES,
    ) -> str:
        issued = time.time() - age
        return grant_sign(
            secret=secret,
            grant=Grant(
                sub=user,
                jti=uuid.uuid4().hex,
                session=session,
                role=role,
                name=user.title(),
                node=node,
                iat=issued,
                exp=issued + lifetime,
                stage=stage,
                sources=sources,
            ),
        )

    async def call(
        self, method: str, path: str, *, token: str | None = None, body: str | bytes | None = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Return status, headers, and the body: parsed when it is JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self.client.request(method, self.url + path, data=body, headers=sent) as response:
            is_json = response.content_type == "application/json"
            return response.status, response.headers, (await response.json() if is_json else await response.text())

    async def offer(
        self, protocol: str, sdp: str, *, token: str, session: str = ROOM, query: str = "", **headers: str
    ) -> tuple[int, Any, Any]:
        return await self.call(
            "POST", f"/{protocol}/{session}{query}", token=token, body=sdp, **{"Content_Type": SDP, **headers}
        )

    async def control(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        token = control_sign(secret=SECRET, node="local")
        status, _, answer = await self.call(method, path, token=token, body=body)
        return status, answer

    # -- aiortc

    async def publish(
        self,
        user: str = "ada",
        *,
        codec: str | None = None,
        shade: int = 200,
        reroute: Callable[[str], str] = str,
        with_audio: bool = True,
    ) -> RTCPeerConnection:
        """Connect a publisher that sends; return once the node reports it live."""
        connection = RTCPeerConnection()
        self._closing.append(connection.close)
        if with_audio:
            connection.addTrack(AudioStreamTrack())
        connection.addTrack(ShadedVideo(shade))
        if codec is not None:
            wanted = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == codec]
            connection.getTransceivers()[-1].setCodecPreferences(wanted)
        await self._negotiate(connection, "whip", self.token(user), reroute)
        await eventually(lambda: self.publisher(user) is not None and self.engine.rooms[ROOM].is_live)
        return connection

    async def watch(self, user: str = "ben", *, reroute: Callable[[str], str] = str) -> Watcher:
        """Connect a viewer that decodes."""
        connection = RTCPeerConnection()
        self._closing.append(connection.close)
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")
        watcher = Watcher(connection, "", "")
        connection.on("track", lambda track: watcher.tasks.append(asyncio.ensure_future(watcher.consume(track))))
        watcher.location, watcher.answer = await self._negotiate(
            connection, "whep", self.token(user, "subscriber"), reroute
        )
        return watcher

    def publisher(self, user: str = "ada") -> Any:
        """Return the node's side of a live publication."""
        room = self.engine.rooms.get(ROOM)
        return room.publishers.get(user) if room is not None else None

    async def _negotiate(
        self, connection: RTCPeerConnection, protocol: str, token: str, reroute: Callable[[str], str]
    ) -> tuple[str, str]:
        await connection.setLocalDescription(await connection.createOffer())
        status, headers, answer = await self.offer(protocol, connection.localDescription.sdp, token=token)
        assert status == 201, answer
        answer = reroute(answer)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return headers["Location"], answer

    # -- synthetic parties

    async def synthetic(self, role: str, user: str, **options: Any) -> MediaClient:
        """Connect a synthetic party with keys, media still to be sent."""
        client = MediaClient(role, **options)  # type: ignore[arg-type]
        self._closing.append(client.close)
        is_publisher = role == "publisher"
        token = self.token(user, "publisher" if is_publisher else "subscriber")
        status, _, answer = await self.offer("whip" if is_publisher else "whep", client.offer(), token=token)
        assert status == 201, answer
        client.set_answer(answer)
        await asyncio.to_thread(client.connect)
        return client

    async def end(self) -> None:
        for close in self._closing:
            result = close()
            if result is not None:
                await result
        await self.node.stop()


@contextlib.asynccontextmanager
async def running(*, limits: Limits | None = None, **options: Any) -> AsyncIterator[Show]:
    """Run a node on free ports for the length of the block."""
    generous = limits or Limits(posts_per_user=1000, posts_per_user_burst=1000)
    node = Node(NodeConfig(secret=SECRET, udp_port=0, http_port=0, limits=generous, **options))
    await node.start()
    async with aiohttp.ClientSession() as client:
        show = Show(node, client)
        try:
            yield show
        finally:
            await show.end()


async def eventually(holds: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until a condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        await asyncio.sleep(0.02)
