"""Providers configured against their stand-ins, as the whole product uses them."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers import registry
from tests.circuits import circuits_forget
from tests.providers.stand_ins import (
    AgoraStandIn,
    DailyStandIn,
    LiveKitStandIn,
    MuxStandIn,
    StandIn,
    WhipStandIn,
    running,
)

APP_ID, CERTIFICATE = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
SECRET = "a secret that is long enough for anybody who asks"


def signing_key() -> tuple[Any, str]:
    """Return a public key, and its private half in Mux's format."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.public_key(), base64.b64encode(pem).decode()


PUBLIC_KEY, PRIVATE_KEY = signing_key()

PATHS = {
    "builtin": "providers.builtin.BuiltinProvider",
    "agora": "providers.agora.AgoraProvider",
    "livekit": "providers.livekit.LiveKitProvider",
    "daily": "providers.daily.DailyProvider",
    "mux": "providers.mux.MuxProvider",
    "whip": "providers.whip.WhipProvider",
}


@contextmanager
def stand_in_of(name: str, settings: Any) -> Iterator[StandIn]:
    """Turn the provider on, with a running vendor stand-in."""
    kinds: dict[str, tuple[type[StandIn], dict[str, Any]]] = {
        "agora": (AgoraStandIn, {"app_id": APP_ID, "customer": "customer", "secret": "rest"}),
        "livekit": (LiveKitStandIn, {"key": "APIkey", "secret": SECRET}),
        "daily": (DailyStandIn, {"key": "daily key"}),
        "mux": (MuxStandIn, {"token_id": "mux id", "secret": "mux secret", "key": PUBLIC_KEY}),
        "whip": (WhipStandIn, {"secret": SECRET}),
    }
    kind, fields = kinds[name]
    with running(kind, **fields) as server:
        given = {
            "agora": {
                "AGORA_APP_ID": APP_ID,
                "AGORA_APP_CERTIFICATE": CERTIFICATE,
                "AGORA_CUSTOMER_ID": "customer",
                "AGORA_CUSTOMER_SECRET": "rest",
                "AGORA_API_URL": server.url,
                "AGORA_WEBHOOK_SECRET": ["hook secret"],
            },
            "livekit": {"LIVEKIT_URL": server.url, "LIVEKIT_API_KEY": "APIkey", "LIVEKIT_API_SECRET": SECRET},
            "daily": {"DAILY_API_KEY": "daily key", "DAILY_API_URL": server.url},
            "mux": {
                "MUX_TOKEN_ID": "mux id",
                "MUX_TOKEN_SECRET": "mux secret",
                "MUX_API_URL": server.url,
                "MUX_PLAYBACK_URL": f"{server.url}/playback",
                "MUX_SIGNING_KEY_ID": "key-1",
                "MUX_SIGNING_PRIVATE_KEY": PRIVATE_KEY,
                "MUX_WEBHOOK_SIGNING_SECRET": ["SuperSecret123"],
            },
            "whip": {
                "WHIP_PUBLISH_URL": f"{server.url}/{{channel}}/whip",
                "WHIP_WATCH_URL": f"{server.url}/{{channel}}/whep",
                "WHIP_TOKEN_SECRET": SECRET,
                "WHIP_TOKEN": "",
            },
        }[name]
        for setting, value in given.items():
            setattr(settings, setting, value)
        settings.PROVIDERS = {**settings.PROVIDERS, name: PATHS[name]}
        registry._load.cache_clear()
        circuits_forget()
        made = registry.provider_named(name)
        made._http._sleep = lambda seconds: None  # type: ignore[attr-defined]
        try:
            yield server
        finally:
            registry._load.cache_clear()
            circuits_forget()
