"""What a media provider is to the product: a few verbs, value objects in and out, no models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


class Capability(StrEnum):
    """What a provider can do beyond joining. docs/providers.md has the table."""

    # Stop one person's audio or video whatever their client does; and let it flow again.
    MUTE_AT_SERVER = "mute_at_server"
    UNMUTE_AT_SERVER = "unmute_at_server"
    # A new role counts without another token.
    LIVE_ROLES = "live_roles"
    # Several people can send, and a viewer receives them all.
    STAGE = "stage"
    # A browser can send; else only an encoder can.
    BROWSER_PUBLISHES = "browser_publishes"
    # An encoder can send, with an address and a token or a key.
    ENCODER_PUBLISHES = "encoder_publishes"
    # Who may watch can be limited to some people.
    PRIVATE_SHOWS = "private_shows"
    # The provider can be asked who sends, and tells by itself.
    HOST_PRESENCE = "host_presence"
    WEBHOOKS = "webhooks"
    # Something has to be made at the provider before anybody can join, or it is asked for each token: `join` may wait.
    NEEDS_ROOM = "needs_room"
    # People are numbers there (1 to 2**32 - 1), not names.
    NUMERIC_UIDS = "numeric_uids"
    # People enter through our own address and never talk to the provider's: it is a `Gateway`.
    GATEWAY = "gateway"
    # Viewers get their playlists through our own address: it is a `PlaylistSource`.
    PLAYLISTS = "playlists"


class Revocation(StrEnum):
    """What the old credential of a removed participant still opens at a provider. docs/providers.md has the table."""

    # Nothing: the provider, or our own gateway in front of it, refuses it at once.
    EXACT = "exact"
    # The provider removes people, but may let them join again with it; they are removed whenever they are seen.
    REMOVES = "removes"
    # Nobody can be removed: tokens are short, and private shows are refused.
    EXPIRES = "expires"


# What makes a token more than a signature: the provider is asked, or our database for somebody's number. With none of
# these tokens are made on the event loop.
JOIN_WAITS = frozenset({Capability.NEEDS_ROOM, Capability.NUMERIC_UIDS})


class MediaRole(StrEnum):
    """What a media token lets its holder do."""

    PUBLISHER = "publisher"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class Resource:
    """A connection that somebody has open through our own address; `url` is where its provider ends it."""

    name: str
    uid: str
    role: MediaRole
    url: str


@dataclass(frozen=True, slots=True)
class RoomRef:
    """A session as a provider knows it. `external` is what the provider's `prepare` gave back for it; `resources` is
    what a `Gateway` may have to end, and empty everywhere else."""

    session_id: UUID
    channel_id: str
    node: str = ""
    external: dict[str, str] = field(default_factory=dict)
    resources: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonRef:
    """Somebody who joins. `uid` is stable for a person in a session; `stage` is host, cohost, guest, or empty for who
    is not on stage."""

    uid: str
    name: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class There:
    """Somebody in a room. `kinds` are those that are sent and not muted, none where the provider does not tell."""

    kinds: frozenset[str] = frozenset()
    sends: bool = True
    may_send: bool = True


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
    # What else this provider's player needs; nothing of it is secret.
    details: dict[str, str] = field(default_factory=dict)
    # The token is the same for everybody, so it says nothing about who holds it.
    shared_token: bool = False


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """Why a provider cannot work as it is set up; `setting` is the one to look at."""

    setting: str
    problem: str
    hint: str = ""
    fatal: bool = True


class Provider(Protocol):
    """A media engine. Calls raise ProviderError; none of them is made inside a transaction.

    A `uid` is what the provider knows somebody by: `streams.services.provider.uids.provider_uid`.
    """

    name: str
    capabilities: frozenset[Capability]
    revocation: Revocation

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """What is wrong with this provider's settings; nothing when it can work."""

    def prepare(self, *, room: RoomRef) -> dict[str, str]:
        """Make what must be there before anybody joins; what it gives back is kept, and is no secret."""

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """A credential for one person, room and role. Waits for nobody, unless the provider has one of JOIN_WAITS."""

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

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Who sends media now: session id -> uids. A provider that knows all its rooms names them all."""

    def people(self, *, rooms: Sequence[RoomRef]) -> Mapping[str, Mapping[str, There]]:
        """Who is there as far as the provider tells: session id -> uid -> what they send. Senders are always told."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The provider's answer to an offer. `url` stays with us; `links` are its relay servers, for the client."""

    answer: bytes
    url: str
    etag: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Amended:
    """The provider's answer to a changed connection: new candidates, or nothing."""

    status: int
    answer: bytes = b""
    etag: str = ""


class Gateway(Provider, Protocol):
    """A provider that people reach through our own address: we make its connections for them, and end them."""

    def open(self, *, room: RoomRef, uid: str, role: MediaRole, offer: bytes) -> Opened:
        """Make a connection with the server's own credential. Tried once. Raises ProviderRejected with the status."""

    def amend(self, *, room: RoomRef, resource: Resource, fragment: bytes, if_match: str) -> Amended:
        """Hand on trickled candidates, or a wish for new ones."""

    def end(self, *, room: RoomRef, resource: Resource) -> None:
        """Cut one connection. One that is gone already is no error."""


@dataclass(frozen=True, slots=True)
class Playlist:
    """A playlist as the provider has it; what it names is relative to `url`."""

    url: str
    text: str


class PlaylistSource(Provider, Protocol):
    """A provider whose playlists we fetch for everybody, with a credential that nobody else gets."""

    def playlist(self, *, room: RoomRef, url: str = "", query: Mapping[str, str] | None = None) -> Playlist:
        """The room's multivariant playlist, or another one that it names. Raises ProviderRejected with the status."""
