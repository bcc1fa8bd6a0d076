"""The browser SDKs of media providers: fetched when needed, checked, and named in the policy of pages with a player."""

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from livestream.checks import sdks_are_there
from livestream.sdk_install import SdkNotInstalled, install_sdk
from livestream.sdks import SDKS, missing_sdks, needed_sdks, player_sources, sdk_addresses

LIVEKIT = {
    "builtin": "providers.builtin.BuiltinProvider",
    "livekit": "providers.livekit.LiveKitProvider",
}


@pytest.fixture
def sdk_dir(tmp_path: Path, settings) -> Path:
    folder = tmp_path / "sdk"
    folder.mkdir()
    settings.SDK_DIR = folder
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, ("sdk", folder)]
    return folder


@pytest.fixture
def npm(tmp_path: Path, monkeypatch) -> Path:
    """A fake npm, which packs the contents of `package.tgz`."""
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as package:
        content = b"window.LivekitClient = {};\n//# sourceMappingURL=livekit-client.umd.js.map\n"
        entry = tarfile.TarInfo("package/dist/livekit-client.umd.js")
        entry.size = len(content)
        package.addfile(entry, io.BytesIO(content))
    binaries = tmp_path / "bin"
    binaries.mkdir()
    script = binaries / "npm"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/npm.log\ncp {archive} "$4"/\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    return archive


def lock_of(archive: Path) -> Path:
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    entry = {"version": "2.23.0", "integrity": f"sha512-{digest}"}
    lock = archive.with_name("package-lock.json")
    lock.write_text(json.dumps({"packages": {"node_modules/livekit-client": entry}}))
    return lock


def test_the_default_needs_none_and_reaches_nobody():
    assert needed_sdks() == []
    assert player_sources() == {}
    assert sdk_addresses() == {}


def test_segments_may_come_from_where_mux_is_played_from(settings):
    settings.PROVIDERS = {"mux": ""}
    settings.MUX_PLAYBACK_URL = "https://video.shop.example:8443/live"

    sources = player_sources()

    for directive in ("connect-src", "media-src"):
        assert {"https://*.mux.com", "https://video.shop.example:8443"} <= set(sources[directive])


def test_every_sdk_is_pinned_with_its_hash(settings):
    packages = json.loads((settings.BASE_DIR / "package-lock.json").read_text())["packages"]

    for sdk in SDKS.values():
        assert packages[f"node_modules/{sdk.package}"]["integrity"].startswith("sha512-")


def test_the_package_is_checked_and_the_one_file_kept_without_its_source_map(npm: Path, sdk_dir: Path, tmp_path: Path):
    version = install_sdk(SDKS["livekit"], lock=lock_of(npm), folder=sdk_dir)

    assert version == "2.23.0"
    assert [file.name for file in sdk_dir.iterdir()] == ["livekit.js"]
    assert (sdk_dir / "livekit.js").read_text().strip() == "window.LivekitClient = {};"
    assert "pack livekit-client@2.23.0" in (tmp_path / "npm.log").read_text()
    assert "--ignore-scripts" in (tmp_path / "npm.log").read_text()


def test_another_package_than_the_pinned_one_is_not_installed(npm: Path, sdk_dir: Path):
    lock = lock_of(npm)
    npm.write_bytes(npm.read_bytes() + b"\0")

    with pytest.raises(SdkNotInstalled, match="not the one that package-lock"):
        install_sdk(SDKS["livekit"], lock=lock, folder=sdk_dir)

    assert list(sdk_dir.iterdir()) == []


def test_without_npm_the_message_says_what_to_install(npm: Path, sdk_dir: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(sdk_dir))

    with pytest.raises(SdkNotInstalled, match=r"Install Node\.js"):
        install_sdk(SDKS["livekit"], lock=lock_of(npm), folder=sdk_dir)


def test_a_provider_without_its_sdk_is_warned_of_until_it_is_there(settings, sdk_dir: Path):
    settings.PROVIDERS = LIVEKIT
    settings.LIVEKIT_URL = "wss://media.example"

    (warning,) = sdks_are_there()
    (sdk_dir / "livekit.js").write_text("window.LivekitClient = {}")

    assert warning.id == "livestream.W003"
    assert "manage.py install_sdks" in warning.hint
    assert sdks_are_there() == []
    assert missing_sdks() == []
    assert sdk_addresses() == {"livekit": "/static/sdk/livekit.js"}


def test_the_command_fetches_nothing_that_is_not_needed(npm: Path, tmp_path: Path, capsys):
    call_command("install_sdks")

    assert "No provider that is turned on needs an SDK." in capsys.readouterr().out
    assert not (tmp_path / "npm.log").exists()


def test_the_command_knows_its_sdks():
    with pytest.raises(CommandError, match="no SDK named jquery"):
        call_command("install_sdks", "jquery")


@pytest.mark.parametrize("path", ["/live/{}/", "/studio/{}/"])
@pytest.mark.django_db
def test_pages_with_a_player_reach_the_provider_and_other_pages_do_not(settings, path, client, ada, show):
    settings.PROVIDERS = LIVEKIT
    settings.LIVEKIT_URL = "wss://media.example:7443/"
    client.force_login(ada)

    with_player = client.get(path.format(show.id)).headers["Content-Security-Policy"]
    without = client.get("/").headers["Content-Security-Policy"]

    assert "connect-src 'self' wss://media.example:7443 https://media.example:7443;" in f"{with_player};"
    assert "media.example" not in without


@pytest.mark.django_db
def test_a_script_of_a_provider_leaves_our_own_scripts_allowed(settings, client, ada, show):
    settings.PROVIDERS = {
        "builtin": "providers.builtin.BuiltinProvider",
        "daily": "providers.daily.DailyProvider",
    }
    client.force_login(ada)

    policy = client.get(f"/live/{show.id}/").headers["Content-Security-Policy"]

    assert "script-src 'self' https://*.daily.co" in policy
    assert "connect-src 'self' https://*.daily.co" in policy


def test_a_whip_server_elsewhere_is_reached_by_us_alone(settings):
    settings.PROVIDERS = {"whip": "providers.whip.WhipProvider"}
    settings.WHIP_PUBLISH_URL = settings.WHIP_WATCH_URL = "https://media.example/{channel}/whip"

    assert player_sources() == {}
