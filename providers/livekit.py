"""LiveKit as a provider: tokens with minimal grants, and its RoomService as Twirp with JSON.

On a self-hosted server a removal does not void the participant's token. A removed participant who rejoins with it is
removed again each time they are seen, and gets no new token.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import jwt
from django.conf import settings

from livestream.errors import ProviderRejected
from livestream.identifiers import secret_token
from providers.base_adapter import Adapter
from providers.http import LIST_LIMIT_BYTES, ProviderHttp
from providers.interface import (
    Capability,
    JoinDescriptor,
    MediaRole,
    PersonRef,
    Presence,
    Revocation,
    RoomRef,
    SettingProblem,
)

SECRET_MIN_CHARACTERS = 32
CALL_TOKEN_SECONDS = 60
SOURCES = ("camera", "microphone", "screen_share", "screen_share_audio")
# protocol: livekit_models.proto, TrackSource, with its JSON names.
KINDS = {
    "audio": ("MICROPHONE", "SCREEN_SHARE_AUDIO"),
    "video": ("CAMERA",),
    "screen": ("SCREEN_SHARE", "SCREEN_SHARE_AUDIO"),
}


class LiveKitProvider(Adapter):
    """A LiveKit server or cluster."""

    name = "livekit"
    capabilities = frozenset(
        {
            Capability.MUTE_AT_SERVER,
            Capability.LIVE_ROLES,
            Capability.STAGE,
            Capability.BROWSER_PUBLISHES,
            Capability.PRIVATE_SHOWS,
            Capability.HOST_PRESENCE,
            Capability.WEBHOOKS,
        }
    )
    revocation = Revocation.REMOVES
    required_settings = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name)

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Check that the address is a WebSocket or HTTP address, and the length of the secret."""
        problems = super().settings_problems()
        if settings.LIVEKIT_URL and urlsplit(settings.LIVEKIT_URL).scheme not in ("ws", "wss", "http", "https"):
            problems.append(SettingProblem("LIVEKIT_URL", "is no ws://, wss://, http:// or https:// address"))
        if 0 < len(settings.LIVEKIT_API_SECRET) < SECRET_MIN_CHARACTERS:
            hint = "`livekit-server generate-keys` makes a pair; a server with --dev takes one by --keys."
            problems.append(
                SettingProblem("LIVEKIT_API_SECRET", f"is shorter than {SECRET_MIN_CHARACTERS} characters", hint)
            )
        return problems

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Return a token for this room, which is created by the first to join. No call."""
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        publishes = role == MediaRole.PUBLISHER
        claims = {
            "iss": settings.LIVEKIT_API_KEY,
            "sub": person.uid,
            "jti": secret_token(),
            "name": person.name,
            "nbf": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "attributes": {"role": role.value, "stage": person.stage},
            "video": video_grant(room.channel_id, publishes=publishes),
        }
        return JoinDescriptor(
            provider=self.name,
            protocol="livekit",
            url=_with_scheme(settings.LIVEKIT_URL, {"http": "ws", "https": "wss"}),
            token=jwt.encode(claims, settings.LIVEKIT_API_SECRET, algorithm="HS256"),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=publishes,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=expires_at,
        )

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Mute all tracks of a kind. The server refuses to unmute unless its own settings allow it."""
        person = self._room_call(room, "GetParticipant", {"identity": uid}, absent=True)
        for track in person.get("tracks", []):
            if track.get("source") in KINDS[kind] and bool(track.get("muted")) != muted:
                self._room_call(
                    room, "MutePublishedTrack", {"identity": uid, "track_sid": track["sid"], "muted": muted}
                )

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Revoke the right to publish; LiveKit then ends the tracks."""
        self._permit(room, uid, publishes=False)

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Grant or revoke the right to publish, effective at once."""
        self._permit(room, uid, publishes=bool(stage))

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Disconnect the participant."""
        self._room_call(room, "RemoveParticipant", {"identity": uid}, absent=True)

    def close(self, *, room: RoomRef) -> None:
        """Delete the room, which disconnects everyone."""
        grant = {"roomCreate": True}
        self._call("DeleteRoom", {"room": room.channel_id}, grant, absent=True)

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Return the participants with a track in each of these rooms, muted or not."""
        there = self.people(rooms=rooms)
        return {name: {uid for uid, one in people.items() if one.sends} for name, people in there.items()}

    def people(self, *, rooms: Sequence[RoomRef]) -> dict[str, dict[str, Presence]]:
        """Return all participants with the kinds of their unmuted tracks, and whether they may publish."""
        found: dict[str, dict[str, Presence]] = {}
        for room in rooms:
            people = self._room_call(room, "ListParticipants", {}, absent=True).get("participants", [])
            found[str(room.session_id)] = {
                str(person.get("identity")): _presence(person) for person in people if is_person(person)
            }
        return found

    def _permit(self, room: RoomRef, uid: str, *, publishes: bool) -> None:
        # The whole set is replaced, so unchanged permissions must be repeated.
        permission: dict[str, Any] = {
            "can_subscribe": True,
            "can_publish": publishes,
            "can_publish_data": False,
            "can_publish_sources": [source.upper() for source in SOURCES] if publishes else [],
        }
        self._room_call(room, "UpdateParticipant", {"identity": uid, "permission": permission}, absent=True)

    def _room_call(self, room: RoomRef, method: str, body: dict[str, Any], *, absent: bool = False) -> dict[str, Any]:
        if "identity" in body and not body["identity"]:
            raise ProviderRejected(self.name, "empty uid")
        grant = {"roomAdmin": True, "room": room.channel_id}
        return self._call(method, {"room": room.channel_id, **body}, grant, absent=absent)

    def _call(self, method: str, body: dict[str, Any], grant: dict[str, Any], *, absent: bool) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": settings.LIVEKIT_API_KEY, "nbf": now - 5, "exp": now + CALL_TOKEN_SECONDS, "video": grant}
        token = jwt.encode(claims, settings.LIVEKIT_API_SECRET, algorithm="HS256")
        base = _with_scheme(settings.LIVEKIT_URL, {"ws": "http", "wss": "https"}).rstrip("/")
        return self._http.call(
            "POST",
            f"{base}/twirp/livekit.RoomService/{method}",
            headers={"Authorization": f"Bearer {token}"},
            body=body,
            absent=absent,
            limit=LIST_LIMIT_BYTES,
        )


def is_person(participant: dict[str, Any]) -> bool:
    """Return whether the participant is a person. The server's recorders and agents are participants, too."""
    return participant.get("kind", "STANDARD") in ("STANDARD", 0)


def _presence(participant: dict[str, Any]) -> Presence:
    tracks: list[dict[str, Any]] = participant.get("tracks") or []
    open_ = {track.get("source") for track in tracks if not track.get("muted")}
    kinds = frozenset(kind for kind, sources in KINDS.items() if open_ & set(sources))
    return Presence(kinds, sends=bool(tracks), may_send=may_publish(participant) or bool(tracks))


def may_publish(participant: dict[str, Any]) -> bool | None:
    """Return whether the participant may publish, or None if the server does not say.

    RoomService uses the names of the protocol files, webhooks those of its JSON, which omits false values.
    """
    permission = participant.get("permission")
    if not isinstance(permission, dict) or not permission:
        return None
    return bool(permission.get("canPublish", permission.get("can_publish")))


def video_grant(channel: str, *, publishes: bool) -> dict[str, Any]:
    """Return the minimal grants of a role, all explicit: LiveKit allows publishing by default."""
    grant: dict[str, Any] = {
        "roomJoin": True,
        "room": channel,
        "canSubscribe": True,
        "canPublish": publishes,
        "canPublishData": False,
        "canUpdateOwnMetadata": False,
    }
    return grant | ({"canPublishSources": list(SOURCES)} if publishes else {})


def _with_scheme(address: str, schemes: dict[str, str]) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(scheme=schemes.get(parts.scheme, parts.scheme)))
