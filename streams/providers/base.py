"""What a media provider is to the product: a few verbs, value objects in and out, no models."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Capability(StrEnum):
    """What a provider can do beyond joining."""

    MUTE_AT_SERVER = "mute_at_server"
    KICK_HOLDS = "kick_holds"
    HOST_PRESENCE = "host_presence"


class MediaRole(StrEnum):
    """What a media token lets its holder do."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class RoomRef:
    """A session as a provider knows it."""

    session_id: UUID
    channel_id: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class PersonRef:
    """Somebody who joins. `uid` is stable for a person in a session; `stage` is host, cohost, guest, or empty for who
    is not on stage."""

    uid: str
    name: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class JoinDescriptor:
    """All that a player or publisher needs to join."""

    provider: str
    protocol: str
    url: str
    token: str
    uid: str
    channel_id: str
    can_publish: bool
    can_subscribe: bool
    can_admin: bool
    expires_at: datetime
    ice_servers: list[dict[str, Any]] = field(default_factory=list)


class Provider(Protocol):
    """A media engine. Calls raise ProviderError; none of them is made inside a transaction."""

    name: str
    capabilities: frozenset[Capability]

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """A credential for one person, room and role. Makes no network call where the provider allows it."""

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Stop or resume forwarding one person's audio, video or screen, whatever their client does."""

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """The person is on stage as this from now on, without joining anew; empty for a viewer."""

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Cut what one person sends, and refuse the publishing credentials they hold. They go on watching."""

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Cut one person's media, and refuse the credentials they hold."""

    def close(self, *, room: RoomRef) -> None:
        """Cut everybody's media. Closing a room that is not there changes nothing."""

    def publishers(self) -> dict[str, set[str]]:
        """Who sends media now: session id -> uids. Also names rooms nobody sends to."""
