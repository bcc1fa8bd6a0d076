"""Origin check for sockets. Browsers send cookies with every handshake from any page, and the same-origin policy
does not apply to sockets, so only this check keeps other sites' pages out (CWE-1385)."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]

Origin = tuple[str, str, int]


def header_values(scope: dict[str, Any], name: bytes) -> list[str]:
    """Return all values of a request header, in order."""
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key.lower() == name]


def origin_allowed(scope: dict[str, Any]) -> bool:
    """Return whether the page that opens this socket is trusted: a trusted origin, or the address it connects to.

    Scheme, host and port must all be equal. Called only if there is an Origin header.
    """
    values = header_values(scope, b"origin")
    origin = _parse(values[0]) if len(values) == 1 else None
    if origin is None:
        return False
    if origin in {_parse(trusted) for trusted in settings.TRUSTED_ORIGINS}:
        return True
    return origin == _own_origin(scope)


def _parse(origin: str) -> Origin | None:
    """Parse an origin as in RFC 6454: scheme, host and optional port only. Return None for anything else."""
    if not origin.isascii() or not origin.isprintable() or any(char in origin for char in " \\@?#*,"):
        return None
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path or parts.netloc.endswith(":"):
        return None
    return parts.scheme, parts.hostname, DEFAULT_PORTS[parts.scheme] if port is None else port


def _own_origin(scope: dict[str, Any]) -> Origin | None:
    """Return the origin of the address that the client connects to, or None if the Host is not allowed."""
    values = header_values(scope, b"host")
    if len(values) != 1:
        return None
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    domain, _ = split_domain_port(values[0])
    if not domain or not validate_host(domain, allowed):
        return None
    return _parse(f"{_scheme(scope)}://{values[0]}")


def _scheme(scope: dict[str, Any]) -> str:
    """Return http or https as the client sees it. A proxy's header counts only if the settings declare a proxy."""
    if settings.SECURE_PROXY_SSL_HEADER:
        meta_name, secure_value = settings.SECURE_PROXY_SSL_HEADER
        name = meta_name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        values = header_values(scope, name)
        if len(values) == 1:
            first = values[0].split(",")[0].strip()
            return "https" if first == secure_value else "http"
    return "https" if scope.get("scheme") in ("wss", "https") else "http"
