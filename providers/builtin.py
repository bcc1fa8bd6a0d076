"""The adapter of the built-in media node, with signed grants and its control API."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import quote

import urllib3
from django.conf import settings

from livestream.database import release_connections
from livestream.errors import ProviderRejected, ProviderUnreachable
from livestream.identifiers import secret_token
from media_node.grants import Grant, Stage, control_sign, grant_sign
from providers.base_adapter import Adapter
from providers.interface import Capability, JoinDescriptor, MediaRole, PersonRef, Revocation, RoomRef

TIMEOUT = urllib3.Timeout(connect=1.0, read=2.0)


class BuiltinProvider(Adapter):
    """Client of `manage.py runmedia`. WHIP and WHEP use the web process's own origin."""

    name = "builtin"
    capabilities = frozenset(
        {
            Capability.MUTE_AT_SERVER,
            Capability.UNMUTE_AT_SERVER,
            Capability.LIVE_ROLES,
            Capability.STAGE,
            Capability.BROWSER_PUBLISHES,
            Capability.ENCODER_PUBLISHES,
            Capability.PRIVATE_SHOWS,
            Capability.HOST_PRESENCE,
            Capability.WEBHOOKS,
        }
    )
    revocation = Revocation.EXACT

    def __init__(self) -> None:
        self._http = urllib3.PoolManager(maxsize=4, retries=False, timeout=TIMEOUT)

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        grant = Grant(
            sub=person.uid,
            jti=secret_token(),
            session=str(room.session_id),
            role=role.value,
            name=person.name,
            node=room.node,
            stage=cast(Stage, person.stage),
            iat=now.timestamp(),
            exp=expires_at.timestamp(),
        )
        protocol = "whip" if role == MediaRole.PUBLISHER else "whep"
        return JoinDescriptor(
            provider=self.name,
            protocol=protocol,
            url=f"{settings.PUBLIC_URL}/{protocol}/{room.session_id}",
            token=grant_sign(grant=grant, secret=settings.MEDIA_SECRET),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=role == MediaRole.PUBLISHER,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=expires_at,
            ice_servers=ice_servers(user=person.uid, expires_at=expires_at),
        )

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        path = f"/rooms/{room.session_id}/participants/{quote(uid, safe='')}/mute"
        self._call("POST", path, {"kind": kind, "muted": muted})

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        path = f"/rooms/{room.session_id}/participants/{quote(uid, safe='')}/stage"
        self._call("POST", path, {"stage": stage})

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        self._call("DELETE", f"/rooms/{room.session_id}/participants/{quote(uid, safe='')}/publications")

    def remove(self, *, room: RoomRef, uid: str) -> None:
        self._call("DELETE", f"/rooms/{room.session_id}/participants/{quote(uid, safe='')}")

    def close(self, *, room: RoomRef) -> None:
        self._call("DELETE", f"/rooms/{room.session_id}")

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        answer = self._call("GET", "/rooms")
        try:
            return {
                session: {entry["user"] for entry in room["publishers"] if entry["connected"]}
                for session, room in answer["rooms"].items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ProviderUnreachable(self.name, "answered something else than rooms") from error

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        token = control_sign(secret=settings.MEDIA_SECRET, node=settings.MEDIA_NODE)
        release_connections()
        try:
            response = self._http.request(
                method,
                settings.MEDIA_URL_INTERNAL + path,
                body=json.dumps(body) if body is not None else None,
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
        except urllib3.exceptions.HTTPError as error:
            raise ProviderUnreachable(self.name, type(error).__name__) from error
        if response.status == 404:
            return {"rooms": {}}
        if response.status >= 500:
            raise ProviderUnreachable(self.name, f"answered {response.status}")
        if response.status >= 400:
            raise ProviderRejected(self.name, f"answered {response.status}")
        try:
            result: dict[str, Any] = json.loads(response.data) if response.data else {}
        except ValueError as error:
            raise ProviderUnreachable(self.name, "answered something else than JSON") from error
        return result


def ice_servers(*, user: str, expires_at: datetime) -> list[dict[str, Any]]:
    """Return TURN servers with an expiring credential (draft-uberti-behave-turn-rest-00); none by default."""
    if not settings.TURN_URLS:
        return []
    username = f"{int(expires_at.timestamp())}:{user}"
    digest = hmac.new(settings.TURN_SECRET.encode(), username.encode(), hashlib.sha1).digest()
    return [{"urls": settings.TURN_URLS, "username": username, "credential": base64.b64encode(digest).decode()}]
