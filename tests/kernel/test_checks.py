"""A half-configured provider keeps the product from starting, and the setting is named."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from livestream.checks import (
    connections_are_enough,
    fallbacks_exist,
    origins_are_whole,
    postgres_wants_redis,
    provider_exists,
    providers_are_safe,
    providers_are_whole,
    require_whole_providers,
    sdks_are_there,
    turn_is_whole,
)
from livestream.database import LANES, connections_needed
from tests.docs.reading import ROOT


def test_what_is_set_up_here_is_whole():
    assert providers_are_whole() == []
    assert providers_are_safe() == []


def test_a_path_that_leads_nowhere_is_named(settings):
    settings.PROVIDERS = {"mine": "providers.mine.Nothing"}

    (error,) = providers_are_whole()

    assert error.id == "livestream.E004"
    assert "mine" in error.msg


def test_what_should_not_be_in_production_is_a_warning(settings):
    settings.PROVIDERS = {"mux": "providers.mux.MuxProvider"}
    settings.MUX_TOKEN_ID = settings.MUX_TOKEN_SECRET = "x"

    (warning,) = providers_are_safe()

    assert warning.id == "livestream.W002"
    assert "MUX_SIGNING_KEY_ID" in warning.msg
    assert providers_are_whole() == []


def test_a_fallback_that_is_not_there_is_named(settings):
    settings.MEDIA_FALLBACK = ["builtin", "agora"]

    (error,) = fallbacks_exist()

    assert "'agora'" in error.msg


def test_a_pool_that_is_smaller_than_the_lanes_is_named(settings):
    needed = connections_needed()
    database = settings.DATABASES["default"]

    def problems(size):
        settings.DATABASES = {"default": {**database, "OPTIONS": {"pool": {"max_size": size}}}}
        return connections_are_enough()

    (warning,) = problems(needed - 1)

    assert warning.id == "livestream.W004"
    assert (f"DATABASE_POOL_SIZE is {needed - 1}" in warning.msg, str(needed) in warning.hint) == (True, True)
    assert problems(needed) == []
    assert needed >= sum(lane.size for lane in LANES if not lane.shares_connections)


@pytest.mark.parametrize(
    "origin",
    ["shop.example", "https://", "ftp://shop.example", "https://shop.example/", "https://*.shop.example", "*", ""],
)
def test_an_origin_that_is_none_is_named(settings, origin):
    settings.TRUSTED_ORIGINS = ["https://good.example", origin, "http://localhost:8000"]

    (error,) = origins_are_whole()

    assert (error.id, repr(origin) in error.msg) == ("livestream.E001", True)


def test_a_provider_that_is_not_there_is_named_with_those_that_are(settings):
    settings.MEDIA_PROVIDER = "builtn"

    (error,) = provider_exists()

    assert (error.id, "'builtn'" in error.msg, "builtin" in error.hint) == ("livestream.E002", True, True)
    with pytest.raises(ImproperlyConfigured, match="'builtn'"):
        require_whole_providers()


def test_turn_needs_addresses_and_a_secret(settings):
    for urls, secret in ((["turn:turn.example"], ""), ([], "secret")):
        settings.TURN_URLS, settings.TURN_SECRET = urls, secret
        assert [error.id for error in turn_is_whole()] == ["livestream.E003"]
    for urls, secret in ((["turn:turn.example"], "secret"), ([], "")):
        settings.TURN_URLS, settings.TURN_SECRET = urls, secret
        assert turn_is_whole() == []


@pytest.mark.parametrize(
    ("engine", "redis_url", "warned"),
    [
        ("django.db.backends.postgresql", "", ["livestream.W001"]),
        ("django.db.backends.postgresql", "redis://localhost", []),
        ("django.db.backends.sqlite3", "", []),
    ],
)
def test_several_processes_on_postgresql_are_warned_without_redis(settings, monkeypatch, engine, redis_url, warned):
    settings.REDIS_URL = redis_url
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", engine)

    assert [warning.id for warning in postgres_wants_redis()] == warned


def test_a_provider_without_its_sdk_is_warned_of(settings, tmp_path):
    settings.SDK_DIR = tmp_path
    settings.PROVIDERS = {"livekit": "providers.livekit.LiveKitProvider"}

    (warning,) = sdks_are_there()

    assert (warning.id, "livekit" in warning.msg, "install_sdks" in warning.hint) == ("livestream.W003", True, True)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"AGORA_APP_ID": "0" * 32}, "AGORA_APP_CERTIFICATE"),
        ({"LIVEKIT_API_SECRET": "x" * 40}, "LIVEKIT_URL"),
        ({"MUX_TOKEN_SECRET": "x"}, "MUX_TOKEN_ID"),
        ({"WHIP_TOKEN": "x"}, "WHIP_PUBLISH_URL"),
    ],
)
@pytest.mark.parametrize("start", [["manage.py", "check"], ["-c", "import livestream.asgi"]], ids=["manage", "server"])
def test_nothing_starts_with_half_a_provider(given, named, start, tmp_path):
    environment = os.environ | {"DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "livestream.settings", **given}

    done = subprocess.run(
        [sys.executable, *start], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert done.returncode != 0
    assert f"{named} is not set" in done.stderr
