"""A whole show through a real LiveKit server, with the product's own pages and tokens."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import People, screenshot  # noqa: F401 - a fixture
from tests.e2e.product import Product
from tests.e2e.test_show import live, rises, show_made, wait_until
from tests.players.livekit_server import LiveKitServer, livekit_running

pytestmark = pytest.mark.timeout(240)

# The console message of LiveKit's SDK when a room is closed under a client, as at the end of a show.
CLOSED_UNDER_IT = ("error reading from signal stream", "DataChannel error on", "closed unexpectedly")
FRAMES = "document.querySelector('[data-player] video')?.getVideoPlaybackQuality().totalVideoFrames"


@pytest.fixture(scope="module")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    with livekit_running(tmp_path_factory.mktemp("livekit")) as server:
        yield server


@pytest.fixture(scope="module")
def product(livekit: LiveKitServer, real_sdks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    running = Product(
        folder,
        MEDIA_PROVIDER="livekit",
        LIVEKIT_URL=livekit.url,
        LIVEKIT_API_KEY=livekit.key,
        LIVEKIT_API_SECRET=livekit.secret,
        SDK_DIR=str(real_sdks),
    )
    yield running
    running.stop()


def moving(page: Page) -> None:
    """Wait until a new frame comes, and more follow: the last one of before may still be displayed, and was counted."""
    wait_until(page, f"{FRAMES} > {page.evaluate(FRAMES) or 0}", 20)
    rises(page, lambda: page.evaluate(FRAMES), by=10)


def complaints_of(people: People) -> list[str]:
    """Return the pages' errors, except for a room that was closed under them."""
    return [said for said in people.complaints if not any(known in said for known in CLOSED_UNDER_IT)]


def test_a_seller_goes_live_and_a_buyer_sees_it_move(
    people: People,
    screenshot: Callable[[Page, str], None],  # noqa: F811
) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "Through LiveKit")
    live(seller)
    buyer = people.window()

    buyer.goto(f"/live/{show}/")
    moving(buyer)
    screenshot(buyer, "livekit-playing")
    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")

    expect(buyer.locator("[data-overlay] .overlay[data-state=ended]")).to_be_visible(timeout=15_000)
    assert complaints_of(people) == []


@pytest.mark.nightly
def test_a_camera_that_opens_before_the_rest_of_the_studio_is_there_goes_on_the_air(people: People) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "A slow way to the studio")
    held: list[Route] = []
    seller.route(re.compile("providers/sdk-player"), lambda route: held.append(route))
    seller.reload(wait_until="commit")
    seller.wait_for_timeout(3000)  # the fake camera is open after half a second, where nothing waits
    assert held
    held[0].continue_()

    live(seller)
    stranger = people.window()
    stranger.goto(f"/live/{show}/")
    moving(stranger)


@pytest.mark.nightly
def test_the_sellers_own_room_says_why_it_does_not_play(people: People, screenshot: Any) -> None:  # noqa: F811
    seller = people.signed_in("seller")
    show = show_made(seller, "My own show")
    live(seller)

    room = seller.context.new_page()
    room.goto(f"/live/{show}/")

    expect(room.locator(".overlay[data-state=own-show]")).to_be_visible(timeout=10_000)
    screenshot(room, "livekit-own-show")
    assert seller.evaluate("window.livestream.publisher.state") == "sending"


@pytest.mark.nightly
def test_the_same_buyer_in_two_windows_plays_in_the_newer_and_can_go_back(people: People, screenshot: Any) -> None:  # noqa: F811
    seller = people.signed_in("seller")
    show = show_made(seller, "In two windows")
    live(seller)
    buyer = people.signed_in("buyer")
    buyer.goto(f"/live/{show}/")
    moving(buyer)

    second = buyer.context.new_page()
    second.goto(f"/live/{show}/")
    moving(second)

    expect(buyer.locator(".overlay[data-state=elsewhere]")).to_be_visible(timeout=10_000)
    screenshot(buyer, "livekit-elsewhere")
    buyer.click("text=Watch here")
    moving(buyer)
    expect(second.locator(".overlay[data-state=elsewhere]")).to_be_visible(timeout=10_000)


TILES = """[...document.querySelectorAll('[data-stage] .tile.on')].map((tile) => tile.dataset.user).sort().join()"""


@pytest.mark.nightly
def test_a_guest_comes_on_stage_is_seen_by_all_and_goes_again(people: People, screenshot: Any) -> None:  # noqa: F811
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "With a guest")
    live(seller)
    stranger = people.window()
    for page in (buyer, stranger):
        page.goto(f"/live/{show}/")
        moving(page)

    buyer.click("[data-ask-open]")
    buyer.click("#ask-dialog button[value=ask]")
    seller.click("[data-tab=people]")
    seller.click("[data-queue] [data-answer=approve]")
    expect(buyer.locator("#backstage")).to_be_visible()
    wait_until(buyer, "document.querySelector('#backstage video').videoWidth > 0")
    buyer.click("#backstage button[value=go]")
    wait_until(buyer, "window.livestream.stage.sending === 'sending'")

    both = ",".join(sorted(page.evaluate("document.body.dataset.user") for page in (seller, buyer)))
    for page in (stranger, buyer, seller):
        wait_until(page, f"{TILES} === '{both}'", 20)
    screenshot(stranger, "livekit-stage")
    buyer.click("[data-own=leave]")
    buyer.click("#leave-dialog button[value=yes]")

    wait_until(stranger, f"{TILES} !== '{both}'", 20)
    wait_until(buyer, "window.livestream.stage.sending === 'idle'")
    expect(buyer.locator("[data-ask-open]")).to_be_visible()
    assert complaints_of(people) == []


RETURN = """async ({ url, token }) => {
  const { loadSdk } = await import("/static/js/providers/sdk.js");
  const { Room } = await loadSdk("livekit");
  const room = new Room();
  window.thief = { gone: false };
  room.on("disconnected", () => { window.thief.gone = true; });
  await room.connect(url, token).catch(() => { window.thief.gone = true; }); // cut off before it stood
  return window.thief.gone ? "gone" : "there";
}"""


def token_of(viewer: Page, show: str) -> dict[str, Any]:
    """Return another token of theirs, and its URL."""
    asks = """async (id) => (await import("/static/js/lib/api.js")).session.token(id, "subscriber")"""
    held: dict[str, Any] = viewer.evaluate(asks, show)
    return held


def kicks(seller: Page, viewer: Page, show: str) -> None:
    """Have the host remove a viewer, over the API."""
    path = f"sessions/{show}/participants/{viewer.evaluate('document.body.dataset.user')}/kick/"
    seller.evaluate("""async (path) => (await import("/static/js/lib/api.js")).post(path, {})""", path)


def buyer_removed(people: People) -> tuple[str, Page, Page, Page, dict[str, Any]]:
    """A show, its seller, a buyer who was removed while it played, an anonymous viewer; and the buyer's old
    credentials."""
    seller, buyer, stranger = people.signed_in("seller"), people.signed_in("buyer"), people.window()
    show = show_made(seller, "Somebody comes back")
    live(seller)
    for page in (stranger, buyer):
        page.goto(f"/live/{show}/")
        moving(page)
    held = token_of(buyer, show)
    kicks(seller, buyer, show)
    expect(buyer.locator("[data-player] [data-overlay]")).to_contain_text("removed", timeout=10_000)
    return show, seller, buyer, stranger, held


@pytest.mark.nightly
@pytest.mark.parametrize("webhooks", [False, True])
def test_a_removed_buyer_who_joins_again_with_an_old_token_is_removed_again(
    people: People, product: Product, livekit: LiveKitServer, webhooks: bool
) -> None:
    if webhooks:
        livekit.tell(f"{product.url}/webhooks/livekit/")
    _, seller, buyer, stranger, held = buyer_removed(people)

    for _ in range(2):
        buyer.evaluate(RETURN, held)
        wait_until(buyer, "window.thief.gone", 20)

    moving(stranger)
    assert seller.evaluate("window.livestream.publisher.state") == "sending"
