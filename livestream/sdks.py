"""The browser SDKs of media providers: the needed ones, their files, and the hosts that pages may connect to.

None is part of this product, and none comes from a CDN: `manage.py install_sdks` fetches the pinned package through
npm, verifies it against package-lock.json and keeps the one file that a browser needs. The default provider needs none.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static

PREFIX = "sdk"


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK: its npm package and the file in it.

    `providers` are those that use it. `connect`, `script` and `media` are the hosts that it needs beyond this site
    (from the providers' documents on firewalls and content policies).
    """

    name: str
    package: str
    source: str
    providers: tuple[str, ...]
    connect: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    media: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The file's name below static/sdk/."""
        return f"{self.name}.js"


SDKS = {
    sdk.name: sdk
    for sdk in (
        Sdk(
            name="agora",
            package="agora-rtc-sdk-ng",
            source="AgoraRTC_N-production.js",
            providers=("agora",),
            connect=tuple(
                f"{scheme}://*.{host}{port}"
                for host in ("agora.io", "sd-rtn.com")
                for scheme, port in (("https", ":*"), ("wss", ":*"))
            ),
        ),
        Sdk(
            name="livekit",
            package="livekit-client",
            source="dist/livekit-client.umd.js",
            providers=("livekit",),
        ),
        Sdk(
            name="daily",
            package="@daily-co/daily-js",
            source="dist/daily.js",
            providers=("daily",),
            connect=("https://*.daily.co", "wss://*.daily.co", "https://*.wss.daily.co:*", "wss://*.wss.daily.co:*"),
            script=("https://*.daily.co",),
        ),
        Sdk(
            name="hls",
            package="hls.js",
            source="dist/hls.min.js",
            providers=("mux",),
            connect=("https://*.mux.com",),
            media=("https://*.mux.com",),
        ),
    )
}


def needed_sdks() -> list[Sdk]:
    """Return the SDKs of enabled providers, in the order of SDKS."""
    return [sdk for sdk in SDKS.values() if any(provider in settings.PROVIDERS for provider in sdk.providers)]


def is_installed(sdk: Sdk) -> bool:
    """Return whether pages will find the file: collected, or in SDK_DIR."""
    path = f"{PREFIX}/{sdk.file}"
    if settings.COLLECTED:
        return (Path(settings.STATIC_ROOT) / path).exists()
    return finders.find(path) is not None


def missing_sdks() -> list[Sdk]:
    """Return needed SDKs that are not installed."""
    return [sdk for sdk in needed_sdks() if not is_installed(sdk)]


def sdk_addresses() -> dict[str, str]:
    """Return the addresses of needed and installed SDKs by name, for pages."""
    return {sdk.name: static(f"{PREFIX}/{sdk.file}") for sdk in needed_sdks() if is_installed(sdk)}


def player_sources() -> dict[str, list[str]]:
    """Return the hosts that pages with a player may reach beyond this site, by directive of the
    Content-Security-Policy.

    None by default. LiveKit's server is listed with its HTTP address too, where its client asks for the reason of a
    refusal. Mux's playback address may be a proxy or a custom domain.
    """
    sources: dict[str, list[str]] = {"connect-src": [], "script-src": [], "media-src": []}
    for sdk in needed_sdks():
        sources["connect-src"] += sdk.connect
        sources["script-src"] += sdk.script
        sources["media-src"] += sdk.media
    if "livekit" in settings.PROVIDERS:
        sources["connect-src"] += _origins(
            settings.LIVEKIT_URL, {"ws": "http", "http": "ws", "wss": "https", "https": "wss"}
        )
    if "mux" in settings.PROVIDERS:
        for directive in ("connect-src", "media-src"):
            sources[directive] += _origins(settings.MUX_PLAYBACK_URL)
    base = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    # A new directive replaces default-src, so it must repeat the site's own origin.
    return {
        directive: [*base.get(directive, base["default-src"]), *dict.fromkeys(hosts)]
        for directive, hosts in sources.items()
        if hosts
    }


def _origins(url: str, twins: dict[str, str] | None = None) -> list[str]:
    parts = urlsplit(url)
    schemes = [parts.scheme, *([twins[parts.scheme]] if twins and parts.scheme in twins else [])]
    return [f"{scheme}://{parts.netloc}" for scheme in schemes] if parts.netloc else []
