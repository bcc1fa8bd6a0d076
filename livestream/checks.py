"""System checks that say, at start and by name, which setting is wrong."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning


@register()
def origins_are_whole(**_: Any) -> list[CheckMessage]:
    """TRUSTED_ORIGINS holds full origins: scheme, host and, where it is not the default, port."""
    errors: list[CheckMessage] = []
    for origin in settings.TRUSTED_ORIGINS:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or "*" in origin:
            errors.append(
                Error(
                    f"TRUSTED_ORIGINS: {origin!r} is not an origin.",
                    hint="Write it as https://shop.example or http://localhost:8000, without a path or a star.",
                    id="livestream.E001",
                )
            )
    return errors


@register()
def provider_exists(**_: Any) -> list[CheckMessage]:
    """MEDIA_PROVIDER names a provider that is installed."""
    if settings.MEDIA_PROVIDER in settings.PROVIDERS:
        return []
    known = ", ".join(sorted(settings.PROVIDERS))
    return [
        Error(
            f"MEDIA_PROVIDER: there is no provider named {settings.MEDIA_PROVIDER!r}.",
            hint=f"Choose one of: {known}.",
            id="livestream.E002",
        )
    ]


@register()
def turn_is_whole(**_: Any) -> list[CheckMessage]:
    """TURN needs both its addresses and its secret."""
    if bool(settings.TURN_URLS) == bool(settings.TURN_SECRET):
        return []
    return [Error("TURN_URLS and TURN_SECRET go together; one of them is not set.", id="livestream.E003")]


@register(deploy=True)
def postgres_wants_redis(**_: Any) -> list[CheckMessage]:
    """Several web processes need Redis to hear each other; SQLite is for one."""
    if settings.REDIS_URL or settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    return [
        CheckWarning(
            "REDIS_URL is not set: run exactly one web process.",
            hint="Set REDIS_URL to run several.",
            id="livestream.W001",
        )
    ]
