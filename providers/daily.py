"""Daily as a provider: a private room per session, and a meeting token per person.

A token without a room would open all rooms of the domain, and one without an expiry would never expire; tokens always
have both.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings

from livestream.errors import ProviderRejected
from providers.base_adapter import Adapter
from providers.http import LIST_LIMIT_BYTES, ProviderHttp, text_at
from providers.interface import Capability, JoinDescriptor, MediaRole, PersonRef, Presence, Revocation, RoomRef

MAX_PEOPLE = 200
USER_ID_MAX_CHARACTERS = 36
SENT = {"audio": {"audio", "screenAudio"}, "video": {"video"}, "screen": {"screenVideo", "screenAudio"}}
EVERYTHING = ["video", "audio", "screenVideo", "screenAudio"]


class DailyProvider(Adapter):
    """The Daily adapter."""

    name = "daily"
    capabilities = frozenset(
        {
            Capability.MUTE_AT_SERVER,
            Capability.UNMUTE_AT_SERVER,
            Capability.STAGE,
            Capability.BROWSER_PUBLISHES,
            Capability.PRIVATE_SHOWS,
            Capability.HOST_PRESENCE,
            Capability.WEBHOOKS,
            Capability.NEEDS_ROOM,
            # A ban applies to a user id for the duration of the meeting. With a number that is retired with the ban,
            # the same person can return after a new password or readmission.
            Capability.NUMERIC_UIDS,
        }
    )
    revocation = Revocation.REMOVES
    required_settings = ("DAILY_API_KEY",)

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name)

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Create the room, or return the existing one."""
        body = {
            "name": room.channel_id,
            "privacy": "private",
            "properties": {
                "max_participants": MAX_PEOPLE,
                "enable_chat": False,
                "enable_knocking": False,
                "start_video_off": True,
                "start_audio_off": True,
                "permissions": {"hasPresence": False, "canSend": False, "canAdmin": False},
            },
        }
        try:
            made = self._call("POST", "/rooms", body)
        except ProviderRejected as error:
            if error.status != 400:  # the name exists: created by a parallel request
                raise
            made = self._call("GET", self._path(room))
        return {"url": text_at(made, "url", self.name), "name": text_at(made, "name", self.name)}

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Request a meeting token from Daily."""
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        publishes = role == MediaRole.PUBLISHER
        if not room.channel_id or not person.uid or len(person.uid) > USER_ID_MAX_CHARACTERS:
            raise ProviderRejected(self.name, "no token without a room and a person")
        properties = {
            "room_name": room.channel_id,
            "user_id": person.uid,
            "user_name": person.name,
            "is_owner": False,
            "nbf": int(now.timestamp()) - 5,
            "exp": int(expires_at.timestamp()),
            "start_video_off": True,
            "start_audio_off": True,
            "enable_screenshare": publishes,
            "permissions": permissions(EVERYTHING if publishes else []),
        }
        answer = self._call("POST", "/meeting-tokens", {"properties": properties})
        return JoinDescriptor(
            provider=self.name,
            protocol="daily",
            url=room.external.get("url", ""),
            token=text_at(answer, "token", self.name),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=publishes,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=expires_at,
        )

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Remove or restore one kind in the permissions of a participant."""
        for participant in self._present(room, uid):
            allowed = _allowed(participant)
            kept = allowed - SENT[kind] if muted else allowed | SENT[kind]
            # Keep presence: without it, the participant could not be found to unmute them.
            self._permit(room, participant, [name for name in EVERYTHING if name in kept], present=True)

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Forbid publishing. The participant continues to watch."""
        for participant in self._present(room, uid):
            self._permit(room, participant, [])

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Set the permissions of the stage role."""
        for participant in self._present(room, uid):
            self._permit(room, participant, EVERYTHING if stage else [])

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Eject and ban this uid for the meeting. A readmitted participant gets a new uid."""
        if not uid:
            raise ProviderRejected(self.name, "empty uid")
        self._call("POST", f"{self._path(room)}/eject", {"user_ids": [uid], "ban": True}, absent=True)

    def close(self, *, room: RoomRef) -> None:
        """Delete the room and thereby all its tokens."""
        self._call("DELETE", self._path(room), absent=True)

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Return the publishers of each room."""
        return {name: set(people) for name, people in self.people(rooms=rooms).items()}

    def people(self, *, rooms: Sequence[RoomRef]) -> dict[str, dict[str, Presence]]:
        """Return the publishers with the kinds that they may send."""
        found: dict[str, dict[str, Presence]] = {}
        for room in rooms:
            people = self._call("GET", f"{self._path(room)}/presence", absent=True).get("data", [])
            found[str(room.session_id)] = {
                str(one.get("userId")): Presence(frozenset(kind for kind, names in SENT.items() if names & allowed))
                for one in people
                if (allowed := _allowed(one))
            }
        return found

    def _present(self, room: RoomRef, uid: str) -> list[dict[str, Any]]:
        people = self._call("GET", f"{self._path(room)}/presence", absent=True).get("data", [])
        return [one for one in people if uid and one.get("userId") == uid and one.get("id")]

    def _permit(
        self, room: RoomRef, participant: dict[str, Any], sends: list[str], *, present: bool | None = None
    ) -> None:
        body = {"data": {str(participant["id"]): permissions(sends, present=present)}}
        self._call("POST", f"{self._path(room)}/update-permissions", body, absent=True)

    def _path(self, room: RoomRef) -> str:
        if not room.channel_id:
            raise ProviderRejected(self.name, "no room")
        return f"/rooms/{quote(room.channel_id, safe='')}"

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, absent: bool = False
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {settings.DAILY_API_KEY}"}
        return self._http.call(
            method, settings.DAILY_API_URL + path, headers=headers, body=body, absent=absent, limit=LIST_LIMIT_BYTES
        )


def permissions(sends: list[str], *, present: bool | None = None) -> dict[str, Any]:
    """Return the complete permissions of a participant, so that no default applies. Publishers have presence."""
    return {"hasPresence": bool(sends) if present is None else present, "canSend": sends or False, "canAdmin": False}


def _allowed(participant: dict[str, Any]) -> set[str]:
    given = participant.get("permissions")
    # The list contains participants with presence, which only publishers get.
    sends = given.get("canSend", False) if isinstance(given, dict) else True
    return set(EVERYTHING) if sends is True else set(sends or [])
