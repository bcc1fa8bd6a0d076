"""A host moves to another provider in the studio: two browsers, the node, and a real livekit-server."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, expect

from livestream.sdk_install import SdkNotInstalled, install_sdk
from livestream.sdks import SDKS
from tests.e2e.conftest import People
from tests.e2e.product import ROOT, Product
from tests.e2e.test_show import Screenshot, live, moving_picture, open_room, rises, show_made
from tests.players.livekit_server import LiveKitServer, livekit_running

pytestmark = pytest.mark.timeout(180)

FRAMES = "document.querySelector('[data-player] video')?.getVideoPlaybackQuality().totalVideoFrames"
MOVED = "window.livestream?.session.provider === 'livekit'"


@pytest.fixture(scope="module")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    with livekit_running(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, livekit: LiveKitServer) -> Iterator[Product]:
    """The product with the built-in node first and LiveKit beside it."""
    folder = tmp_path_factory.mktemp("two")
    sdk = folder / "sdk"
    sdk.mkdir()
    try:
        install_sdk(SDKS["livekit"], lock=ROOT / "package-lock.json", folder=sdk)
    except SdkNotInstalled as error:
        pytest.skip(f"the SDK cannot be fetched here: {error}")
    running = Product(
        folder,
        MEDIA_PROVIDER="builtin",
        LIVEKIT_URL=livekit.url,
        LIVEKIT_API_KEY=livekit.key,
        LIVEKIT_API_SECRET=livekit.secret,
        SDK_DIR=str(sdk),
    )
    yield running
    running.stop()


def across(page: Page, expression: str, timeout: float = 30.0) -> None:
    """Wait for an expression to hold, across a reload of the page."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if page.evaluate(expression):
                return
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
        assert time.monotonic() < deadline, f"never came true: {expression}"
        page.wait_for_timeout(50)


def chosen(seller: Page) -> None:
    """Open the settings, and press the button there, by keyboard."""
    seller.locator("details:has(#choose-provider) > summary").press("Enter")
    seller.locator("[data-act=switch]").press("Enter")
    expect(seller.get_by_role("dialog", name="Switch to LiveKit?")).to_be_visible()


def test_a_live_show_goes_on_with_another_provider_and_the_picture_moves_again(
    people: People, screenshot: Screenshot
) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Lamps, by another road")
    seller.locator("details:has(#choose-provider) > summary").press("Enter")
    expect(seller.locator(".field:has(#choose-provider)")).to_contain_text(
        "Current: this site’s own server. No one notices"
    )
    seller.click("[data-act=switch]")
    expect(seller.get_by_role("dialog", name="Switch to LiveKit?")).to_be_visible()
    expect(seller.locator("#switch-dialog p > span:visible")).to_contain_text("no one will notice")
    screenshot(seller, "studio-switch-before")
    seller.click("#switch-dialog [value=no]")
    seller.locator("details:has(#choose-provider) > summary").press("Enter")
    live(seller)
    open_room(buyer, show)
    moving_picture(buyer)
    said: list[str] = []
    buyer.expose_function("overlaid", lambda text: said.append(text))
    buyer.add_init_script(
        "new MutationObserver(() => { const text = document.querySelector('[data-player] .overlay')?.textContent;"
        " if (text) window.overlaid(text); }).observe(document, { childList: true, subtree: true })"
    )

    chosen(seller)
    screenshot(seller, "studio-switch")
    seller.locator("#switch-dialog [value=yes]").press("Enter")

    for page in (seller, buyer):
        across(page, MOVED)
    across(seller, "window.livestream?.publisher.state === 'sending'")
    across(buyer, f"{MOVED} && {FRAMES} > 20")
    rises(buyer, lambda: buyer.evaluate(FRAMES), by=10)
    assert any("is switching to another video service" in text for text in said), said
    assert not [text for text in said if "won’t load" in text or "unavailable" in text]
    expect(seller.locator("#banner")).to_be_empty()
    assert people.complaints == []


def test_a_switch_that_is_refused_leaves_the_show_as_it_was(people: People) -> None:
    seller = people.signed_in("seller")
    show_made(seller, "Stays on this road")
    live(seller)
    refusal = '{"error": {"code": "session.busy", "message": "Someone else is changing this show. Try again."}}'
    seller.route("**/provider/", lambda route: route.fulfill(status=409, body=refusal, content_type="application/json"))

    chosen(seller)
    seller.click("#switch-dialog [value=yes]")

    expect(seller.locator("#toasts")).to_contain_text("The video service wasn’t switched. Someone else is changing")
    assert seller.evaluate("window.livestream.publisher.state") == "sending"
    assert seller.evaluate("window.livestream.session.provider") == "builtin"
    expect(seller.locator("#banner")).to_be_empty()


@pytest.mark.nightly
def test_a_host_whose_picture_does_not_get_out_is_offered_the_other_one(people: People, screenshot: Screenshot) -> None:
    seller = people.signed_in("seller")
    show_made(seller, "The road is closed")
    busy = '{"error": {"code": "provider.refused", "message": "The video service rejected the request."}}'
    seller.route("**/token/", lambda route: route.fulfill(status=503, body=busy, content_type="application/json"))

    seller.click("[data-do=live]:enabled")

    offer = seller.locator("#toasts button", has_text="Switch to LiveKit")
    expect(offer).to_be_visible(timeout=40_000)
    expect(seller.locator("#toasts")).to_contain_text("The video service rejected the request.")
    screenshot(seller, "studio-switch-offered")
    seller.unroute("**/token/")
    loaded = seller.evaluate("performance.timeOrigin")
    offer.click()
    seller.click("#switch-dialog [value=yes]")
    across(seller, f"{MOVED} && performance.timeOrigin > {loaded}")
    live(seller)


@pytest.mark.nightly
def test_a_host_whose_picture_is_cut_off_is_offered_the_other_one_and_sends_there(people: People) -> None:
    seller = people.signed_in("seller")
    show_made(seller, "The road breaks off")
    live(seller)
    away = '{"error": {"code": "provider.unavailable", "message": "The video service isn’t responding."}}'
    seller.route("**/token/", lambda route: route.fulfill(status=503, body=away, content_type="application/json"))
    seller.evaluate(
        "() => { const { pc } = window.livestream.publisher; pc.close();"
        " pc.dispatchEvent(new Event('connectionstatechange')); }"
    )

    offer = seller.locator("#banner button", has_text="Switch to LiveKit")
    expect(offer).to_be_visible(timeout=25_000)
    expect(seller.locator("#banner")).to_contain_text("The video service isn’t responding.")
    offer.press("Enter")
    seller.unroute("**/token/")
    seller.locator("#switch-dialog [value=yes]").press("Enter")

    across(seller, f"{MOVED} && window.livestream.publisher.state === 'sending'")
