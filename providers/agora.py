"""Agora as a provider: locally signed tokens, and its channel management for removals.

Agora's tokens cannot be revoked, so a removed participant gets a kicking rule that outlives their token. If they are
readmitted they get another uid (`streams.services.provider.uids`), to which that rule does not apply.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings

from livestream.errors import ProviderError, ProviderRejected, ProviderUnsupported
from providers.agora_tokens import CHANNEL, HEX_32, UID_MAX, VERSIONS, TokenOrder, token_in
from providers.base_adapter import Adapter
from providers.http import ProviderHttp
from providers.interface import (
    Capability,
    JoinDescriptor,
    MediaRole,
    PersonRef,
    Revocation,
    RoomRef,
    SettingProblem,
)

# Lifetime of a token without REST keys, when no one can be removed. Pages renew it a minute before it expires.
SHORT_TOKEN_SECONDS = 120
# Rules last whole minutes, and clocks differ.
RULE_MARGIN_SECONDS = 90
RULE_MINUTES_MAX = 1440
# Agora recommends at least five seconds.
READ_SECONDS = 6.0
RULES = "/dev/v1/kicking-rule"
PUBLISHING = ["publish_audio", "publish_video"]
# Agora does not distinguish screen and camera: forbidding one would forbid both.
MUTES = {"audio": ["publish_audio"], "video": ["publish_video"], "screen": []}


class AgoraProvider(Adapter):
    """The Agora adapter."""

    name = "agora"
    required_settings = ("AGORA_APP_ID", "AGORA_APP_CERTIFICATE")

    def __init__(self) -> None:
        self._http = ProviderHttp(self.name, read=READ_SECONDS)

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """Some capabilities need the account's REST keys, or a switch in Agora's console."""
        found = {
            Capability.STAGE,
            Capability.BROWSER_PUBLISHES,
            Capability.NUMERIC_UIDS,
        }
        if settings.AGORA_CUSTOMER_ID:
            found |= {Capability.MUTE_AT_SERVER, Capability.UNMUTE_AT_SERVER}
            found |= {Capability.HOST_PRESENCE, Capability.PRIVATE_SHOWS}
        if settings.AGORA_WEBHOOK_SECRET:
            found |= {Capability.WEBHOOKS}
        return frozenset(found)

    @property
    def revocation(self) -> Revocation:  # type: ignore[override]
        """Removal uses the REST API. Without its keys, tokens are short-lived."""
        return Revocation.REMOVES if settings.AGORA_CUSTOMER_ID else Revocation.EXPIRES

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Check that both identifiers are 32 hexadecimal characters and that REST keys come in pairs."""
        problems = super().settings_problems()
        for name in cls.required_settings:
            if getattr(settings, name) and not HEX_32.fullmatch(getattr(settings, name)):
                problems.append(SettingProblem(name, "is not 32 hexadecimal characters"))
        if settings.AGORA_TOKEN_VERSION not in VERSIONS:
            problems.append(SettingProblem("AGORA_TOKEN_VERSION", f"is none of {', '.join(VERSIONS)}"))
        if bool(settings.AGORA_CUSTOMER_ID) != bool(settings.AGORA_CUSTOMER_SECRET):
            missing = "AGORA_CUSTOMER_SECRET" if settings.AGORA_CUSTOMER_ID else "AGORA_CUSTOMER_ID"
            problems.append(SettingProblem(missing, "is not set", "The REST keys go together."))
        if not settings.AGORA_CUSTOMER_ID:
            hint = (
                "Without AGORA_CUSTOMER_ID and AGORA_CUSTOMER_SECRET nobody can be muted or removed there: a removed "
                f"participant can watch for up to {SHORT_TOKEN_SECONDS} seconds, and private shows are refused."
            )
            problems.append(SettingProblem("AGORA_CUSTOMER_ID", "is not set", hint, fatal=False))
        if not settings.AGORA_COHOST_AUTHENTICATION:
            hint = (
                "Switch on co-host authentication in Agora's console, then set this to 1. "
                "Without it Agora lets the holder of a viewer's token publish."
            )
            problems.append(SettingProblem("AGORA_COHOST_AUTHENTICATION", "is not confirmed", hint, fatal=False))
        return problems

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Return a token in the installation's format, without a call."""
        return self.join_with(room=room, person=person, role=role, is_admin=is_admin, now=now, with_rtm=False)

    def join_with(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime, with_rtm: bool
    ) -> JoinDescriptor:
        """Like `join`; `with_rtm` also grants the uid signalling (007 only, otherwise raises OrderRefused)."""
        lifetime = int(settings.MEDIA_TOKEN_SECONDS)
        if self.revocation is Revocation.EXPIRES:
            lifetime = min(lifetime, SHORT_TOKEN_SECONDS)
        order = TokenOrder(
            app_id=settings.AGORA_APP_ID,
            certificate=settings.AGORA_APP_CERTIFICATE,
            channel=room.channel_id,
            uid=int(person.uid),
            role=role,
            issued_at=int(now.timestamp()),
            lifetime=lifetime,
            with_rtm=with_rtm,
        )
        publishes = role == MediaRole.PUBLISHER
        return JoinDescriptor(
            provider=self.name,
            protocol="agora",
            url="",
            token=token_in(settings.AGORA_TOKEN_VERSION, order),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=publishes,
            can_subscribe=True,
            can_admin=is_admin,
            expires_at=datetime.fromtimestamp(order.issued_at, now.tzinfo) + timedelta(seconds=lifetime),
            details={"app_id": settings.AGORA_APP_ID, "client_role": "host" if publishes else "audience"},
        )

    def mute(self, *, room: RoomRef, uid: str, kind: str, muted: bool) -> None:
        """Forbid sending one kind, for a day at most, or allow it again."""
        privileges = MUTES[kind]
        if not privileges:
            return
        if muted:
            self._rule(room, uid, privileges=privileges, minutes=RULE_MINUTES_MAX)
            return
        self._lift(room, uid, privileges=privileges)

    def set_stage(self, *, room: RoomRef, uid: str, stage: str) -> None:
        """Delete the rule created when the participant left the stage."""
        if stage and settings.AGORA_CUSTOMER_ID:
            self._lift(room, uid, privileges=PUBLISHING)

    def unpublish(self, *, room: RoomRef, uid: str) -> None:
        """Forbid publishing. The participant continues to watch."""
        self._rule(room, uid, privileges=PUBLISHING)

    def remove(self, *, room: RoomRef, uid: str) -> None:
        """Block the participant until their tokens have expired."""
        self._rule(room, uid, privileges=["join_channel"])

    def close(self, *, room: RoomRef) -> None:
        """Block everyone from this channel until all its tokens have expired."""
        if settings.AGORA_CUSTOMER_ID:
            self._post_rule({"cname": channel_of(room), "privileges": ["join_channel"]})

    def publishers(self, *, rooms: Sequence[RoomRef] = ()) -> dict[str, set[str]]:
        """Return the hosts of each channel."""
        found: dict[str, set[str]] = {}
        for room in rooms:
            path = f"/dev/v1/channel/user/{settings.AGORA_APP_ID}/{quote(channel_of(room), safe='')}/hosts_only"
            data = self._call("GET", path).get("data", {})
            uids = (data.get("broadcasters") or data.get("users") or []) if isinstance(data, dict) else []
            found[str(room.session_id)] = {str(uid) for uid in uids}
        return found

    def _rule(self, room: RoomRef, uid: str, *, privileges: list[str], minutes: int | None = None) -> None:
        # A rule without a uid empties the channel; one without a channel applies to all channels.
        rule = {"cname": channel_of(room), "uid": number_of(uid), "privileges": privileges}
        self._post_rule(rule, minutes=minutes)

    def _lift(self, room: RoomRef, uid: str, *, privileges: list[str]) -> None:
        wanted = (channel_of(room), number_of(uid), privileges)
        for rule in self._call("GET", f"{RULES}?appid={settings.AGORA_APP_ID}").get("rules", []):
            if (rule.get("cname"), rule.get("uid"), rule.get("privileges")) == wanted:
                self._call("DELETE", RULES, {"appid": settings.AGORA_APP_ID, "id": rule["id"]})

    def _post_rule(self, rule: dict[str, Any], *, minutes: int | None = None) -> None:
        outlives = -(-(settings.MEDIA_TOKEN_SECONDS + RULE_MARGIN_SECONDS) // 60)
        body = {"appid": settings.AGORA_APP_ID, "time": min(RULE_MINUTES_MAX, minutes or outlives), **rule}
        # A timeout at Agora means that the rule may exist. Creating it twice is harmless.
        answer = self._call("POST", RULES, body)
        if answer.get("status") != "success":
            raise ProviderRejected(self.name, "did not take the rule")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if not settings.AGORA_CUSTOMER_ID:
            raise ProviderUnsupported(self.name, "has no REST keys")
        keys = f"{settings.AGORA_CUSTOMER_ID}:{settings.AGORA_CUSTOMER_SECRET}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(keys).decode()}"}
        return self._http.call(method, settings.AGORA_API_URL + path, headers=headers, body=body)


def number_of(uid: str) -> int:
    """Return the uid as a number. Raises ProviderRejected for 0, which would mean everyone."""
    number = int(uid) if uid.isascii() and uid.isdigit() else 0
    if not 1 <= number <= UID_MAX:
        raise ProviderRejected("agora", "empty uid")
    return number


def channel_of(room: RoomRef) -> str:
    """Return the room's channel. Raises ProviderError for a malformed one, which could widen a rule."""
    if not CHANNEL.fullmatch(room.channel_id):
        raise ProviderError("agora", "no channel")
    return room.channel_id
