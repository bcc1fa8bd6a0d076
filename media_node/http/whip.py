"""WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from media_node.cors import CORS, PREFLIGHT
from media_node.errors import (
    MediaRefused,
    OfferInvalid,
    TokenInvalid,
    TooLarge,
    TooMany,
    Unknown,
    UnsupportedMedia,
    WrongRole,
    WrongSession,
)
from media_node.grants import Grant, GrantInvalid, Role, grant_verify
from media_node.http.ice_servers import ice_server_links
from media_node.rooms.peer import Peer
from media_node.rooms.viewer import Viewer

if TYPE_CHECKING:
    from media_node.config import NodeConfig
    from media_node.rooms.engine import Engine

OFFER_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
BODY_SECONDS = 10.0
FRAGMENT_LIMIT_BYTES, LAYER_REQUEST_LIMIT_BYTES = 64 * 1024, 16 * 1024
_ROLES: dict[str, Role] = {"whip": "publisher", "whep": "subscriber"}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,64}){1,8}")
_ENTITY_TAG = r'(?:W/)?"[^"\s]{0,64}"'
_ENTITY_TAGS = re.compile(rf"{_ENTITY_TAG}(?:\s*,\s*{_ENTITY_TAG}){{0,15}}")
_FRAGMENT = re.compile(r"[a-z]=[^\r\n]*(?:\r?\n[a-z]=[^\r\n]*)*")


class WhipEndpoints:
    """HTTP handlers that parse the request, call the engine and respond."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint and resource routes of both protocols."""
        # Forms often append a slash to the address.
        endpoint, resource = r"/{protocol:whip|whep}/{session}{_:/?}", r"/{protocol:whip|whep}/{session}/{resource}"
        watched = r"/{protocol:whep}/{session}/{resource}"
        return [
            web.route("POST", endpoint, self.create),
            web.route("OPTIONS", endpoint, self.endpoint_options),
            web.route("DELETE", resource, self.delete),
            web.route("PATCH", resource, self.patch),
            web.route("OPTIONS", resource, self.resource_options),
            web.route("GET", watched, self.received),
            web.route("POST", watched + "/layers", self.request_layers),
            web.route("OPTIONS", watched + "/layers", self.layers_options),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Create a resource from an SDP offer and return the SDP answer."""
        protocol, session = request.match_info["protocol"], session_of(request)
        token, grant = self._grant(request)
        if grant.session != session:
            raise WrongSession()
        if grant.role != _ROLES[protocol]:
            raise WrongRole()
        if request.content_type.lower() != OFFER_TYPE:
            raise UnsupportedMedia()
        sdp = await body_text(request, limit=self._engine.config.limits.offer_bytes)
        watch = partial(self._engine.watch, is_audience=request.query.get("as") == "audience")
        join = self._engine.publish if protocol == "whip" else watch
        peer, answer = join(grant=grant, token=token, sdp=sdp, caller=caller_of(request, self._engine.config))
        response = web.Response(status=201, body=answer.encode(), content_type=OFFER_TYPE)
        response.headers["Location"] = f"{prefix_of(request)}/{protocol}/{session}/{peer.resource}"
        response.headers["ETag"] = peer.etag
        response.headers["Accept-Patch"] = FRAGMENT_TYPE
        self._add_links(response, grant)
        return response

    async def delete(self, request: web.Request) -> web.Response:
        """Delete the resource."""
        peer = self._own_peer(request)
        peer.close("closed")
        return web.Response(status=200)

    async def patch(self, request: web.Request) -> web.Response:
        """Accept trickled candidates, which are not needed: an ICE-lite agent sends no checks. ICE restarts are not
        supported (RFC 9725 section 4.3)."""
        peer = self._own_peer(request)
        if request.content_type.lower() != FRAGMENT_TYPE:
            raise UnsupportedMedia(f"Send the fragment as {FRAGMENT_TYPE}.")
        fragment = await body_text(request, limit=FRAGMENT_LIMIT_BYTES)
        condition = request.headers.get("If-Match")
        if condition is None:
            return _refusal(428, "The request needs an If-Match header.")
        if not _FRAGMENT.fullmatch(fragment.strip("\r\n")):
            return _refusal(422, "The fragment cannot be read.")
        ufrag = re.search(r"^a=ice-ufrag:([^\r\n]*)", fragment, re.MULTILINE)
        if condition.strip() == "*" or (ufrag and ufrag.group(1).strip() != peer.remote_ufrag):
            # RFC 9725 section 4.3: the status for servers that support trickle ICE but no restart.
            return _refusal(422, "This server does not restart ICE; connect anew.")
        if peer.etag not in strong_tags(condition):
            return _refusal(412, "The ICE session has changed.")
        return web.Response(status=204)

    async def received(self, request: web.Request) -> web.Response:
        """Return the current source and layer of each section of this resource."""
        viewer = self._own_viewer(request)
        return web.json_response(viewer.room.stage.summary_for(viewer))

    async def request_layers(self, request: web.Request) -> web.Response:
        """Update the viewer's requested quality and tile sizes."""
        viewer = self._own_viewer(request)
        if not viewer.may_request_layers(time.monotonic()):
            raise TooMany(retry_after=1)
        viewer.request_layers(json_object(await body_text(request, limit=LAYER_REQUEST_LIMIT_BYTES)))
        return web.Response(status=204)

    async def layers_options(self, request: web.Request) -> web.Response:
        """Answer the CORS preflight for a resource's layers."""
        return web.Response(status=204, headers={**PREFLIGHT, "Access-Control-Allow-Methods": "POST, OPTIONS"})

    async def endpoint_options(self, request: web.Request) -> web.Response:
        """Answer the CORS preflight and OPTIONS with the accepted content type."""
        return web.Response(
            status=204,
            headers={
                **PREFLIGHT,
                "Access-Control-Allow-Methods": "POST, OPTIONS",
                "Accept-Post": OFFER_TYPE,
            },
        )

    async def resource_options(self, request: web.Request) -> web.Response:
        """Answer the CORS preflight for a resource."""
        return web.Response(
            status=204,
            headers={
                **PREFLIGHT,
                "Access-Control-Allow-Methods": "DELETE, PATCH, GET, OPTIONS",
                "Accept-Patch": FRAGMENT_TYPE,
            },
        )

    def _grant(self, request: web.Request) -> tuple[str, Grant]:
        token = bearer_of(request)
        try:
            grant = grant_verify(token=token, secret=self._engine.config.secret)
        except GrantInvalid:
            raise TokenInvalid() from None
        self._engine.require_not_revoked(grant)
        return token, grant

    def _own_peer(self, request: web.Request) -> Peer:
        """Return the addressed resource if the caller owns it.

        The owner presents the token that created it, or a valid grant of the same user in the same session. For anyone
        else it does not exist (Unknown).
        """
        peer = self._engine.peers.get(request.match_info["resource"])
        token = bearer_of(request)
        is_addressed = (
            peer is not None
            and peer.session == session_of(request)
            and peer.role == _ROLES[request.match_info["protocol"]]
        )
        if peer is not None and is_addressed and peer.made_with(token):
            return peer
        _, grant = self._grant(request)
        if peer is None or not is_addressed or (grant.session, grant.sub) != (peer.session, peer.user):
            raise Unknown()
        return peer

    def _own_viewer(self, request: web.Request) -> Viewer:
        peer = self._own_peer(request)
        if not isinstance(peer, Viewer):
            raise Unknown()
        return peer

    def _add_links(self, response: web.Response, grant: Grant) -> None:
        config = self._engine.config
        for link in ice_server_links(urls=config.turn_urls, secret=config.turn_secret, user=grant.sub, now=time.time()):
            response.headers.add("Link", link)


async def body_text(request: web.Request, *, limit: int) -> str:
    """Read the body, up to a limit in bytes. Raises MediaRefused."""
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.read(limit + 1 - len(body)):
                body += chunk
                if len(body) > limit:
                    raise TooLarge()
        return body.decode()
    except UnicodeDecodeError:
        raise OfferInvalid("The body is not UTF-8 text.") from None
    except TimeoutError:
        raise OfferInvalid("The body did not arrive in time.") from None


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object. Raises MediaRefused for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MediaRefused("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise MediaRefused("The body is not a JSON object.")
    return value


def bearer_of(request: web.Request) -> str:
    """Return the request's bearer token. Raises TokenInvalid if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenInvalid()
    return token.strip()


def caller_of(request: web.Request, config: NodeConfig) -> str | None:
    """Return the client address for rate limits. Behind a trusted proxy it comes from X-Forwarded-For; without that
    header there is None, and only users are counted."""
    remote = request.remote or ""
    if not config.trusts(remote):
        return remote or None
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return forwarded[:64] or None


def session_of(request: web.Request) -> str:
    """Return the addressed session. UUIDs are case-insensitive (RFC 9562 section 4)."""
    session = request.match_info["session"]
    return session.lower() if _UUID.fullmatch(session) else session


def prefix_of(request: web.Request) -> str:
    """Return the path prefix that the proxy states, used only in the response to the same request.

    A relative Location would need no prefix, but OBS resolves any Location as a path from the root.
    """
    prefix = request.headers.get("X-Forwarded-Prefix", "").rstrip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""


def strong_tags(condition: str) -> list[str]:
    """Return the entity tags of If-Match that a strong comparison may match (RFC 9110 section 13.1.1)."""
    if not _ENTITY_TAGS.fullmatch(condition.strip()):
        return []
    return [tag for tag in re.findall(r'(?:W/)?"[^"]*"', condition) if not tag.startswith("W/")]


def cors_headers(path: str) -> dict[str, str]:
    """Return the CORS headers for a path. All WHIP and WHEP responses carry them, including errors."""
    return CORS if path.startswith(("/whip/", "/whep/")) else {}


def _refusal(status: int, message: str) -> web.Response:
    refused = MediaRefused(message)
    return web.json_response(refused.body(), status=status)
