"""Low-latency HLS of a real MediaMTX in the product's own room page: the gateway, the real hls.js, a real Chromium."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import imageio_ffmpeg
import jwt
import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import People, screenshot  # noqa: F401 - a fixture
from tests.e2e.product import Product
from tests.e2e.stage_steps import user_id
from tests.e2e.test_show import rises, wait_until
from tests.players.calls import Caller
from tests.players.mediamtx import MediaMtx, mediamtx_running
from tests.providers.setups import PRIVATE_KEY, PUBLIC_KEY
from tests.providers.stand_ins import MuxStandIn, Raw, running

pytestmark = pytest.mark.timeout(240)

Screenshot = Callable[[Page, str], None]
ENCODER = (
    "-v error -nostdin -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440"
    " -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -c:a aac -f flv"
)
PATH = "encoder"
FRAMES = "(document.querySelector('[data-player] video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0)"
LOOK = "window.lookAt(document.querySelector('[data-player] video'))"


class MuxOfMediaMtx(MuxStandIn):
    """Mux's API and its tokens; behind them the playlists and segments of a MediaMTX, byte for byte."""

    def __init__(self, *, origin: str, **fields: Any) -> None:
        super().__init__(**fields)
        self.origin = origin

    def answer_to(self, method: str, address: str, headers: Any, body: Any) -> tuple[int, Any]:
        parts = urlsplit(address)
        if not parts.path.startswith("/playback/"):
            return super().answer_to(method, address, headers, body)
        assert method == "GET"
        assert "Authorization" not in headers
        name = parts.path.removeprefix("/playback/")
        query = parse_qs(parts.query)
        if "token" in query:
            claims = jwt.decode(query["token"][0], self.key, algorithms=["RS256"], audience="v")
            assert f"{claims['sub']}.m3u8" == name
            return self._fetched("index.m3u8", "")
        return self._fetched(name, parts.query)

    def _fetched(self, name: str, query: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"{self.origin}/{name}?{query}".rstrip("?"), timeout=10) as answer:
                found = {"Content-Type": answer.headers["Content-Type"], "Access-Control-Allow-Origin": "*"}
                return 200, Raw(answer.read(), found)
        except urllib.error.HTTPError as error:
            return (412 if error.code == 404 else error.code), None


@pytest.fixture(scope="module")
def mediamtx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MediaMtx]:
    with mediamtx_running(tmp_path_factory.mktemp("mediamtx"), encoders=PATH) as server:
        yield server


@pytest.fixture(scope="module")
def mux(mediamtx: MediaMtx) -> Iterator[MuxOfMediaMtx]:
    given = {"token_id": "mux id", "secret": "mux secret", "key": PUBLIC_KEY}
    with running(MuxOfMediaMtx, origin=f"{mediamtx.hls_url}/{PATH}", **given) as server:
        yield server


@pytest.fixture(scope="module")
def product(mux: MuxOfMediaMtx, real_sdks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(
        tmp_path_factory.mktemp("product"),
        MEDIA_PROVIDER="mux",
        MUX_TOKEN_ID="mux id",
        MUX_TOKEN_SECRET="mux secret",
        MUX_API_URL=mux.url,
        MUX_PLAYBACK_URL=f"{mux.url}/playback",
        MUX_SIGNING_KEY_ID="key-1",
        MUX_SIGNING_PRIVATE_KEY=PRIVATE_KEY,
        SDK_DIR=str(real_sdks),
    )
    yield running
    running.stop()


@pytest.fixture
def on_air(mediamtx: MediaMtx) -> Iterator[None]:
    """Run an encoder."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *ENCODER.split(), f"{mediamtx.rtmp_url}/{PATH}"]
    ffmpeg = subprocess.Popen(command)
    yield
    ffmpeg.kill()
    ffmpeg.wait(10)


@pytest.mark.usefixtures("on_air")
def test_the_room_plays_low_latency_playlists_and_who_is_kicked_gets_no_more(
    people: People,
    product: Product,
    mux: MuxOfMediaMtx,
    screenshot: Screenshot,  # noqa: F811
) -> None:
    seller = Caller(product, "seller")
    show = seller.post("sessions/", {"title": "By playlists"})["id"]
    seller.post(f"sessions/{show}/start/")
    ben = people.signed_in("buyer")
    asked: list[str] = []
    ben.on("request", lambda request: asked.append(request.url))

    ben.goto(f"/live/{show}/")
    wait_until(ben, f"{FRAMES} > 10", 30)

    first = ben.evaluate(LOOK)
    rises(ben, lambda: ben.evaluate(FRAMES), by=40)
    second = ben.evaluate(LOOK)
    assert first["high"] - first["low"] > 60
    assert first["fingerprint"] != second["fingerprint"]
    screenshot(ben, "hls-playing")
    playlists = [url for url in asked if ".m3u8" in url]
    assert {urlsplit(url).netloc for url in playlists} == {urlsplit(product.url).netloc}
    assert any("_HLS_msn=" in url and "_HLS_part=" in url for url in playlists)
    assert any(url.startswith(f"{mux.url}/playback/") and "mp4" in url for url in asked)

    seller.post(f"sessions/{show}/participants/{user_id(ben)}/kick/")
    ben.wait_for_timeout(5000)
    count, at_removal = ben.evaluate(FRAMES), len([url for url in asked if "/playback/" in url])
    ben.wait_for_timeout(2000)

    assert ben.evaluate(FRAMES) == count
    assert len([url for url in asked if "/playback/" in url]) == at_removal
    assert mux.mistakes == []
    assert people.complaints == []
