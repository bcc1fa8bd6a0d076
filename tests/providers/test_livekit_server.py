"""The LiveKit adapter against a real livekit-server, where there is one."""

import uuid
from datetime import UTC, datetime

import pytest
import urllib3

from livestream import circuit
from livestream.circuit import circuits_forget
from streams.providers.base import MediaRole, PersonRef, RoomRef
from streams.providers.livekit import LiveKitProvider
from tests.players.livekit_server import livekit_path, livekit_running

pytestmark = pytest.mark.skipif(livekit_path() is None, reason="livekit-server is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with livekit_running(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.fixture
def provider(settings, server, monkeypatch):
    monkeypatch.setattr(circuit, "_listeners", [])
    circuits_forget()
    settings.LIVEKIT_URL, settings.LIVEKIT_API_KEY, settings.LIVEKIT_API_SECRET = server.url, server.key, server.secret
    yield LiveKitProvider()
    circuits_forget()


@pytest.fixture
def room():
    return RoomRef(session_id=uuid.uuid4(), channel_id=f"live-{uuid.uuid4().hex}")


def joined(provider, room):
    return provider.join(
        room=room,
        person=PersonRef(uid="ben", name="Ben"),
        role=MediaRole.SUBSCRIBER,
        is_admin=False,
        now=datetime.now(UTC),
    )


def test_the_server_accepts_the_tokens(provider, room, server):
    token = joined(provider, room).token

    answer = urllib3.request("GET", f"{server.http_url}/rtc/validate", fields={"access_token": token}, retries=False)

    assert answer.status == 200, answer.data


def test_the_server_refuses_a_token_of_another_secret(provider, room, server, settings):
    settings.LIVEKIT_API_SECRET = server.secret + "x"
    token = joined(provider, room).token

    answer = urllib3.request("GET", f"{server.http_url}/rtc/validate", fields={"access_token": token}, retries=False)

    assert answer.status == 401


def test_calls_about_nobody_and_nothing_are_taken(provider, room):
    provider.remove(room=room, uid="ben")
    provider.unpublish(room=room, uid="ben")
    provider.mute(room=room, uid="ben", kind="audio", muted=True)
    provider.close(room=room)

    assert provider.publishers(rooms=[room]) == {str(room.session_id): set()}
