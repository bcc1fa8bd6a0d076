"""The LiveKit adapter against a real livekit-server, where available."""

import re
import shlex
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import urllib3
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from livestream.circuit_breaker import circuit_changed
from providers.interface import MediaRole, PersonRef, RoomRef
from providers.livekit import LiveKitProvider
from tests.circuits import circuits_forget
from tests.docs.reading import document, section
from tests.players.livekit_server import livekit_path, livekit_running, livekit_said

pytestmark = [pytest.mark.waits, pytest.mark.skipif(livekit_path() is None, reason="livekit-server is not installed")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with livekit_running(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.fixture
def provider(settings, server, monkeypatch):
    monkeypatch.setattr(circuit_changed, "receivers", [])
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


def test_a_server_for_a_try_out_starts_as_the_docs_say(provider, room, settings, tmp_path):
    """The documentation's own lines, on free ports."""
    lines = re.search(r"```sh\n(SECRET=.*?)```", section(document("docs/providers.md"), "Setting them up"), re.DOTALL)[
        1
    ]
    started, run = re.search(r"^livekit-server (.*) &$", lines, re.MULTILINE)[1], lines.splitlines()[-1]
    secret = "0123456789abcdef" * 4
    words = shlex.split(started.replace("$SECRET", secret))
    for name, value in re.findall(r"(LIVEKIT_\w+)=(\S+)", run.replace("$SECRET", secret)):
        setattr(settings, name, value)
    assert settings.LIVEKIT_URL == "ws://localhost:7880"
    assert LiveKitProvider.settings_problems() == []

    with livekit_said([livekit_path(), *words], tmp_path) as port:
        address = f"http://localhost:{port}/rtc/validate"
        answer = urllib3.request("GET", address, fields={"access_token": joined(provider, room).token}, retries=False)

    assert answer.status == 200, answer.data


def test_calls_about_nobody_and_nothing_are_taken(provider, room):
    provider.remove(room=room, uid="ben")
    provider.unpublish(room=room, uid="ben")
    provider.mute(room=room, uid="ben", kind="audio", muted=True)
    provider.close(room=room)

    assert provider.publishers(rooms=[room]) == {str(room.session_id): set()}


def test_several_nodes_are_one_server_through_their_own_redis(provider, room, settings, redis_server, tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    shared = urlsplit(redis_server.url).netloc
    with livekit_running(tmp_path / "one", shared) as one, livekit_running(tmp_path / "other", shared) as other:
        settings.LIVEKIT_URL = other.url
        address = f"{one.url}/rtc?access_token={joined(provider, room).token}&protocol=15"
        with connect(address) as socket:
            socket.recv(timeout=5)
            assert set(provider.people(rooms=[room])[str(room.session_id)]) == {"ben"}

            provider.remove(room=room, uid="ben")

            with pytest.raises(ConnectionClosed):
                while True:
                    socket.recv(timeout=5)
        assert provider.people(rooms=[room]) == {str(room.session_id): {}}
