"""The same contract for providers without the keys that let them remove people."""

import pytest

from providers.agora import AgoraProvider
from providers.interface import Capability, Revocation
from providers.mux import MuxProvider
from tests.providers.contract import ADA, BEN, ProviderContract
from tests.providers.setups import APP_ID, CERTIFICATE
from tests.providers.stand_ins import AgoraStandIn, MuxStandIn, running


class TestAgoraWithoutRestKeys(ProviderContract):
    adapter = AgoraProvider
    settings = {
        "AGORA_APP_ID": APP_ID,
        "AGORA_APP_CERTIFICATE": CERTIFICATE,
        "AGORA_CUSTOMER_ID": "",
        "AGORA_CUSTOMER_SECRET": "",
    }
    secrets = (CERTIFICATE,)
    uids = {ADA: "101", BEN: "4294967295"}

    @pytest.fixture
    def stand_in(self):
        with running(AgoraStandIn, app_id=APP_ID, customer="customer", secret="rest secret") as server:
            yield server
        assert server.requests == []

    def test_a_provider_that_is_away_is_unreachable(self):
        pytest.skip("agora without REST keys is never called")

    def test_a_provider_that_stumbles_once_is_asked_again(self):
        pytest.skip("agora without REST keys is never called")

    def test_closing_ends_everybodys_media_and_twice_is_once(self, provider, room):
        provider.close(room=room)  # no further tokens are issued; nothing else is possible

    def test_nobody_is_promised_to_be_removed(self, provider):
        assert provider.revocation is Revocation.EXPIRES
        assert Capability.PRIVATE_SHOWS not in provider.capabilities


class TestMuxWithoutASigningKey(ProviderContract):
    adapter = MuxProvider
    settings = {
        "MUX_TOKEN_ID": "mux id",
        "MUX_TOKEN_SECRET": "mux secret",
        "MUX_SIGNING_KEY_ID": "",
        "MUX_SIGNING_PRIVATE_KEY": "",
    }
    secrets = ("mux secret",)

    @pytest.fixture
    def stand_in(self):
        with running(MuxStandIn, token_id="mux id", secret="mux secret") as server:
            yield server

    def addresses(self, stand_in):
        return {"MUX_API_URL": stand_in.url, "MUX_PLAYBACK_URL": f"{stand_in.url}/playback"}

    def senders_told(self):
        return {"host"}

    def test_every_token_is_another_one(self):
        pytest.skip("there is no token: the address opens it")
