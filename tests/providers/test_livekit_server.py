"""The LiveKit adapter against a real livekit-server, where one is on the PATH."""

import shutil
import subprocess
import time
import uuid
from datetime import UTC, datetime

import pytest
import urllib3

from livestream import circuit
from livestream.circuit import circuits_forget
from streams.providers.base import MediaRole, PersonRef, RoomRef
from streams.providers.livekit import LiveKitProvider
from tests.servers import free_port

KEY, SECRET = "testkey", "a secret that is long enough for a livekit server"

pytestmark = pytest.mark.skipif(shutil.which("livekit-server") is None, reason="livekit-server is not installed")


@pytest.fixture(scope="module")
def server_url(tmp_path_factory):
    port = free_port()
    config = tmp_path_factory.mktemp("livekit") / "livekit.yaml"
    config.write_text(
        f"port: {port}\nbind_addresses: ['127.0.0.1']\nrtc:\n  udp_port: {free_port()}\n  tcp_port: {free_port()}\n"
        f"keys:\n  {KEY}: '{SECRET}'\n"
    )
    process = subprocess.Popen(["livekit-server", "--config", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib3.request("GET", f"http://127.0.0.1:{port}/", timeout=1, retries=False)
                break
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def provider(settings, server_url, monkeypatch):
    monkeypatch.setattr(circuit, "_listeners", [])
    circuits_forget()
    settings.LIVEKIT_URL, settings.LIVEKIT_API_KEY, settings.LIVEKIT_API_SECRET = server_url, KEY, SECRET
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


def test_the_server_accepts_the_tokens(provider, room, server_url):
    token = joined(provider, room).token

    answer = urllib3.request("GET", f"{server_url}/rtc/validate", fields={"access_token": token}, retries=False)

    assert answer.status == 200, answer.data


def test_the_server_refuses_a_token_of_another_secret(provider, room, server_url, settings):
    settings.LIVEKIT_API_SECRET = SECRET + "x"
    token = joined(provider, room).token

    answer = urllib3.request("GET", f"{server_url}/rtc/validate", fields={"access_token": token}, retries=False)

    assert answer.status == 401


def test_calls_about_nobody_and_nothing_are_taken(provider, room):
    provider.remove(room=room, uid="ben")
    provider.unpublish(room=room, uid="ben")
    provider.mute(room=room, uid="ben", kind="audio", muted=True)
    provider.close(room=room)

    assert provider.publishers(rooms=[room]) == {str(room.session_id): set()}
