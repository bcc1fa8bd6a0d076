"""The node's configuration, validated once at startup."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECRET_LIMIT_CHARACTERS = 32


class ConfigInvalid(ValueError):
    """A setting that cannot be used. The text is one plain sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits per client and for the whole node, generous enough for an honest crowd. Rates are per second."""

    # An offer from a browser that receives 24 video and 24 audio sections is 140 KiB.
    offer_bytes: int = 256 * 1024
    peers: int = 2000
    peers_per_user: int = 16
    pending: int = 512
    pending_per_user: int = 8
    pending_per_address: int = 128
    posts_per_user: float = 2.0
    posts_per_user_burst: int = 10
    posts_per_address: float = 20.0
    posts_per_address_burst: int = 200
    http_connections: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """Configuration of one media node. Durations are in seconds, rates in bits per second. Port 0 lets the system
    choose."""

    secret: str = field(repr=False)
    node: str = "local"
    udp_host: str = ""
    udp_port: int = 8189
    http_host: str = "127.0.0.1"
    http_port: int = 8190
    public_addresses: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    webhook_url: str = ""
    webhook_certificate: str = ""
    turn_urls: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    publisher_ceiling: int = 2_500_000
    publisher_start: int = 800_000
    idle_seconds: float = 30.0
    handshake_seconds: float = 10.0
    silence_seconds: float = 4.0
    # Longer than the longest grace period of a session, after which web ends the session and closes the room itself.
    hold_seconds: float = 1860.0
    # How many videos viewers receive: the host, a screen, and the most recent speakers.
    last_n: int = 9
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_LIMIT_CHARACTERS:
            raise ConfigInvalid(
                f"MEDIA_SECRET must have at least {SECRET_LIMIT_CHARACTERS} characters; set the same long "
                "random value for web and media node."
            )
        for port, name in ((self.udp_port, "MEDIA_UDP_PORT"), (self.http_port, "MEDIA_HTTP_PORT")):
            if not 0 <= port <= 65535:
                raise ConfigInvalid(f"{name} must be a port number from 0 to 65535, not {port}.")
        if not 1 <= self.last_n <= 24:
            raise ConfigInvalid(f"MEDIA_LAST_N must be a number from 1 to 24, not {self.last_n}.")
        for network in self.trusted_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ConfigInvalid(
                    f"MEDIA_TRUSTED_PROXIES has {network!r}, which is not an address or network; write "
                    "10.0.0.0/8 or 10.0.0.7, separated by commas."
                ) from None
        for address in self.public_addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ConfigInvalid(
                    f"MEDIA_PUBLIC_ADDRESSES has {address!r}, which is not an IP address; give addresses "
                    "separated by commas."
                ) from None

    def trusts(self, address: str) -> bool:
        """Return whether to trust X-Forwarded-For from this address: loopback and the configured proxies."""
        try:
            caller = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return caller.is_loopback or any(caller in ipaddress.ip_network(network) for network in self.trusted_proxies)


def config_from_environment(environ: Mapping[str, str]) -> NodeConfig:
    """Return the configuration of a node run without Django, from the same variables as web."""
    return NodeConfig(
        secret=_secret(environ, "MEDIA_SECRET"),
        node=environ.get("MEDIA_NODE", "local"),
        udp_port=_port(environ, "MEDIA_UDP_PORT", 8189),
        http_host=environ.get("MEDIA_HTTP_HOST", "127.0.0.1"),
        http_port=_port(environ, "MEDIA_HTTP_PORT", 8190),
        public_addresses=_listed(environ, "MEDIA_PUBLIC_ADDRESSES"),
        trusted_proxies=_listed(environ, "MEDIA_TRUSTED_PROXIES"),
        webhook_certificate=environ.get("MEDIA_WEBHOOK_CERTIFICATE", ""),
        webhook_url=environ.get("MEDIA_WEBHOOK_URL", "http://127.0.0.1:8000/webhooks/builtin/"),
        last_n=_whole(environ, "MEDIA_LAST_N", 9),
        turn_urls=_listed(environ, "TURN_URLS"),
        turn_secret=_secret(environ, "TURN_SECRET"),
    )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit():
        raise ConfigInvalid(f"{name} must be a port number from 0 to 65535, not {text!r}.")
    return int(text)


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "") or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ConfigInvalid(f"{name} must be a whole number, not {text!r}.")
    return int(text)


def _listed(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())


def _secret(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name, "")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigInvalid(f"{name}_FILE cannot be read: {error.strerror}.") from None
