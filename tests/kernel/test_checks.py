"""A half-configured provider keeps the product from starting, and the setting is named."""

import os
import subprocess
import sys

import pytest

from livestream.checks import fallbacks_exist, providers_are_safe, providers_are_whole
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
