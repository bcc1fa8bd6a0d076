"""Clients of our own WHIP, WHEP and HLS addresses, in the test database."""

import re
from typing import Any

from django.test import Client

from livestream.actors import actor_of
from providers.interface import MediaRole
from streams.models import StreamSession
from tests.providers.stand_ins import WhipStandIn
from tokens.services import media_token_issue

FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
WAYS = {MediaRole.PUBLISHER: "whip", MediaRole.SUBSCRIBER: "whep"}
_client = Client()


def token_for(session: StreamSession, user: Any, role: MediaRole = MediaRole.SUBSCRIBER) -> str:
    """Return a person's join descriptor."""
    return media_token_issue(session_id=session.pk, actor=actor_of(user), role=role).token


def call(method: str, path: str, token: str = "", *, body: bytes = b"", kind: str = "", **headers: str) -> Any:
    """Send one request with a media token."""
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    return _client.generic(method, path, body, content_type=kind or "application/octet-stream", headers=sent | headers)


def offer(session: StreamSession, token: str, role: MediaRole = MediaRole.SUBSCRIBER) -> Any:
    """POST an offer to the session's address."""
    path = f"/{WAYS[role]}/{session.pk}"
    return call("POST", path, token, body=WhipStandIn.OFFER, kind="application/sdp")


def trickle(location: str, token: str, *, if_match: str = '"first"') -> Any:
    """PATCH a connection with a candidate."""
    return call("PATCH", location, token, body=b"a=candidate:1\r\n", kind=FRAGMENT_TYPE, **{"If-Match": if_match})


def watch(session: StreamSession, user: Any) -> tuple[str, str]:
    """Have a person watch; return their token, and their connection's address."""
    token = token_for(session, user)
    return token, str(offer(session, token)["Location"])


def send(session: StreamSession) -> tuple[str, str]:
    """Have the host publish; return the token, and the connection's address."""
    token = token_for(session, session.host, MediaRole.PUBLISHER)
    return token, str(offer(session, token, MediaRole.PUBLISHER)["Location"])


def playlist(session: StreamSession, token: str = "", name: str = "main", *, user: Any = None, query: str = "") -> Any:
    """GET a playlist: with a token, with a person's browser cookie, or anonymously."""
    client = Client()
    if user is not None:
        client.force_login(user)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.get(f"/hls/{session.pk}/{name}.m3u8{query}", headers=headers)


def names(text: str) -> dict[str, str]:
    """Return the names in a multivariant playlist of one audio and one video rendition."""
    sound = re.search(r'URI="([^"]+)[.]m3u8"', text)
    picture = re.search(r"^([^#].*)[.]m3u8$", text, re.MULTILINE)
    assert sound and picture, text
    return {"audio": sound[1], "video": picture[1]}
