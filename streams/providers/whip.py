"""Any server that speaks WHIP (RFC 9725) and WHEP: people get an address and a bearer token, and nothing else.

The addresses are templates with `{channel}`. The token is either made for each person, a JSON Web Token (RFC 7519)
that the server checks with a shared secret and that runs out after ten minutes, or one fixed token for everybody,
viewers too, which nobody can take back. With that one there are no private shows, and who watches could publish.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt
from django.conf import settings

from livestream.identifiers import secret_token
from streams.providers.adapter import Adapter
from streams.providers.base import Capability, JoinDescriptor, MediaRole, PersonRef, RoomRef, SettingProblem
from streams.providers.builtin import ice_servers

SECRET_MIN_CHARACTERS = 32


class WhipProvider(Adapter):
    """A WHIP and WHEP server somewhere."""

    name = "whip"
    required_settings = ("WHIP_PUBLISH_URL", "WHIP_WATCH_URL")

    @property
    def capabilities(self) -> frozenset[Capability]:  # type: ignore[override]
        """Who may watch can be limited only with tokens of each person's own."""
        found = {Capability.BROWSER_PUBLISHES}
        if settings.WHIP_TOKEN_SECRET:
            found |= {Capability.PRIVATE_SHOWS}
        return frozenset(found)

    @classmethod
    def settings_problems(cls) -> list[SettingProblem]:
        """Both addresses are templates of http(s); exactly one kind of token is chosen."""
        problems = super().settings_problems()
        for name in cls.required_settings:
            template = getattr(settings, name)
            if template and (urlsplit(template).scheme not in ("http", "https") or "{channel}" not in template):
                problems.append(SettingProblem(name, "is not an address with {channel} in it"))
        if bool(settings.WHIP_TOKEN_SECRET) == bool(settings.WHIP_TOKEN):
            hint = "Set WHIP_TOKEN_SECRET (a token for each person), or WHIP_TOKEN (one for all); not both."
            problems.append(SettingProblem("WHIP_TOKEN_SECRET", "or WHIP_TOKEN has to be set", hint))
        elif settings.WHIP_TOKEN:
            hint = (
                "Everybody gets it, so whoever may watch can publish, too, and again after they were put out. "
                "Use WHIP_TOKEN_SECRET where the server can check JWTs."
            )
            problems.append(SettingProblem("WHIP_TOKEN", "cannot be taken back from anybody", hint, fatal=False))
        if 0 < len(settings.WHIP_TOKEN_SECRET) < SECRET_MIN_CHARACTERS:
            problems.append(SettingProblem("WHIP_TOKEN_SECRET", f"is shorter than {SECRET_MIN_CHARACTERS} characters"))
        return problems

    def join(
        self, *, room: RoomRef, person: PersonRef, role: MediaRole, is_admin: bool, now: datetime
    ) -> JoinDescriptor:
        """Addresses and a token. No call."""
        expires_at = now + timedelta(seconds=settings.MEDIA_TOKEN_SECONDS)
        publishes = role == MediaRole.PUBLISHER
        template: str = settings.WHIP_PUBLISH_URL if publishes else settings.WHIP_WATCH_URL
        return JoinDescriptor(
            provider=self.name,
            protocol="whip" if publishes else "whep",
            url=template.replace("{channel}", room.channel_id),
            token=self._token(room, person, role, now, expires_at),
            uid=person.uid,
            channel_id=room.channel_id,
            can_publish=publishes,
            can_subscribe=not publishes,
            can_admin=is_admin,
            expires_at=expires_at,
            ice_servers=ice_servers(user=person.uid, expires_at=expires_at),
            shared_token=bool(settings.WHIP_TOKEN),
        )

    @staticmethod
    def _token(room: RoomRef, person: PersonRef, role: MediaRole, now: datetime, expires_at: datetime) -> str:
        if not settings.WHIP_TOKEN_SECRET:
            fixed: str = settings.WHIP_TOKEN
            return fixed
        claims = {
            "iss": "livestream",
            "sub": person.uid,
            "jti": secret_token(),
            "channel": room.channel_id,
            "role": role.value,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, settings.WHIP_TOKEN_SECRET, algorithm="HS256")
