"""HLS in a real browser: segments that ffmpeg made, the real hls.js, and the browser's own player."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from tests.players.conftest import Visitor, descriptor
from tests.players.site import Site

pytestmark = pytest.mark.timeout(120)

MOVING = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"
NATIVE = "Boolean(document.createElement('video').canPlayType('application/vnd.apple.mpegurl'))"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of test video with a tone, in segments of a second."""
    folder = tmp_path_factory.mktemp("hls")
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"]
    form = ["-f", "hls", "-hls_time", "1", "-hls_segment_type", "fmp4", "-hls_list_size", "0", "live.m3u8"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *picture, "-t", "8", *codecs, *form]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture
def on_air(recording: Path, tmp_path: Path) -> Path:
    """The folder from which pages get the recording."""
    shutil.copytree(recording, tmp_path, dirs_exist_ok=True)
    return tmp_path


def playlist(site: Site, **more: Any) -> dict[str, Any]:
    return descriptor("hls", **{"url": f"{site.url}/files/live.m3u8", "token": "", **more})


def watching(visitor: Visitor, *passes: dict[str, Any]) -> Visitor:
    visitor.run(
        "(given) => { window.harness.call(given); window.call.want({ watch: true }) }",
        {"passes": {"subscriber": list(passes)}},
    )
    return visitor


@pytest.fixture
def ben(visitor: Visitor, site: Site, real_sdks: Path) -> Visitor:
    site.folders = {"/static/sdk/": real_sdks, **site.folders}
    return visitor.open(hls="/static/sdk/hls.js")


def test_the_picture_moves(ben: Visitor, site: Site, on_air: Path) -> None:
    watching(ben, playlist(site))

    ben.until(MOVING)

    assert ben.states() == ["connecting", "receiving"]
    assert ben.run("document.querySelector('video').videoWidth") == 320
    assert ben.complaints == []


def test_beginning_is_no_weak_connection_and_running_dry_is(ben: Visitor, site: Site, on_air: Path) -> None:
    watching(ben, playlist(site))
    ben.until(MOVING)
    began = [one["down"] for one in ben.said("quality")]

    ben.run("document.querySelector('video').dispatchEvent(new Event('waiting'))")

    assert began == ["good"]
    assert ben.said("quality")[-1]["down"] == "poor"


def test_a_show_that_has_no_playlist_yet_is_waited_for(
    ben: Visitor, site: Site, tmp_path: Path, recording: Path
) -> None:
    watching(ben, playlist(site))
    ben.until("window.call.last.state === 'waiting'", 20)

    shutil.copytree(recording, tmp_path, dirs_exist_ok=True)

    ben.until(MOVING, 20)
    assert ben.states() == ["connecting", "waiting", "receiving"]


def test_a_playlist_that_is_refused_is_asked_for_with_another_pass(ben: Visitor, site: Site, on_air: Path) -> None:
    site.status["/refused.m3u8"] = 403
    watching(ben, playlist(site, url=f"{site.url}/refused.m3u8"), playlist(site))

    ben.until(MOVING, 20)

    assert ben.run("window.asked") == ["subscriber", "subscriber"]


@pytest.fixture
def elsewhere(on_air: Path, site: Site) -> str:
    """Serve the recording as a running show, its segments on another origin; return its address."""
    cdn = site.url.replace("localhost", "127.0.0.1")
    site.sources = {"connect-src": ["'self'", cdn], "media-src": ["'self'", "blob:", cdn]}
    file = on_air / "live.m3u8"
    lines = [line for line in file.read_text().splitlines() if line != "#EXT-X-ENDLIST"]
    text = "\n".join(lines).replace('URI="', f'URI="{cdn}/files/').replace("\nlive", f"\n{cdn}/files/live")
    file.write_text(f"{text}\n")
    return cdn


def test_the_newest_pass_goes_to_our_own_origin_and_to_no_other(elsewhere: str, ben: Visitor, site: Site) -> None:
    watching(ben, playlist(site, token="first"), playlist(site, token="second"))
    ben.until(MOVING)

    ben.run("window.call.renew()")

    ben.until("window.asked.length === 2")
    ben.page.wait_for_timeout(3000)
    sent = [token for path, token in site.passes if path.endswith(".m3u8")]
    assert sent[0] == "Bearer first"
    assert sent[-1] == "Bearer second"
    assert {token for path, token in site.passes if path.endswith((".m4s", ".mp4"))} == {""}
    assert ben.states() == ["connecting", "receiving"]
    assert ben.complaints == []


def test_who_is_refused_the_next_playlist_loses_the_picture(elsewhere: str, ben: Visitor, site: Site) -> None:
    watching(ben, playlist(site, token="first"), {"refused": "session.kicked"})
    ben.until(MOVING)

    site.status["/files/live.m3u8"] = 401

    ben.until("document.querySelector('video').readyState === 0", 6)
    ben.until("window.call.last.error?.code === 'session.kicked'", 6)


def test_the_browsers_own_player_has_no_pass_in_its_address(visitor: Visitor, site: Site, on_air: Path) -> None:
    visitor.open()
    if not visitor.run(NATIVE):
        pytest.skip("this browser has no HLS player of its own")
    watching(visitor, playlist(site, token="first"))

    visitor.until("window.call.last.state === 'receiving'", 20)

    assert ("/files/live.m3u8", "Bearer first") in site.passes
    assert visitor.run("document.querySelector('video').currentSrc") == f"{site.url}/files/live.m3u8"


def test_leaving_lets_go_of_the_element(ben: Visitor, site: Site, on_air: Path) -> None:
    watching(ben, playlist(site))
    ben.until(MOVING)

    ben.run("window.call.want({ watch: false })")

    assert ben.states()[-1] == "idle"
    ben.until("document.querySelector('video').readyState === 0")


def test_nobody_can_send_this_way(ben: Visitor, site: Site, on_air: Path) -> None:
    ben.run(
        "(given) => { window.harness.call(given); window.harness.send(); window.call.want({ send: true }) }",
        {"passes": {"publisher": [playlist(site)]}},
    )

    ben.until("window.call.lastSending.state === 'failed'")

    assert ben.said("sending")[-1]["error"] == "token.role_not_held"


def test_the_browsers_own_player_does_where_hls_js_is_not_installed(visitor: Visitor, site: Site, on_air: Path) -> None:
    visitor.open()
    if not visitor.run(NATIVE):
        pytest.skip("this browser has no HLS player of its own")
    watching(visitor, playlist(site))

    visitor.until(MOVING, 20)

    assert visitor.states() == ["connecting", "receiving"]


def test_a_sdk_that_is_not_installed_is_said_once_and_not_asked_for(visitor: Visitor) -> None:
    visitor.open()
    watching(visitor, descriptor("livekit", url="ws://127.0.0.1:9"))

    visitor.until("window.call.last.fatal === true")

    assert visitor.said("state")[-1] == {"state": "failed", "error": "player.no_sdk", "fatal": True}


def test_an_sdk_that_could_not_be_fetched_is_fetched_again(visitor: Visitor, site: Site, on_air: Path) -> None:
    site.status["/standins/agora.js"] = 503
    visitor.open(agora="/standins/agora.js")
    watching(visitor, descriptor("agora", details={"app_id": "0" * 32}))
    visitor.until("window.call.last.error?.code === 'network'")

    del site.status["/standins/agora.js"]

    visitor.until("window.call.last.state === 'waiting'")
    assert json.dumps(visitor.run("window.misuse")) == "[]"
