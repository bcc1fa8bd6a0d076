"""The WHIP and WHEP adapter against a real MediaMTX, where available: its answer to a wrong credential."""

import uuid

import pytest

from livestream.circuit_breaker import circuit_changed
from livestream.errors import ProviderRejected
from providers.interface import MediaRole, RoomRef
from providers.whip import WhipProvider
from tests.circuits import circuits_forget
from tests.players.mediamtx import ASKING, ITS_OWN, mediamtx_running

pytestmark = pytest.mark.waits

ROOM = RoomRef(session_id=uuid.uuid4(), channel_id="live-lamps")


@pytest.fixture(params=[ITS_OWN, ASKING], ids=["one-token", "signed-tokens"])
def provider(request, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(circuit_changed, "receivers", [])
    circuits_forget()
    settings.WHIP_TOKEN = settings.WHIP_TOKEN_SECRET = ""
    with mediamtx_running(tmp_path, auth=request.param) as server:
        for name, value in server.settings.items():
            setattr(settings, name, value)
        yield WhipProvider()
    circuits_forget()


def refused(provider, role):
    with pytest.raises(ProviderRejected) as raised:
        provider.open(room=ROOM, uid="ada", role=role, offer=b"v=0 and no more")
    return raised.value


@pytest.mark.parametrize("role", MediaRole)
def test_a_wrong_credential_is_told_from_a_bad_offer_and_its_setting_named(provider, settings, role):
    name = "WHIP_TOKEN" if settings.WHIP_TOKEN else "WHIP_TOKEN_SECRET"
    with_the_right_one = refused(provider, role)
    setattr(settings, name, getattr(settings, name) + "x")

    error = refused(provider, role)

    assert (error.status, error.category) == (401, "authentication")
    assert f"look at {name}" in str(error)
    assert with_the_right_one.status == {MediaRole.PUBLISHER: 400, MediaRole.SUBSCRIBER: 404}[role]
