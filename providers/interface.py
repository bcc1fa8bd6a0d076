"""The interface of media providers: a few operations on value objects, without models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Capability(StrEnum):
    """Abilities of a provider beyond joining. docs/providers.md has the table."""

    # Mute and unmute a participant regardless of their client.
    MUTE_AT_SERVER = "mute_at_server"
    UNMUTE_AT_SERVER = "unmute_at_server"
    # A new role applies without a new token.
    LIVE_ROLES = "live_roles"
    # Several people can publish, and viewers receive all of them.
    STAGE = "stage"
    # A browser can publish; otherwise only an encoder can.
    BROWSER_PUBLISHES = "browser_publishes"
    # An encoder can publish, with an address and a token or key.
    ENCODER_PUBLISHES = "encoder_publishes"
    # Access can be limited to some people.
    PRIVATE_SHOWS = "private_shows"
    # The provider lists publishers on request, and sends webhooks.
    HOST_PRESENCE = "host_presence"
    WEBHOOKS = "webhooks"
    # A room has to be created first, or each token is requested: `join` may wait for the network.
    NEEDS_ROOM = "needs_room"
    # Uids are numbers from 1 to 2**32 - 1.
    NUMERIC_UIDS = "numeric_uids"
    # Clients connect through the product's own address: the adapter is a `Gateway`.
    GATEWAY = "gateway"
    # Viewers get playlists from the product's own address: the adapter is a `PlaylistSource`.
    PLAYLISTS = "playlists"


class Revocation(StrEnum):
    """The effect of a removal on old credentials at a provider. docs/providers.md has the table."""

    # The provider, or this product's gateway in front of it, refuses them at once.
    EXACT = "exact"
    # The provider removes people, but may admit them again; they are then removed each time they are seen.
    REMOVES = "removes"
    # Participants cannot be removed: tokens are short-lived, and private shows are refused.
    EXPIRES = "expires"


# Capabilities whose tokens need more than a signature: a call to the provider, or a uid from the database.
JOIN_WAITS = frozenset({Capability.NEEDS_ROOM, Capability.NUMERIC_UIDS})


class MediaRole(StrEnum):
    """The role that a media token grants."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class Resource:
    """A connection opened through a gateway; DELETE on `url` ends it at the provider."""

    name: str
    uid: str
    role: MediaRole
    url: str


@dataclass(frozen=True, slots=True)
class RoomRef:
    """A session's identity at a provider. `external` is the result of the provider's `prepare`."""

    session_id: UUID
    channel_id: str
    node: str = ""
    external: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A participant who joins. `uid` is stable within a session. `stage` is host, cohost, guest, or empty for the
    audience."""

    uid: str
    name: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """A participant present in a room. `kinds` are published and unmuted; empty if not reported."""

    kinds: frozenset[str] = frozenset()
    sends: bool = True
    may_send: bool = True


@dataclass(frozen=True, slots=True)
class JoinDescriptor:
    """The data that a player or publisher needs to join."""

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
    # Further public fields for this provider's player.
    details: dict[str, str] = field(default_factory=dict)
    # The token is the same for all holders, so it does not identify one.
    shared_token: bool = False


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A reason why a provider cannot work; `setting` names the setting to change."""

    setting: str
    problem: str
    hint: str = ""
    fatal: bool = True


class Provider(Protocol):
    """A media provider. Calls raise ProviderError, and none is made inside a transaction.

    A `uid` identifies a participant at the provider: `streams.services.provider.uids.provider_uid`.
    """

    name: str
    capabilities: frozenset[Capability]
    revocation: Revocation

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Return the problems of this provider's settings; none if it can work."""

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Create the room before anyone joins. The result is stored and not secret."""

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Return a credential for one person, room and role. Never blocks, unless the provider has one of
        JOIN_WAITS."""

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Stop or resume forwarding a participant's audio, video or screen, regardless of their client."""

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Set a participant's stage role, without rejoining; empty for a viewer."""

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Stop a participant's publishing and refuse their publishing credentials. They continue to watch."""

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Disconnect a participant and refuse their credentials."""

    def close(self, *, room: RoomRef) -> None:
        """Disconnect everyone. No effect on a room that does not exist."""

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Return current publishers: session id -> uids. Covers all rooms at providers that can list them."""

    def people(self, *, rooms: Sequence[RoomRef]) -> Mapping[str, Mapping[str, Presence]]:
        """Return participants present: session id -> uid -> presence. Publishers are always included."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider's answer to an offer. `url` stays on the server; `links` are relay servers for the client."""

    answer: bytes
    url: str
    etag: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Amended:
    """The provider's response to an amendment: new candidates, or nothing."""

    status: int
    answer: bytes = b""
    etag: str = ""


class Gateway(Provider, Protocol):
    """A provider reached through this product's own address, which opens and ends connections for clients."""

    def open(self, *, room: RoomRef, uid: str, role: MediaRole, offer: bytes) -> Opened:
        """Open a connection with the server's own credential. Tried once. Raises ProviderRejected with the status."""

    def amend(self, *, room: RoomRef, resource: Resource, fragment: bytes, if_match: str) -> Amended:
        """Forward trickled candidates, or a request for new ones."""

    def end(self, *, room: RoomRef, resource: Resource) -> None:
        """End a connection. No error if it is gone."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist as fetched from the provider. Its addresses are relative to `url`."""

    url: str
    text: str


class PlaylistSource(Provider, Protocol):
    """A provider whose playlists this product fetches for all viewers, with a credential of its own."""

    def playlist(self, *, room: RoomRef, url: str = "", query: Mapping[str, str] | None = None) -> Playlist:
        """Fetch the room's multivariant playlist, or another one named in it. Raises ProviderRejected with the
        status."""
