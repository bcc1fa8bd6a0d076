"""WHIP and WHEP for shows on an external server. The exchange passes here, media do not.

The client knows only this product's address and token. The guarantees are in
`streams.services.provider.gateway_connections`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from livestream.database import GATEWAYS
from livestream.errors import BodyTooBig, DomainError, Invalid, Unavailable
from livestream.rest import client_address, error_response, public_prefix
from media_node.cors import CORS, PREFLIGHT
from providers.interface import MediaRole
from streams.services.provider.gateway_connections import resource_amend, resource_close, resource_open

OFFER_LIMIT_BYTES, FRAGMENT_LIMIT_BYTES = 256 * 1024, 64 * 1024
OFFER_TYPE, FRAGMENT_TYPE = "application/sdp", "application/trickle-ice-sdpfrag"
# Each exchange occupies a thread until the other server has answered. The remaining threads refuse further ones at
# once.
AT_ONCE = GATEWAYS.size * 4 // 5
ROLES = {"whip": MediaRole.PUBLISHER, "whep": MediaRole.SUBSCRIBER}

_exchanges = threading.BoundedSemaphore(AT_ONCE)


def media_gateway(request: HttpRequest, protocol: str, session: UUID, resource: str | None) -> HttpResponse:
    """Serve a request to a session's endpoint or to one of its resources."""
    methods = {"DELETE": _delete, "PATCH": _patch} if resource else {"POST": _post}
    allowed = ", ".join([*methods, "OPTIONS"])
    try:
        if request.method == "OPTIONS":
            response = HttpResponse(status=204, headers={**PREFLIGHT, "Access-Control-Allow-Methods": allowed})
            response["Accept-Patch" if resource else "Accept-Post"] = FRAGMENT_TYPE if resource else OFFER_TYPE
        elif handler := methods.get(request.method or ""):
            with _counted_exchange():
                response = handler(request, session, ROLES[protocol], resource or "")
        else:
            response = _refused(Invalid("invalid", "This endpoint doesn't support that method."), status=405)
            response["Allow"] = allowed
    except DomainError as error:
        response = error_response(error)
    if response.status_code == 401:
        response["WWW-Authenticate"] = 'Bearer realm="media"'
    for name, value in {**CORS, "Cache-Control": "no-store"}.items():
        response[name] = value
    return response


@contextmanager
def _counted_exchange() -> Iterator[None]:
    """Count an exchange that waits for another server; their number is limited. Raises Unavailable."""
    if not _exchanges.acquire(blocking=False):
        raise Unavailable("media.unavailable", "The video server is busy. Try again in a moment.", retry_after=2)
    try:
        yield
    finally:
        _exchanges.release()


def _post(request: HttpRequest, session: UUID, role: MediaRole, resource: str) -> HttpResponse:
    offer = _body(request, OFFER_TYPE, OFFER_LIMIT_BYTES)
    row, opened = resource_open(
        session_id=session, role=role, token=_bearer(request), offer=offer, address=client_address(request)
    )
    response = HttpResponse(opened.answer, status=201, content_type=OFFER_TYPE)
    response["Location"] = f"{public_prefix(request)}{request.path_info.rstrip('/')}/{row.name}"
    response["Accept-Patch"] = FRAGMENT_TYPE
    if opened.etag:
        response["ETag"] = opened.etag
    if opened.links:
        response["Link"] = ", ".join(opened.links)
    return response


def _patch(request: HttpRequest, session: UUID, role: MediaRole, resource: str) -> HttpResponse:
    fragment = _body(request, FRAGMENT_TYPE, FRAGMENT_LIMIT_BYTES)
    amended = resource_amend(
        session_id=session,
        role=role,
        name=resource,
        token=_bearer(request),
        fragment=fragment,
        if_match=request.headers.get("If-Match", ""),
    )
    response = HttpResponse(amended.answer, status=amended.status, content_type=FRAGMENT_TYPE)
    if amended.etag:
        response["ETag"] = amended.etag
    return response


def _delete(request: HttpRequest, session: UUID, role: MediaRole, resource: str) -> HttpResponse:
    # 200, not 204: OBS treats any other status as a failure.
    resource_close(session_id=session, role=role, name=resource, token=_bearer(request))
    return HttpResponse(status=200)


class UnsupportedMedia(DomainError):
    """The body has the wrong media type."""

    status, code, message = 415, "media.unsupported_media", "Send the offer as application/sdp."


def _body(request: HttpRequest, kind: str, limit: int) -> bytes:
    if (request.content_type or "").lower() != kind:
        raise UnsupportedMedia(message=f"Send it as {kind}.")
    body = request.read(limit + 1)
    if len(body) > limit:
        raise BodyTooBig("media.too_large", "An offer is at most 256 KiB.")
    return bytes(body)


def _bearer(request: HttpRequest) -> str:
    """Return the token, or an empty text, which grants nothing."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refused(error: DomainError, *, status: int) -> HttpResponse:
    error.status = status
    return error_response(error)
