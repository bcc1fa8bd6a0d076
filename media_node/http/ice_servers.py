"""TURN servers for clients, with time-limited credentials.

Link headers follow RFC 9725 section 4.6. Credentials are those of coturn's `use-auth-secret`
(draft-uberti-behave-turn-rest-00).
"""

from __future__ import annotations

import base64
import hashlib
import hmac

CREDENTIAL_SECONDS = 3600


def turn_credential(*, user: str, secret: str, now: float) -> tuple[str, str]:
    """Return a user name and password valid for one hour."""
    username = f"{int(now) + CREDENTIAL_SECONDS}:{user}"
    # TURN servers compute SHA-1 here. It is used as a keyed MAC, for which SHA-1 is still sound.
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def ice_server_links(*, urls: tuple[str, ...], secret: str, user: str, now: float) -> list[str]:
    """Return one Link header value per server."""
    links = []
    for url in urls:
        link = f'<{url}>; rel="ice-server"'
        if secret and url.startswith(("turn:", "turns:")):
            username, credential = turn_credential(user=_plain(user), secret=secret, now=now)
            link += f'; username="{username}"; credential="{credential}"; credential-type="password"'
        links.append(link)
    return links


def _plain(user: str) -> str:
    return "".join(c for c in user if c.isascii() and (c.isalnum() or c in "-_.")) or "user"
