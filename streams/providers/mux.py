"""Mux as a provider: an encoder sends RTMPS to Mux, viewers get HLS.

The stream key is a secret of the host. It is not kept here; Mux is asked for it when the host wants it, and makes
another one when it must not count any more. Viewers get an address; with a signing key the address ends after ten
minutes and is renewed, without one whoever knows it can watch.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from livestream.errors import ProviderRejected
from livestream.identifiers import secret_token
from streams.providers.adapter import Adapter
from streams.providers.base import Capability, JoinDescriptor, MediaRole, PersonRef, RoomRef, SettingProblem
from streams.providers.http import ProviderHttp, text_at

# Mux ends a broadcast after this; so long the key is needed.
BROADCAST_SECONDS = 12 * 3600
RECONNECT_SECONDS = 60


class MuxProvider(Adapter):
    """Mux's cloud."""

    name = "mux"
    required_settings = ("MUX_TOKEN_ID", "MUX_TOKEN_SECRET")

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name)

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """Who may watch can be limited only with a signing key."""
        found = {Capability.NEEDS_ROOM, Capability.DEMOTE_HOLDS, Capability.HOST_PRESENCE}
        if settings.MUX_SIGNING_KEY_ID:
            found |= {Capability.PRIVATE_SHOWS}
        if settings.MUX_WEBHOOK_SIGNING_SECRET:
            found |= {Capability.WEBHOOKS}
        return frozenset(found)

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """A signing key is an id and a base64-encoded private key."""
        problems = super().settings_problems()
        if bool(settings.MUX_SIGNING_KEY_ID) != bool(settings.MUX_SIGNING_PRIVATE_KEY):
            missing = "MUX_SIGNING_PRIVATE_KEY" if settings.MUX_SIGNING_KEY_ID else "MUX_SIGNING_KEY_ID"
            problems.append(SettingProblem(missing, "is not set", "The parts of the signing key go together."))
        elif not settings.MUX_SIGNING_KEY_ID:
            hint = "Without a signing key, whoever knows the address of a stream can watch it."
            problems.append(SettingProblem("MUX_SIGNING_KEY_ID", "is not set", hint, fatal=False))
        else:
            try:
                load_pem_private_key(_private_key(), password=None)
            except (ValueError, TypeError):
                hint = "It is the base64 text that Mux shows once, when a signing key is made."
                problems.append(SettingProblem("MUX_SIGNING_PRIVATE_KEY", "is no private key", hint))
        return problems

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Make a live stream. Its key is in the answer, and is left there."""
        policy = "signed" if settings.MUX_SIGNING_KEY_ID else "public"
        body = {
            "playback_policies": [policy],
            "latency_mode": "low",
            "reconnect_window": RECONNECT_SECONDS,
            "max_continuous_duration": BROADCAST_SECONDS,
            "passthrough": room.channel_id,
        }
        # Twice the same request would be two streams.
        made = self._call("POST", "", body, repeatable=False)
        playback = made.get("playback_ids")
        first = playback[0] if isinstance(playback, list) and playback and isinstance(playback[0], dict) else {}
        return {
            "live_stream_id": text_at(made, "id", self.name),
            "playback_id": text_at(first, "id", self.name),
            "policy": policy,
        }

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """For the host the ingest address and the stream key, asked of Mux; for viewers the playlist."""
        common: dict[str, Any] = {"provider": self.name, "uid": person.uid, "channel_id": room.channel_id}
        if role == MediaRole.PUBLISHER:
            return JoinDescriptor(
                protocol="rtmps",
                url=settings.MUX_INGEST_URL,
                token=text_at(self._call("GET", self._path(room)), "stream_key", self.name),
                can_publish=True,
                can_subscribe=False,
                can_admin=is_admin,
                expires_at=now + timedelta(seconds=BROADCAST_SECONDS),
                shared_token=True,
                **common,
            )
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        playback_id = room.external.get("playback_id", "")
        signed = room.external.get("policy") == "signed"
        return JoinDescriptor(
            protocol="hls",
            url=f"{settings.MUX_PLAYBACK_URL}/{quote(playback_id, safe='')}.m3u8",
            token=playback_token(playback_id, now=now, expires_at=expires_at) if signed else "",
            can_publish=False,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=expires_at,
            shared_token=not signed,
            details={"token_parameter": "token"} if signed else {},
            **common,
        )

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Make another stream key; the one that is known opens nothing any more."""
        self._call("POST", f"{self._path(room)}/reset-stream-key")

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """A viewer's address ends by itself within ten minutes, and no other is given. There is nothing to call."""

    def close(self, *, room: RoomRef) -> None:
        """End the broadcast, and take no other with this key."""
        if not room.external.get("live_stream_id"):
            return
        for step in ("complete", "disable"):
            self._call("PUT", f"{self._path(room)}/{step}", absent=True)

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Whether the encoder sends: Mux knows no people, so it is the host."""
        found: dict[str, set[str]] = {}
        for room in rooms:
            status = self._call("GET", self._path(room), absent=True).get("status")
            found[str(room.session_id)] = {"host"} if status == "active" else set()
        return found

    def _path(self, room: RoomRef) -> str:
        stream = room.external.get("live_stream_id", "")
        if not stream:
            raise ProviderRejected(self.name, "no live stream was made for this session")
        return f"/{quote(stream, safe='')}"

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        repeatable: bool = True,
        absent: bool = False,
    ) -> dict[str, Any]:
        keys = f"{settings.MUX_TOKEN_ID}:{settings.MUX_TOKEN_SECRET}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(keys).decode()}"}
        url = f"{settings.MUX_API_URL}/video/v1/live-streams{path}"
        answer = self._http.call(method, url, headers=headers, body=body, repeatable=repeatable, absent=absent)
        data = answer.get("data", {})
        return data if isinstance(data, dict) else {}


def playback_token(playback_id: str, *, now: datetime, expires_at: datetime) -> str:
    """A signed right to play: RS256, `aud` v for video (Mux: secure video playback)."""
    claims = {
        "sub": playback_id,
        "aud": "v",
        "exp": int(expires_at.timestamp()),
        "iat": int(now.timestamp()),
        "jti": secret_token(),
    }
    key = load_pem_private_key(_private_key(), password=None)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": settings.MUX_SIGNING_KEY_ID})  # type: ignore[arg-type]


def _private_key() -> bytes:
    try:
        return base64.b64decode(settings.MUX_SIGNING_PRIVATE_KEY, validate=True)
    except binascii.Error:
        return str(settings.MUX_SIGNING_PRIVATE_KEY).encode()
