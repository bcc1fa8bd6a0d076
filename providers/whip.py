"""Any server that supports WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep), behind this product's own address.

Browsers and encoders connect to this product, with its tokens. It connects to the server with the server's credential,
which is never passed on: a JSON Web Token (RFC 7519) made for each request from a shared secret, or one fixed token. So
people can be removed although the server does not know them: their connections are ended there, and their tokens are
refused here.
"""

import json
import re
import time
from datetime import datetime, timedelta
from urllib.parse import urljoin, urlsplit

import jwt
from django.conf import settings

from livestream.errors import ProviderRejected
from livestream.identifiers import secret_token
from providers.base_adapter import Adapter
from providers.builtin import ice_servers
from providers.http import Answer, ProviderHttp
from providers.interface import (
    Amended,
    Capability,
    JoinDescriptor,
    MediaRole,
    Opened,
    PersonRef,
    Resource,
    Revocation,
    RoomRef,
    SettingProblem,
)

SECRET_MIN_CHARACTERS = 32
OFFER_TYPE, FRAGMENT_TYPE = "application/sdp", "application/trickle-ice-sdpfrag"
# A token is used at once. The server's clock may differ by this much.
TOKEN_LEEWAY = timedelta(seconds=60)
REDIRECTS = 2
REDIRECTED = frozenset({307, 308})
GONE = frozenset({404, 410})
URL_LIMIT, LINKS_LIMIT, LINK_LIMIT = 2000, 8, 1000
_LINK = re.compile(r"""<(stun|turn)s?:[^<>]*>((?:\s*;\s*[\w-]+\s*=\s*(?:"[^"<>]*"|[^\s;,"<>]+))*)""", re.IGNORECASE)
_ICE_SERVER = re.compile(r"""\brel\s*=\s*"?ice-server\b""", re.IGNORECASE)


class WhipProvider(Adapter):
    """The adapter of an external WHIP and WHEP server."""

    name = "whip"
    capabilities = frozenset(
        {
            Capability.BROWSER_PUBLISHES,
            Capability.ENCODER_PUBLISHES,
            Capability.PRIVATE_SHOWS,
            Capability.GATEWAY,
        }
    )
    revocation = Revocation.EXACT
    required_settings = ("WHIP_PUBLISH_URL", "WHIP_WATCH_URL")

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name)

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Check that both addresses are http(s) templates and that exactly one kind of token is set."""
        problems = super().settings_problems()
        for name in cls.required_settings:
            template = getattr(settings, name)
            if template and (urlsplit(template).scheme not in ("http", "https") or "{channel}" not in template):
                problems.append(SettingProblem(name, "is not an address with {channel} in it"))
        if bool(settings.WHIP_TOKEN_SECRET) == bool(settings.WHIP_TOKEN):
            hint = "Set WHIP_TOKEN_SECRET (the server checks JWTs), or WHIP_TOKEN (one fixed token); not both."
            problems.append(SettingProblem("WHIP_TOKEN_SECRET", "or WHIP_TOKEN has to be set", hint))
        if 0 < len(settings.WHIP_TOKEN_SECRET) < SECRET_MIN_CHARACTERS:
            problems.append(SettingProblem("WHIP_TOKEN_SECRET", f"is shorter than {SECRET_MIN_CHARACTERS} characters"))
        return problems

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Return this product's own address and an opaque token that is looked up when presented. No call."""
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        publishes = role == MediaRole.PUBLISHER
        protocol = "whip" if publishes else "whep"
        return JoinDescriptor(
            provider=self.name,
            protocol=protocol,
            url=f"{settings.PUBLIC_URL}/{protocol}/{room.session_id}",
            token=secret_token(),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=publishes,
            can_subscribe=not publishes,
            can_admin=is_admin,
            expires_at=expires_at,
            ice_servers=ice_servers(user=person.uid, expires_at=expires_at),
        )

    # ---- One connection ------------------------------------------------------------------------------------------

    def open(self, *, room: RoomRef, uid: str, role: MediaRole, offer: bytes) -> Opened:
        """POST the offer. A response without a separate resource is refused, because the connection could not be
        ended."""
        template: str = settings.WHIP_PUBLISH_URL if role == MediaRole.PUBLISHER else settings.WHIP_WATCH_URL
        url = template.replace("{channel}", room.channel_id)
        headers = {"Content-Type": OFFER_TYPE, "Accept": OFFER_TYPE}
        for _ in range(REDIRECTS + 1):
            answer = self._request("POST", url, room=room, uid=uid, role=role, headers=headers, body=offer)
            if answer.status not in REDIRECTED:
                break
            url = self._own(url, answer.headers.get("Location"))
        if answer.status not in (200, 201):
            raise self._refused(answer)
        resource = self._own(url, answer.headers.get("Location"))
        return Opened(answer.body, resource, etag=_short(answer, "ETag"), links=_ice_links(answer))

    def _refused(self, answer: Answer) -> ProviderRejected:
        """Return the error for a refused offer. If the credential was refused, the message is for the site's
        administrator."""
        if answer.status != 401 and not _says_no_entry(answer):
            return ProviderRejected(self.name, f"answered {answer.status} to an offer", status=answer.status)
        setting = "WHIP_TOKEN" if settings.WHIP_TOKEN else "WHIP_TOKEN_SECRET"
        return ProviderRejected(self.name, f"does not let our own token in: look at {setting}", status=401)

    def amend(self, *, room: RoomRef, resource: Resource, fragment: bytes, if_match: str) -> Amended:
        """PATCH the connection."""
        headers = {"Content-Type": FRAGMENT_TYPE} | ({"If-Match": if_match} if if_match else {})
        answer = self._request(
            "PATCH", resource.url, room=room, uid=resource.uid, role=resource.role, headers=headers, body=fragment
        )
        if answer.status not in (200, 204):
            raise ProviderRejected(self.name, f"answered {answer.status} to a change", status=answer.status)
        return Amended(answer.status, answer.body, etag=_short(answer, "ETag"))

    def end(self, *, room: RoomRef, resource: Resource) -> None:
        """DELETE the connection."""
        answer = self._request("DELETE", resource.url, room=room, uid=resource.uid, role=resource.role)
        if answer.status not in GONE and not 200 <= answer.status < 300:
            raise ProviderRejected(self.name, f"answered {answer.status} to an end", status=answer.status)

    # ---- The wire ------------------------------------------------------------------------------------------------

    def _request(
        self,
        method: str,
        url: str,
        *,
        room: RoomRef,
        uid: str,
        role: MediaRole,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        token = settings.WHIP_TOKEN or _signed(channel=room.channel_id, uid=uid, role=role)
        sent = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", **(headers or {})}
        return self._http.exchange(method, url, headers=sent, body=body)

    def _own(self, base: str, location: str | None) -> str:
        """Resolve a Location on the same origin: the credential goes nowhere else. Raises ProviderRejected."""
        if not location:
            raise ProviderRejected(self.name, "answered without a Location")
        try:
            url = urljoin(base, location)
            same = _origin(url) == _origin(base)
        except ValueError:
            same = False
        if not same or len(url) > URL_LIMIT:
            raise ProviderRejected(self.name, "answered with a Location that is not its own")
        return url


def _says_no_entry(answer: Answer) -> bool:
    """Return whether the body reports a wrong credential. MediaMTX (1.12) uses status 400 for that as for a bad
    offer."""
    if answer.status != 400:
        return False
    try:
        said = json.loads(answer.body)["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    return str(said).startswith("authentication failed")


def _signed(*, channel: str, uid: str, role: MediaRole) -> str:
    """Return a token for one request, signed with HS256."""
    now = time.time()
    claims = {
        "iss": "livestream",
        "sub": uid,
        "jti": secret_token(),
        "channel": channel,
        "role": role.value,
        "iat": int(now - TOKEN_LEEWAY.total_seconds()),
        "nbf": int(now - TOKEN_LEEWAY.total_seconds()),
        "exp": int(now + TOKEN_LEEWAY.total_seconds()),
    }
    return jwt.encode(claims, settings.WHIP_TOKEN_SECRET, algorithm="HS256")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _short(answer: Answer, name: str) -> str:
    value: str = answer.headers.get(name, "")
    return value if len(value) <= LINK_LIMIT else ""


def _ice_links(answer: Answer) -> tuple[str, ...]:
    """Return the relay servers in the response (RFC 9725 section 4.6), without other links."""
    text = ", ".join(answer.headers.getlist("Link"))[: LINKS_LIMIT * LINK_LIMIT]
    found = [link.group() for link in _LINK.finditer(text) if _ICE_SERVER.search(link.group(2))]
    return tuple(found[:LINKS_LIMIT])
