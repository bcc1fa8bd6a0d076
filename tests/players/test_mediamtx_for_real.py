"""A whole show through a real MediaMTX, with the product's own pages, tokens and gateway."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e.conftest import ARTEFACTS, People, screenshot  # noqa: F401 - a fixture
from tests.e2e.product import Product
from tests.e2e.stage_steps import user_id
from tests.e2e.stopwatch import clicked_at, watch_click
from tests.e2e.test_show import inbound, live, moving_picture, open_room, rises, show_made, wait_until
from tests.players.calls import Caller
from tests.players.mediamtx import ITS_OWN, MediaMtx, mediamtx_running

pytestmark = [pytest.mark.waits, pytest.mark.timeout(240)]

Screenshot = Callable[[Page, str], None]
# The times of the last frame and of the last packet, in milliseconds since 1970.
WATCHED = """() => {
    const now = () => performance.timeOrigin + performance.now();
    const last = window.last = { frame: null, packet: null };
    const video = document.querySelector("[data-player] video");
    const drawn = () => { last.frame = now(); video.requestVideoFrameCallback(drawn); };
    video.requestVideoFrameCallback(drawn);
    let pc = null;
    const look = async () => {
        pc ??= window.livestream.player.pc;
        if (pc === null) { setTimeout(look, 33); return; }
        if (pc.connectionState === "closed") return;
        (await pc.getStats()).forEach((item) => {
            if (item.type === "inbound-rtp" && item.kind === "video") last.packet = item.lastPacketReceivedTimestamp;
        });
        setTimeout(look, 33);
    };
    look();
}"""
ENCODER = (
    "-v error -nostdin -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440"
    " -c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -pix_fmt yuv420p -g 25"
    " -c:a libopus -ar 48000 -ac 2 -f whip"
)
FRAGMENT = (
    "a=ice-ufrag:none\r\na=ice-pwd:none\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host\r\n"
)
GONE = "window.livestream.player.pc === null"
PLAYING = "window.livestream.player.pc?.connectionState === 'connected'"


@pytest.fixture(scope="module")
def mediamtx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MediaMtx]:
    with mediamtx_running(tmp_path_factory.mktemp("mediamtx")) as server:
        yield server


@pytest.fixture(scope="module")
def product(mediamtx: MediaMtx, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("product"), **mediamtx.settings)
    yield running
    running.stop()


def sent(method: str, url: str, token: str, body: str, kind: str = "application/sdp", **headers: str) -> int:
    """Return the status of the answer to a request with a token, or with none."""
    headers = {"Content-Type": kind, **headers} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, data=body.encode(), headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def roles(server: MediaMtx) -> list[str]:
    return [state for _, state in server.sessions()]


@pytest.mark.nightly
@pytest.mark.alone
def test_a_show_is_seen_and_who_is_kicked_loses_it_within_a_second(
    people: People,
    mediamtx: MediaMtx,
    product: Product,
    screenshot: Screenshot,  # noqa: F811
) -> None:
    seller, ben, cleo = people.signed_in("seller"), people.signed_in("buyer"), people.signed_in("buyer2")
    offers: list[Request] = []
    ben.on("request", lambda request: offers.append(request) if request.method == "POST" else None)
    show = show_made(seller, "Through MediaMTX")
    live(seller)
    for page in (ben, cleo):
        open_room(page, show)
        moving_picture(page)
    rises(ben, lambda: inbound(ben, "audio")["packetsReceived"], by=20)
    assert roles(mediamtx) == ["publish", "read", "read"]
    screenshot(ben, "mediamtx-playing")
    ben.evaluate(WATCHED)
    wait_until(ben, "window.last.frame !== null && window.last.packet !== null")
    # The last: a page that is notified of the host before its offer was answered restarts.
    offer = [one for one in offers if one.url == f"{product.url}/whep/{show}"][-1]
    token, sdp = offer.all_headers()["authorization"].removeprefix("Bearer "), offer.post_data or ""
    made = offer.response().headers
    trickle = ("PATCH", f"{product.url}{made['location']}", token, FRAGMENT, "application/trickle-ice-sdpfrag")
    assert sent(*trickle, **{"If-Match": made["etag"]}) == 204
    channel = mediamtx.sessions()[0][0]

    seller.click("[data-tab=people]")
    row = seller.locator(f'[data-audience] [data-user="{user_id(ben)}"]')
    row.locator("[aria-expanded]").click()
    row.locator('[data-op="stage.kick"]').click()
    watch_click(seller, "#out-dialog button[value=yes]")
    seller.click("#out-dialog button[value=yes]")
    while len(mediamtx.sessions()) > 2:
        assert time.time() * 1000 - clicked_at(seller) < 1000
    cut = time.time() * 1000
    wait_until(ben, GONE, timeout=3)
    ben.wait_for_timeout(700)

    last, began = ben.evaluate("window.last"), clicked_at(seller)
    took = {name: round(moment - began) for name, moment in {**last, "server": cut}.items()}
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    (ARTEFACTS.parent / "mediamtx-kick.json").write_text(json.dumps(took))
    assert max(took.values()) < 1000, took
    assert roles(mediamtx) == ["publish", "read"]
    moving_picture(cleo)
    assert sent("POST", f"{product.url}/whep/{show}", token, sdp) == 401
    assert sent(*trickle) == 401
    assert sent("POST", f"{mediamtx.url}/{channel}/whep", token, sdp) >= 400
    assert sent("POST", f"{mediamtx.url}/{channel}/whep", "", sdp) >= 400
    assert roles(mediamtx) == ["publish", "read"]

    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")
    expect(cleo.locator("[data-overlay] .overlay[data-state=ended]")).to_be_visible(timeout=15_000)
    wait_until(seller, "window.livestream.publisher.state === 'idle'")
    assert mediamtx.sessions() == []
    assert people.complaints == []


@pytest.mark.nightly
def test_the_host_comes_back_after_a_reload_and_the_viewer_sees_it(people: People, mediamtx: MediaMtx) -> None:
    seller, ben = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Away and back")
    live(seller)
    open_room(ben, show)
    moving_picture(ben)

    ben.evaluate("() => { window.former = window.livestream.player.pc }")
    seller.reload()
    wait_until(seller, "window.livestream?.publisher.state === 'sending'")

    wait_until(ben, f"{PLAYING} && window.livestream.player.pc !== window.former", 10)
    # MediaMTX requests a key frame from the host every two seconds, whenever viewers ask for one.
    wait_until(ben, "window.livestream.player.state === 'playing'", 5)
    moving_picture(ben)
    assert roles(mediamtx) == ["publish", "read"]
    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")


@contextmanager
def encoder(product: Product, show: str, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ffmpeg as an encoder for the length of the block or until it is stopped."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *ENCODER.split(), "-authorization", token, f"{product.url}/whip/{show}"]
    ffmpeg = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield ffmpeg
    finally:
        ffmpeg.kill()
        ffmpeg.wait(10)


def test_ffmpeg_publishes_through_the_gateway(people: People, mediamtx: MediaMtx, product: Product) -> None:
    mediamtx.answerer.refused.clear()
    seller, ben = Caller(product, "seller"), people.signed_in("buyer")
    show = seller.post("sessions/", {"title": "From an encoder"})["id"]
    seller.post(f"sessions/{show}/start/")
    token = seller.post(f"sessions/{show}/token/", {"role": "publisher"})["token"]
    with encoder(product, show, token) as ffmpeg:
        open_room(ben, show)
        moving_picture(ben)
        assert roles(mediamtx) == ["publish", "read"]

        ffmpeg.terminate()  # it ends its connection itself
        ffmpeg.wait(10)

        wait_until(ben, f"!({PLAYING})", 10)
        assert mediamtx.sessions() == []
    seller.post(f"sessions/{show}/end/")
    assert mediamtx.answerer.refused == []
    assert people.complaints == []


def test_with_one_fixed_token_a_show_that_ends_cuts_an_encoder_that_goes_on(tmp_path: Path) -> None:
    with mediamtx_running(tmp_path, auth=ITS_OWN) as server:
        product = Product(tmp_path, **server.settings)
        try:
            seller = Caller(product, "seller")
            show = seller.post("sessions/", {"title": "With a password"})["id"]
            seller.post(f"sessions/{show}/start/")
            token = seller.post(f"sessions/{show}/token/", {"role": "publisher"})["token"]
            with encoder(product, show, token) as ffmpeg:
                deadline = time.monotonic() + 15
                while roles(server) != ["publish"]:
                    assert time.monotonic() < deadline, ffmpeg.poll()
                    time.sleep(0.1)
                assert sent("POST", f"{server.url}/{server.sessions()[0][0]}/whep", token, "v=0") >= 400

                seller.post(f"sessions/{show}/end/")

                assert server.sessions() == []
        finally:
            product.stop()
