"""The control API, by which web observes and controls the node. All calls except health and metrics are signed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from media_node.errors import MediaRefused, TokenInvalid, Unknown
from media_node.grants import STAGES, GrantInvalid, control_verify
from media_node.http.whip import bearer_of, body_text, json_object
from media_node.rooms.stage import MUTE_KINDS
from media_node.stats import metrics_text

if TYPE_CHECKING:
    from media_node.rooms.engine import Engine

_BODY_LIMIT_BYTES = 16 * 1024


class ControlEndpoints:
    """HTTP handlers that verify the request, call the engine and respond."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[web.RouteDef]:
        """Return all routes of the control API."""
        room, user = "/rooms/{session}", "/rooms/{session}/participants/{user}"
        return [
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
            web.get("/rooms", self.rooms),
            web.get(room, self.room),
            web.delete(room, self.close_room),
            web.delete(user, self.close_user),
            web.delete(user + "/publications", self.close_publications),
            web.post(user + "/mute", self.mute),
            web.post(user + "/stage", self.set_stage),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Respond as long as the event loop runs."""
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
        """Return metrics for Prometheus."""
        engine = self._engine
        text = metrics_text(stats=engine.stats, gauges=engine.gauges(), node=engine.config.node)
        return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async def rooms(self, request: web.Request) -> web.Response:
        """List all rooms."""
        self._require_control(request)
        return web.json_response(self._engine.rooms_summary())

    async def room(self, request: web.Request) -> web.Response:
        """Return one room; 404 if it does not exist."""
        self._require_control(request)
        room = self._engine.rooms.get(request.match_info["session"])
        if room is None:
            raise Unknown()
        return web.json_response(room.summary())

    async def close_room(self, request: web.Request) -> web.Response:
        """End the media of a session. Its grants are refused from now on, even if the room is unknown here."""
        self._require_control(request)
        self._engine.close_room(request.match_info["session"])
        return web.Response(status=204)

    async def close_user(self, request: web.Request) -> web.Response:
        """Remove a user from a session."""
        self._require_control(request)
        self._engine.close_user(session=request.match_info["session"], user=request.match_info["user"])
        return web.Response(status=204)

    async def mute(self, request: web.Request) -> web.Response:
        """Mute or unmute a user's audio, video or screen by stopping or resuming its forwarding."""
        self._require_control(request)
        body = await _json(request)
        kind, is_muted = str(body.get("kind")), body.get("muted")
        if kind not in MUTE_KINDS.values() or not isinstance(is_muted, bool):
            raise MediaRefused('Send {"kind": "audio", "video" or "screen", "muted": true or false}.')
        change = self._engine.mute if is_muted else self._engine.unmute
        change(session=request.match_info["session"], user=request.match_info["user"], kind=kind)
        return web.Response(status=204)

    async def close_publications(self, request: web.Request) -> web.Response:
        """Close a user's publications. They may continue to watch."""
        self._require_control(request)
        self._engine.close_publications(session=request.match_info["session"], user=request.match_info["user"])
        return web.Response(status=204)

    async def set_stage(self, request: web.Request) -> web.Response:
        """Set a user's stage role. It takes effect at once in the tables they watch."""
        self._require_control(request)
        value = (await _json(request)).get("stage")
        stage = next((stage for stage in STAGES if stage == value), None)
        if stage is None:
            raise MediaRefused('Send {"stage": "host", "cohost", "guest" or ""}.')
        session, user = request.match_info["session"], request.match_info["user"]
        self._engine.set_stage(session=session, user=user, stage=stage)
        return web.Response(status=204)

    def _require_control(self, request: web.Request) -> None:
        config = self._engine.config
        try:
            control_verify(token=bearer_of(request), secret=config.secret, node=config.node)
        except GrantInvalid:
            raise TokenInvalid("The control token is missing, expired or not for this node.") from None


async def _json(request: web.Request) -> dict[str, Any]:
    return json_object(await body_text(request, limit=_BODY_LIMIT_BYTES))
