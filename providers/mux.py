"""Mux as a provider: an encoder sends RTMPS to Mux, viewers get HLS.

The stream key is a secret of the host. It is not stored: Mux returns it when the host requests it, and replaces it when
it is revoked. With a signing key, viewers get their playlists from this product's own address: it fetches them with a
token that stays on the server, and only the segments, each signed by Mux, come from its CDN. Without one, viewers get
Mux's address, which lets anyone watch.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings

from livestream.errors import ProviderRejected
from livestream.identifiers import as_uuid, secret_token
from providers.base_adapter import Adapter
from providers.http import ProviderHttp, text_at
from providers.interface import (
    Capability,
    JoinDescriptor,
    MediaRole,
    PersonRef,
    Playlist,
    Revocation,
    RoomRef,
    SettingProblem,
)
from providers.playlists import is_playlist

# Mux ends a broadcast after this long; the key must last as long.
BROADCAST_SECONDS = 12 * 3600
RECONNECT_SECONDS = 60
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
REDIRECTS, REDIRECTED = 2, frozenset({301, 302, 303, 307, 308})


class MuxProvider(Adapter):
    """The Mux adapter."""

    name = "mux"
    required_settings = ("MUX_TOKEN_ID", "MUX_TOKEN_SECRET")

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name)
        # Playback has a separate breaker. Mux may delay a playlist until it has the requested part.
        self._playback = ProviderHttp(f"{self.name} playback", read=8.0, connections=32)

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """Limiting and revoking access requires a signing key."""
        found = {Capability.NEEDS_ROOM, Capability.HOST_PRESENCE, Capability.ENCODER_PUBLISHES}
        if settings.MUX_SIGNING_KEY_ID:
            found |= {Capability.PRIVATE_SHOWS, Capability.PLAYLISTS}
        if settings.MUX_WEBHOOK_SIGNING_SECRET:
            found |= {Capability.WEBHOOKS}
        return frozenset(found)

    @property
    def revocation(self) -> Revocation:  # type: ignore[override]
        """With a signing key, playlists come from this product's own address, which checks each request."""
        return Revocation.EXACT if settings.MUX_SIGNING_KEY_ID else Revocation.EXPIRES

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Check the signing key, which is an id and a base64-encoded private key."""
        problems = super().settings_problems()
        if bool(settings.MUX_SIGNING_KEY_ID) != bool(settings.MUX_SIGNING_PRIVATE_KEY):
            missing = "MUX_SIGNING_PRIVATE_KEY" if settings.MUX_SIGNING_KEY_ID else "MUX_SIGNING_KEY_ID"
            problems.append(SettingProblem(missing, "is not set", "The parts of the signing key go together."))
        elif not settings.MUX_SIGNING_KEY_ID:
            hint = (
                "Without a signing key anybody who knows the address of a stream can watch until it ends, also after "
                "being removed, and private shows are refused."
            )
            problems.append(SettingProblem("MUX_SIGNING_KEY_ID", "is not set", hint, fatal=False))
        else:
            try:
                load_pem_private_key(_private_key(), password=None)
            except (ValueError, TypeError):
                hint = "It is the base64 text that Mux shows once, when a signing key is made."
                problems.append(SettingProblem("MUX_SIGNING_PRIVATE_KEY", "is no private key", hint))
        return problems

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Create a live stream. Its key is not stored."""
        policy = "signed" if settings.MUX_SIGNING_KEY_ID else "public"
        body = {
            "playback_policies": [policy],
            "latency_mode": "low",
            "reconnect_window": RECONNECT_SECONDS,
            "max_continuous_duration": BROADCAST_SECONDS,
            "passthrough": room.channel_id,
        }
        # Not retried: a repeated request would create a second stream.
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
        """Return the ingest address and the stream key, requested from Mux, for the host, or the playlist for
        viewers."""
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
        signed = room.external.get("policy") == "signed"
        return JoinDescriptor(
            protocol="hls",
            url=f"{settings.PUBLIC_URL}/hls/{room.session_id}/main.m3u8" if signed else _address(room),
            token=secret_token() if signed else "",
            can_publish=False,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS),
            shared_token=not signed,
            **common,
        )

    def playlist(self, *, room: RoomRef, url: str = "", query: Mapping[str, str] | None = None) -> Playlist:
        """Fetch the multivariant playlist with a token made for this request. Mux signs the addresses of the others."""
        if not url:
            now = datetime.now(UTC)
            expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
            token = playback_token(room.external.get("playback_id", ""), now=now, expires_at=expires_at)
            url = f"{_address(room)}?token={token}"
        if query:
            url += f"{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
        headers = {"Accept": PLAYLIST_TYPE, "Accept-Encoding": "identity"}
        for _ in range(REDIRECTS + 1):
            answer = self._playback.exchange("GET", self._own(url), headers=headers, may_hang=bool(query))
            if answer.status not in REDIRECTED:
                break
            url = urljoin(url, answer.headers.get("Location", ""))
        text = answer.body.decode(errors="replace")
        if answer.status != 200 or not is_playlist(text):
            raise ProviderRejected(self.name, f"answered {answer.status} for a playlist", status=answer.status)
        return Playlist(url, text)

    def _own(self, url: str) -> str:
        """Return the address if it is Mux's. Raises ProviderRejected."""
        try:
            parts, known = urlsplit(url), urlsplit(settings.MUX_PLAYBACK_URL)
            host = parts.hostname or ""
            own = (parts.scheme, parts.netloc) == (known.scheme, known.netloc)
            own = own or (parts.scheme == "https" and host.endswith(".mux.com") and parts.port in (None, 443))
        except ValueError:
            own = False
        if not own:
            raise ProviderRejected(self.name, "named a playlist that is not its own")
        return url

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Reset the stream key, which invalidates the old one. Viewers have none."""
        if as_uuid(uid) is None:
            raise ProviderRejected(self.name, "unknown uid")
        self._call("POST", f"{self._path(room)}/reset-stream-key")

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Nothing to call: viewers' tokens only open the product's own address, which checks revocation."""

    def close(self, *, room: RoomRef) -> None:
        """End the broadcast and disable the stream key."""
        if not room.external.get("live_stream_id"):
            return
        for step in ("complete", "disable"):
            self._call("PUT", f"{self._path(room)}/{step}", absent=True)

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Return whether the encoder publishes, reported as the host because Mux has no participants."""
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


def _address(room: RoomRef) -> str:
    playback_id = room.external.get("playback_id", "")
    return f"{settings.MUX_PLAYBACK_URL}/{quote(playback_id, safe='')}.m3u8"


def playback_token(playback_id: str, *, now: datetime, expires_at: datetime) -> str:
    """Return a signed playback token: RS256, `aud` v for video (Mux: secure video playback)."""
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
