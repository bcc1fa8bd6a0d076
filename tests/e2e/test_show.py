"""A whole show in real browsers: one seller with a fake camera, two buyers, video, audio, chat and the end."""

import json
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.conftest import ARTEFACTS, People, csrf_token
from tests.e2e.product import Product

pytestmark = pytest.mark.timeout(240)

Screenshot = Callable[[Page, str], None]
MEASURE_MS = 4000


def show_made(seller: Page, title: str) -> str:
    """Have the seller create a show and open it in the studio; return its id."""
    request = seller.context.request
    token = csrf_token(request.get("/studio/").text())
    made = request.post("/api/v1/sessions/", data={"title": title}, headers={"X-CSRFToken": token})
    assert made.status == 201, made.text()
    show: str = made.json()["id"]
    seller.goto(f"/studio/{show}/")
    return show


def wait_until(page: Page, expression: str, timeout: float = 15.0) -> None:
    """Wait for an expression to hold. Playwright's own wait_for_function needs eval, which the page's CSP forbids."""
    deadline = time.monotonic() + timeout
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never came true: {expression}"
        page.wait_for_timeout(20)


def live(seller: Page) -> None:
    """Have the seller go live; wait until video is sent."""
    seller.click("[data-do=live]:enabled")
    expect(seller.locator("[data-do=end]")).to_be_visible(timeout=15_000)
    wait_until(seller, "window.livestream.publisher.state === 'sending'")


def open_room(page: Page, show: str) -> float:
    """Open the room and wait for the first decoded frame; return the seconds between them."""
    started = time.monotonic()
    page.goto(f"/live/{show}/", wait_until="commit")
    wait_until(page, "document.querySelector('[data-player] video')?.getVideoPlaybackQuality().totalVideoFrames > 0")
    return time.monotonic() - started


def inbound(page: Page, kind: str) -> dict[str, Any]:
    """Return the receiver's own statistics of video or audio."""
    found: dict[str, Any] = page.evaluate(
        """async (kind) => {
            const report = await window.livestream.player.pc.getStats();
            let found = {};
            report.forEach((entry) => {
                if (entry.type === "inbound-rtp" && entry.kind === kind) found = { ...entry };
            });
            return found;
        }""",
        kind,
    )
    return found


def rises(page: Page, count: Callable[[], int], *, by: int, timeout: float = 15.0) -> None:
    """Wait until a count has risen by an amount."""
    goal = count() + by
    deadline = time.monotonic() + timeout
    while (now := count()) < goal:
        assert time.monotonic() < deadline, f"{now} is not {goal} yet"
        page.wait_for_timeout(20)


def moving_picture(page: Page) -> None:
    """Assert that frames are decoded, the video is not black, and it changes."""
    first = page.evaluate("window.lookAt(document.querySelector('[data-player] video'))")
    rises(page, lambda: inbound(page, "video")["framesDecoded"], by=10)
    second = page.evaluate("window.lookAt(document.querySelector('[data-player] video'))")

    assert first["high"] - first["low"] > 60
    assert first["fingerprint"] != second["fingerprint"]


def say(page: Page, text: str) -> None:
    page.fill("#chat-text", text)
    page.press("#chat-text", "Enter")


def heard(page: Page, text: str) -> None:
    expect(page.locator("[data-messages]")).to_contain_text(text, timeout=5_000)


@pytest.mark.alone
def test_a_whole_show_from_going_live_to_the_end(people: People, product: Product, screenshot: Screenshot) -> None:
    seller, buyer, visitor = people.signed_in("seller"), people.signed_in("buyer"), people.signed_in("buyer2")
    seller.goto("/studio/")
    seller.fill("[name=title]", "Vintage lamps, live")
    seller.click("button:has-text('Set up camera')")
    seller.wait_for_url("**/studio/*-*/")
    show = seller.url.rstrip("/").rpartition("/")[2]
    live(seller)
    assert product.get(f"/api/v1/sessions/{show}/")["state"] == "active"

    first_frames = [open_room(page, show) for page in (buyer, visitor)]
    for page in (buyer, visitor):
        moving_picture(page)
        page.evaluate("window.watchGlass(document.querySelector('[data-player] video'))")

    # Audio flows.
    rises(buyer, lambda: inbound(buyer, "audio")["packetsReceived"], by=20)

    # Chat goes both ways, and the count is two: the host is no viewer.
    say(buyer, "Is the green one still there?")
    heard(seller, "Is the green one still there?")
    heard(visitor, "Is the green one still there?")
    say(seller, "Yes, and it works.")
    heard(buyer, "Yes, and it works.")
    for page in (seller, buyer, visitor):
        expect(page.locator("[data-fact=viewers]").first).to_have_text("2", timeout=5_000)
    assert product.get(f"/api/v1/sessions/{show}/")["viewer_count"] == 2

    screenshot(buyer, "room-live")
    screenshot(seller, "studio-live")

    # Glass to glass, from the barcode in the frame.
    buyer.evaluate("window.glass.delays.length = 0")
    buyer.wait_for_timeout(MEASURE_MS)
    delays = sorted(buyer.evaluate("window.glass.delays"))
    measured = {
        "first_frame_seconds": [round(value, 3) for value in first_frames],
        "first_frame_in_page_ms": buyer.evaluate("window.livestream.player.firstFrameMs"),
        "glass_to_glass_ms": {
            "frames": len(delays),
            "p50": statistics.median(delays) if delays else None,
            "p95": delays[int(len(delays) * 0.95)] if delays else None,
            "max": delays[-1] if delays else None,
        },
    }
    (ARTEFACTS.parent / "show.json").write_text(json.dumps(measured, indent=2))
    assert len(delays) > 40
    # The machine may be busy with other tests; the bound that must never be exceeded is a second.
    assert measured["glass_to_glass_ms"]["p95"] < 1000

    # Pause and resume appear everywhere.
    seller.click("[data-do=pause]")
    for page in (buyer, visitor):
        expect(page.locator("[data-player] [data-overlay]")).to_contain_text("Short break", timeout=5_000)
    screenshot(buyer, "room-paused")
    seller.click("[data-do=resume]")
    expect(buyer.locator("[data-player] [data-overlay]")).not_to_contain_text("Short break")
    moving_picture(buyer)

    # The end closes everything.
    seller.click("[data-do=end]")
    screenshot(seller, "studio-end-dialog")
    seller.click("#end-dialog button[value=yes]")
    for page in (buyer, visitor):
        expect(page.locator("[data-player] [data-overlay]")).to_contain_text("ended", ignore_case=True, timeout=5_000)
    assert product.get(f"/api/v1/sessions/{show}/")["state"] == "ended"
    screenshot(buyer, "room-ended")
    for gone in ("See as a viewer", "Share", "Settings", "Link to the show", "Camera and sound"):
        expect(seller.locator(".main").get_by_text(gone, exact=True)).to_be_hidden()
    expect(seller.locator("#banner").get_by_text("Plan your next show")).to_be_visible()
    screenshot(seller, "studio-ended")
    deadline = time.monotonic() + 10
    while product.media_rooms() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert product.media_rooms() == {}
    assert people.complaints == []


def test_the_host_reloads_and_viewers_go_on_watching(people: People, product: Product) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    show = show_made(seller, "Back in a second")
    live(seller)
    open_room(buyer, show)

    seller.reload()
    wait_until(seller, "window.livestream?.publisher.state === 'sending'")

    moving_picture(buyer)
    assert product.get(f"/api/v1/sessions/{show}/")["state"] == "active"


@pytest.mark.alone
def test_a_closed_tab_is_counted_out_within_two_seconds(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Counting heads")
    live(seller)
    open_room(buyer, show)
    expect(seller.locator("[data-fact=viewers]").first).to_have_text("1", timeout=5_000)

    buyer.close()

    expect(seller.locator("[data-fact=viewers]").first).to_have_text("0", timeout=2_500)


def test_a_viewer_who_comes_early_is_let_in_when_the_show_starts(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    show = show_made(seller, "Doors open soon")
    buyer.goto(f"/live/{show}/")
    expect(buyer.locator("[data-player] [data-overlay]")).to_contain_text("Waiting for")

    live(seller)

    wait_until(buyer, "document.querySelector('[data-player] video').videoWidth > 0")
    moving_picture(buyer)


SLOWLY = """() => {
  const answered = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return answered.call(this, answer);
  };
}"""
WHEP = "import('/static/js/room/early.js').then(({ early }) => [early.state, early.joined])"


class Late:
    """Messages of the room's socket to a page, held back for a while."""

    def __init__(self, page: Page) -> None:
        self.holds = False
        self._held: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket(re.compile("/ws/live/"), self._between)

    def _between(self, socket: WebSocketRoute) -> None:
        socket.connect_to_server().on_message(lambda message: self._pass(socket, message))

    def _pass(self, socket: WebSocketRoute, message: str | bytes) -> None:
        if self.holds:
            self._held.append((socket, message))
        else:
            socket.send(message)

    def release(self) -> None:
        self.holds = False
        for socket, message in self._held:
            socket.send(message)


def test_a_picture_that_is_about_to_come_is_not_begun_anew(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    show = show_made(seller, "About to come")
    seller.evaluate("async (id) => (await import('/static/js/lib/api.js')).session.move(id, 'start')", show)
    statuses: list[int] = []
    offered = f"/whep/{show}"
    buyer.on("response", lambda response: statuses.append(response.status) if response.url.endswith(offered) else None)
    told = Late(buyer)
    buyer.goto(f"/live/{show}/")
    wait_until(buyer, f"{WHEP}.then(([state]) => state === 'waiting')")
    buyer.evaluate(SLOWLY)

    told.holds = True
    seller.click("text=/Resume sending|Send again|Resume/i >> visible=true")
    wait_until(buyer, f"{WHEP}.then(([state, joined]) => joined)")
    state, _ = buyer.evaluate(WHEP)
    told.release()  # the host's return, among the rest

    wait_until(buyer, "document.querySelector('[data-player] video').videoWidth > 0")
    moving_picture(buyer)
    assert state == "waiting"
    assert statuses.count(201) == 1
