"""System checks that report invalid settings by name at startup."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from livestream.database import connections_needed
from livestream.sdks import missing_sdks


@register()
def origins_are_whole(**_: Any) -> list[CheckMessage]:
    """Check that TRUSTED_ORIGINS holds full origins: scheme, host and, if not the default, port."""
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
    """Check that MEDIA_PROVIDER names an enabled provider."""
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
def providers_are_whole(**_: Any) -> list[CheckMessage]:
    """Check that all enabled providers have the settings they need."""
    found: list[CheckMessage] = []
    for name, path in settings.PROVIDERS.items():
        try:
            problems = import_string(path).settings_problems()
        except (ImportError, AttributeError) as error:
            hint = "Name a class as the dotted path of its module and its name."
            found.append(Error(f"PROVIDERS: {name}: {path} is no provider ({error}).", hint=hint, id="livestream.E004"))
            continue
        found += [
            Error(f"{one.setting} {one.problem}.", hint=one.hint or None, obj=name, id="livestream.E005")
            for one in problems
            if one.fatal
        ]
    return found


def require_whole_providers() -> None:
    """Raise ImproperlyConfigured that names invalid provider settings. For servers, which run no system checks."""
    problems = [problem.msg for check in (provider_exists, providers_are_whole, fallbacks_exist) for problem in check()]
    if problems:
        raise ImproperlyConfigured(" ".join(problems))


@register(deploy=True)
def providers_are_safe(**_: Any) -> list[CheckMessage]:
    """Warn about provider settings that are optional but recommended in production."""
    return [
        CheckWarning(f"{one.setting} {one.problem}.", hint=one.hint or None, obj=name, id="livestream.W002")
        for name, path in settings.PROVIDERS.items()
        for one in import_string(path).settings_problems()
        if not one.fatal
    ]


@register()
def fallbacks_exist(**_: Any) -> list[CheckMessage]:
    """Check that MEDIA_FALLBACK names enabled providers."""
    return [
        Error(f"MEDIA_FALLBACK: there is no provider named {name!r}.", id="livestream.E006")
        for name in settings.MEDIA_FALLBACK
        if name not in settings.PROVIDERS
    ]


@register()
def turn_is_whole(**_: Any) -> list[CheckMessage]:
    """Check that TURN has both addresses and a secret, or neither."""
    if bool(settings.TURN_URLS) == bool(settings.TURN_SECRET):
        return []
    return [Error("TURN_URLS and TURN_SECRET go together; one of them is not set.", id="livestream.E003")]


@register()
def sdks_are_there(**_: Any) -> list[CheckMessage]:
    """Warn if an enabled provider's browser SDK is not installed: its shows would have no video."""
    return [
        CheckWarning(
            f"{sdk.package}, the browser SDK of the provider {' or '.join(sdk.providers)}, is not installed.",
            hint="Run: python manage.py install_sdks (needs npm). `make run` does it by itself.",
            id="livestream.W003",
        )
        for sdk in missing_sdks()
    ]


@register(deploy=True)
def postgres_wants_redis(**_: Any) -> list[CheckMessage]:
    """Warn that several web processes need Redis to reach each other's sockets. SQLite allows only one process."""
    if settings.REDIS_URL or settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    return [
        CheckWarning(
            "REDIS_URL is not set: run exactly one web process.",
            hint="Set REDIS_URL to run several.",
            id="livestream.W001",
        )
    ]


@register()
def connections_are_enough(**_: Any) -> list[CheckMessage]:
    """Check that the connection pool has a connection for every thread that keeps one."""
    options = settings.DATABASES["default"].get("OPTIONS", {})
    size = options.get("pool", {}).get("max_size")
    needed = connections_needed()
    if size is None or size >= needed:
        return []
    return [
        CheckWarning(
            f"DATABASE_POOL_SIZE is {size}: the threads of a web process use up to {needed} connections at once.",
            hint=f"Set DATABASE_POOL_SIZE to {needed} or more, or requests may fail under load with a pool timeout.",
            id="livestream.W004",
        )
    ]
