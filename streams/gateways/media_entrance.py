"""WHIP and WHEP on the web process's own origin, forwarded to the media node.

One origin and one certificate suffice; an encoder may also contact the node directly. Shows on an external server have
the same addresses: `streams.gateways.external_whip`.
"""

import asyncio
import logging

import aiohttp
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from livestream.database import CROWDS, GATEWAYS
from livestream.errors import BodyTooBig, Unavailable
from livestream.identifiers import as_uuid
from livestream.rest import client_address, error_response, public_prefix
from providers.interface import Capability
from providers.registry import providers_with
from streams.gateways.external_whip import media_gateway
from streams.services.provider.gateway_connections import session_is_gated

MAX_BODY_BYTES = 256 * 1024
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=2)
FORWARDED = (
    "Authorization",
    "Content-Type",
    "If-Match",
    "Accept",
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
)
RETURNED = (
    "Content-Type",
    "Location",
    "ETag",
    "Link",
    "Allow",
    "Accept-Patch",
    "Accept-Post",
    "Retry-After",
    "WWW-Authenticate",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Vary",
)

logger = logging.getLogger(__name__)
_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}


def _client() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        for stale in [other for other in _sessions if other.is_closed()]:
            del _sessions[stale]
        session = _sessions[loop] = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False)
    return session


async def close_clients() -> None:
    """Close the running loop's connections to the node."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


@csrf_exempt
async def media_proxy(request: HttpRequest, protocol: str, session: str, resource: str | None = None) -> HttpResponse:
    """Forward a WHIP or WHEP request to the media node and return its response. The node checks the bearer token."""
    if providers_with(Capability.GATEWAY):
        session_id = as_uuid(session)
        if session_id is not None and await CROWDS.run(session_is_gated, session_id=session_id):
            return await GATEWAYS.run(media_gateway, request, protocol, session_id, resource)
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return error_response(BodyTooBig("media.too_large", "An offer is at most 256 KiB."))
    headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
    headers["X-Forwarded-For"] = client_address(request)
    headers["X-Forwarded-Prefix"] = public_prefix(request)
    try:
        async with _client().request(
            request.method or "GET",
            settings.MEDIA_URL_INTERNAL + "/" + "/".join(part for part in (protocol, session, resource) if part),
            params={"as": "audience"} if request.GET.get("as") == "audience" else None,
            data=body or None,
            headers=headers,
            allow_redirects=False,
        ) as answer:
            response = HttpResponse(await answer.read(), status=answer.status)
            response.headers.pop("Content-Type", None)
            for name in RETURNED:
                if name in answer.headers:
                    response.headers[name] = answer.headers[name]
            return response
    except (aiohttp.ClientError, TimeoutError) as error:
        logger.warning("media node does not answer error=%s", type(error).__name__)
        message = "The video server isn't responding. Try again in a moment."
        return error_response(Unavailable("media.unavailable", message, retry_after=2))
