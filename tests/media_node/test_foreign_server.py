"""A show through a third-party WHIP and WHEP server, with real media: the whole product, and aiortc on every end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack

from tests.e2e.product import Product
from tests.media_node.foreign_server import serving
from tests.media_node.show import SDP, ShadedVideo, Watcher, eventually

pytestmark = pytest.mark.waits

SECRET = "a secret that the foreign server and we share"
CUT_SECONDS = 2.0


class Person:
    """A person with a demo account, and their credentials."""

    def __init__(self, client: aiohttp.ClientSession, url: str, name: str) -> None:
        self.client, self.url, self.name = client, url, name
        self.access = self.token = self.location = ""
        self.connection = RTCPeerConnection()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        async with self.client.request(method, f"{self.url}/api/v1/{path}", json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def sign_in(self) -> Person:
        _, body = await self.call("POST", "auth/token/", {"username": self.name, "password": "demo"})
        self.access = body["access"]
        return self

    async def offer(self, show: str, role: str) -> tuple[int, str]:
        """Return the product's answer to this person's offer, with their token."""
        if not self.token:
            _, body = await self.call("POST", f"sessions/{show}/token/", {"role": role})
            self.token = body["token"]
        if self.connection.localDescription is None:
            await self.connection.setLocalDescription(await self.connection.createOffer())
        way = {"publisher": "whip", "subscriber": "whep"}[role]
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": SDP}
        sdp = self.connection.localDescription.sdp
        async with self.client.post(f"{self.url}/{way}/{show}", data=sdp, headers=headers) as answer:
            self.location = answer.headers.get("Location", "")
            return answer.status, await answer.text()

    async def connect(self, show: str, role: str) -> None:
        status, answer = await self.offer(show, role)
        assert status == 201, answer
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def send(self, show: str) -> None:
        self.connection.addTrack(AudioStreamTrack())
        self.connection.addTrack(ShadedVideo())
        await self.connect(show, "publisher")

    async def watch(self, show: str) -> Watcher:
        self.connection.addTransceiver("audio", direction="recvonly")
        self.connection.addTransceiver("video", direction="recvonly")
        watcher = Watcher(self.connection, "", "")
        self.connection.on("track", lambda track: watcher.tasks.append(asyncio.ensure_future(watcher.consume(track))))
        await self.connect(show, "subscriber")
        return watcher


@pytest.mark.timeout(180)
async def test_who_is_kicked_loses_the_picture_at_once_and_everybody_else_keeps_it(tmp_path: Path) -> None:
    async with serving(SECRET) as foreign, aiohttp.ClientSession() as client:
        given = {"WHIP_PUBLISH_URL": "{channel}/whip", "WHIP_WATCH_URL": "{channel}/whep"}
        environment = {name: f"{foreign.url}/{path}" for name, path in given.items()} | {"WHIP_TOKEN_SECRET": SECRET}
        product = await asyncio.to_thread(Product, tmp_path, **environment)
        people = [Person(client, product.url, name) for name in ("seller", "buyer", "buyer2")]
        try:
            seller, ben, cleo = [await person.sign_in() for person in people]
            _, made = await seller.call("POST", "sessions/", {"title": "Elsewhere", "provider": "whip"})
            show = made["id"]
            await seller.call("POST", f"sessions/{show}/start/")
            await seller.send(show)
            for person in (ben, cleo):
                await person.call("POST", f"sessions/{show}/join/")
            bens, cleos = await ben.watch(show), await cleo.watch(show)
            await bens.sees(20)
            await cleos.sees(20)
            assert len(foreign.open) == 3

            _, me = await ben.call("GET", "auth/me/")
            status, body = await seller.call("POST", f"sessions/{show}/participants/{me['id']}/kick/")
            assert status == 200, body

            await eventually(lambda: ben.connection.connectionState == "closed", seconds=CUT_SECONDS)
            seen = bens.frames
            await cleos.sees(20)
            assert bens.frames - seen <= 2  # already decoded frames
            assert len(foreign.open) == 2
            assert (await ben.offer(show, "subscriber"))[0] == 401

            await seller.call("POST", f"sessions/{show}/end/")
            assert foreign.open == {}
        finally:
            for person in people:
                await person.connection.close()
            await asyncio.to_thread(product.stop)
