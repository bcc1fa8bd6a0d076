"""Providers with their vendors' stand-ins."""

import pytest

from tests.providers.setups import stand_in_of


@pytest.fixture
def agora(settings):
    with stand_in_of("agora", settings) as server:
        yield server


@pytest.fixture
def livekit(settings):
    with stand_in_of("livekit", settings) as server:
        yield server


@pytest.fixture
def daily(settings):
    with stand_in_of("daily", settings) as server:
        yield server


@pytest.fixture
def mux(settings):
    with stand_in_of("mux", settings) as server:
        yield server


@pytest.fixture
def whip(settings):
    with stand_in_of("whip", settings) as server:
        yield server


@pytest.fixture
def without_keys(agora, settings):
    """Agora without REST keys: nobody can be removed there."""
    settings.AGORA_CUSTOMER_ID = settings.AGORA_CUSTOMER_SECRET = ""
    return agora


@pytest.fixture
def unsigned(mux, settings):
    """Mux without a signing key: anyone who knows the address can watch."""
    settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
    return mux
