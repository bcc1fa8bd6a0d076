"""The control API: how web watches and steers the node. Every call but health and metrics is signed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from streams.media.errors import MediaRefused, TokenInvalid, Unknown
from streams.media.grants import GrantInvalid, control_verify
from streams.media.stats import metrics_text
from streams.media.whip import BODY_SECONDS, bearer_of

if TYPE_CHECKING:
    from streams.media.engine import Engine

_BODY_LIMIT_BYTES = 1024


class ControlEndpoints:
    """The handlers; they verify, ask the engine, and answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[web.RouteDef]:
        """All addresses of the control API."""
        room, user = "/rooms/{session}", "/rooms/{session}/participants/{user}"
        return [
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
            web.get("/rooms", self.rooms),
            web.get(room, self.room),
            web.delete(room, self.close_room),
            web.delete(user, self.close_user),
            web.post(user + "/mute", self.mute),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Answers as long as the loop runs."""
        engine = self._engine
        return web.json_response(
            {
                "status": "ok",
                "node": engine.config.node,
                "epoch": engine.epoch,
                "rooms": len(engine.rooms),
                "peers": len(engine.peers),
                "udp_port": engine.udp.port,
                "uptime_seconds": round(time.monotonic() - engine.started_at, 1),
            }
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """For Prometheus."""
        engine = self._engine
        text = metrics_text(stats=engine.stats, gauges=engine.gauges(), node=engine.config.node)
        return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def rooms(self, request: web.Request) -> web.Response:
        """Every room."""
        self._require_control(request)
        return web.json_response(self._engine.rooms_summary())

    async def room(self, request: web.Request) -> web.Response:
        """One room; 404 when nobody is in it."""
        self._require_control(request)
        room = self._engine.rooms.get(request.match_info["session"])
        if room is None:
            raise Unknown()
        return web.json_response(room.summary())

    async def close_room(self, request: web.Request) -> web.Response:
        """End the media of a session, known or not: the grants are refused in any case."""
        self._require_control(request)
        self._engine.close_room(request.match_info["session"])
        return web.Response(status=204)

    async def close_user(self, request: web.Request) -> web.Response:
        """Put a user out of a session."""
        self._require_control(request)
        self._engine.close_user(session=request.match_info["session"], user=request.match_info["user"])
        return web.Response(status=204)

    async def mute(self, request: web.Request) -> web.Response:
        """Stop or start forwarding a user's audio or video."""
        self._require_control(request)
        body = await _json(request)
        kind, is_muted = body.get("kind"), body.get("muted")
        if kind not in ("audio", "video") or not isinstance(is_muted, bool):
            raise MediaRefused('Send {"kind": "audio" or "video", "muted": true or false}.')
        change = self._engine.mute if is_muted else self._engine.unmute
        change(session=request.match_info["session"], user=request.match_info["user"], kind=kind)
        return web.Response(status=204)

    def _require_control(self, request: web.Request) -> None:
        config = self._engine.config
        try:
            control_verify(token=bearer_of(request), secret=config.secret, node=config.node)
        except GrantInvalid:
            raise TokenInvalid("The control token is missing, expired or not for this node.") from None


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await request.content.read(_BODY_LIMIT_BYTES + 1)
        value = json.loads(body[:_BODY_LIMIT_BYTES])
    except (ValueError, TimeoutError, RecursionError):
        raise MediaRefused("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise MediaRefused("The body is not a JSON object.")
    return value
