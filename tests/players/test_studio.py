"""The product's own studio and room with a provider's SDK that is scripted: pages and server together."""

import os
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute

from livestream.retry_policy import TABLE
from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.test_show import live, show_made, wait_until

pytestmark = pytest.mark.timeout(180)

STAND_INS = Path(__file__).parent / "standins"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with Agora, whose SDK is the stand-in."""
    folder = tmp_path_factory.mktemp("agora")
    sdk = folder / "sdk"
    sdk.mkdir()
    script = "".join((STAND_INS / name).read_text() for name in ("strict.js", "agora.js"))
    (sdk / "agora.js").write_text(script)
    running = Product(
        folder,
        MEDIA_PROVIDER="agora",
        AGORA_APP_ID="970ca35de60c44645bbae8a215061b33",
        AGORA_APP_CERTIFICATE="5cfd2fd1755d40ecb72977518be15d3b",
        SDK_DIR=os.fspath(sdk),
    )
    yield running
    running.stop()


def renewals(page: Page) -> int:
    return int(page.evaluate("window.used.filter(([name]) => name === 'client.renewToken').length"))


def run_out_soon(product: Product, show: str) -> None:
    """Make the tokens of a show expire within a minute, as far as the server knows."""
    database = product.environment["DATABASE_URL"].removeprefix("sqlite:///")
    soon = (datetime.now(UTC) + timedelta(seconds=40)).strftime("%Y-%m-%d %H:%M:%S")
    with sqlite3.connect(database, timeout=20) as connection:
        changed = connection.execute(
            "UPDATE tokens_issuedtoken SET expires_at = ? WHERE session_id = ?", (soon, show.replace("-", ""))
        )
        assert changed.rowcount > 0


def test_the_studio_and_the_room_fetch_another_token_when_the_server_says_that_theirs_ends(
    people: People, product: Product
) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Tokens that end")
    live(seller)
    buyer.goto(f"/live/{show}/")
    wait_until(buyer, "window.control?.client?.state === 'CONNECTED'")
    assert (renewals(seller), renewals(buyer)) == (0, 0)

    run_out_soon(product, show)

    for page in (seller, buyer):
        wait_until(page, "window.used.some(([name]) => name === 'client.renewToken')", 20)
    seller.wait_for_timeout(2500)  # another round of the janitor
    assert (renewals(seller), renewals(buyer)) == (1, 1)
    assert seller.evaluate("window.livestream.publisher.state") == "sending"
    assert people.complaints == []


def test_the_room_is_told_the_number_under_which_the_host_sends(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    show = show_made(seller, "By number")
    buyer.goto(f"/live/{show}/")
    live(seller)
    wait_until(buyer, "window.control?.client?.state === 'CONNECTED'")

    number = seller.evaluate("window.used.find(([name]) => name === 'client.join')[4]")
    wait_until(buyer, f"window.livestream.stage.people[0]?.media_uid === '{number}'")
    buyer.evaluate(f"window.control.client.comes({number}, 'audio', 'video')")

    wait_until(buyer, "document.querySelector('[data-player] video').getVideoPlaybackQuality().totalVideoFrames > 3")
    assert people.complaints == []


def joins(page: Page) -> list[str]:
    """Return the channels that the page has joined."""
    return list(page.evaluate("window.used.filter(([name]) => name === 'client.join').map(([, , channel]) => channel)"))


MOVED = '{"type": "settings.changed", "data": {"settings": {}, "changed": ["channel"]}}'


def test_a_removal_stops_nobody_elses_picture(people: People) -> None:
    seller, buyer, stranger = people.signed_in("seller"), people.signed_in("buyer"), people.window()
    show = show_made(seller, "Goes on")
    live(seller)
    for page in (buyer, stranger):
        page.goto(f"/live/{show}/")
        wait_until(page, "window.used?.some(([name]) => name === 'client.join')")
    (channel,) = joins(buyer)

    path = f"sessions/{show}/participants/{buyer.evaluate('document.body.dataset.user')}/kick/"
    seller.evaluate("""async (path) => (await import("/static/js/lib/api.js")).post(path, {})""", path)

    wait_until(buyer, "document.querySelector('[data-player] [data-overlay]').innerText.includes('removed')")
    wait_until(seller, "window.livestream.publisher.state === 'sending'")
    assert [joins(page) for page in (seller, buyer, stranger)] == [[channel]] * 3


SEEN = """(where) => {
  const node = document.querySelector(where);
  window.seen = [];
  const look = () => {
    const title = node.querySelector(".title, strong")?.textContent ?? "";
    if (window.seen.at(-1) !== title) window.seen.push(title);
  };
  new MutationObserver(look).observe(node, { childList: true, subtree: true });
  look();
}"""
PLAYING = "document.querySelector('[data-player]').dataset.state === 'playing'"


HELD_UP = """(show) => {
  const fetched = window.fetch;
  window.fetch = async (address, options) => {
    if (String(address).includes(`/sessions/${show}/token/`)) await new Promise((resolve) => setTimeout(resolve, 1500));
    return fetched(address, options);
  };
}"""  # this page's next tokens come late, as from a busy server


def test_pages_that_follow_a_show_say_so_and_a_loss_is_still_a_loss(people: People) -> None:
    seller, stranger = people.signed_in("seller"), people.window()
    others: list[WebSocketRoute] = []
    sockets: list[WebSocketRoute] = []
    for page, routed in ((seller, others), (stranger, sockets)):
        page.route_web_socket(
            re.compile("/ws/live/"), lambda socket, routed=routed: routed.append(socket) or socket.connect_to_server()
        )
    show = show_made(seller, "Moves while somebody looks")
    live(seller)
    number = seller.evaluate("window.used.find(([name]) => name === 'client.join')[4]")
    stranger.goto(f"/live/{show}/")
    wait_until(stranger, "window.control?.client?.state === 'CONNECTED'")
    stranger.evaluate(f"window.control.client.comes({number}, 'audio', 'video')")
    wait_until(stranger, PLAYING)
    seller.evaluate(SEEN, "#banner")
    stranger.evaluate(SEEN, "[data-player] [data-overlay]")
    for page in (seller, stranger):
        page.evaluate(HELD_UP, show)

    for routed in (others, sockets):
        routed[-1].send(MOVED)
    wait_until(stranger, "window.seen.length > 1")
    sockets[-1].send('{"type": "host.lost", "data": {"until": null}}')
    for page in (seller, stranger):
        wait_until(page, "window.used.filter(([name]) => name === 'client.join').length === 2")
    wait_until(stranger, "window.control.client.state === 'CONNECTED'")
    number = seller.evaluate("window.used.filter(([name]) => name === 'client.join')[1][4]")
    stranger.evaluate(f"window.control.client.comes({number}, 'audio', 'video')")
    wait_until(stranger, PLAYING)
    wait_until(seller, "window.livestream.publisher.state === 'sending'")
    wait_until(seller, "window.seen.at(-1) === ''")

    for page in (seller, stranger):
        assert page.evaluate("window.seen") == ["", "One moment", ""]
    sockets[-1].send('{"type": "host.back", "data": {}}')
    stranger.evaluate(f"window.control.client.goes({number})")
    sockets[-1].send('{"type": "host.lost", "data": {"until": null}}')
    wait_until(stranger, "document.querySelector('[data-player]').dataset.state === 'host-lost'")


def test_a_show_that_does_not_arrive_is_lost_after_a_while(people: People) -> None:
    page = people.window()
    page.clock.install()
    page.goto("/")
    page.evaluate(
        """async () => {
          const { RoomStore } = await import("/static/js/room/store.js");
          const socket = new EventTarget();
          window.store = new RoomStore({ id: "show", state: "active", version: 1 }).follow(socket);
          window.moves = [];
          window.store.addEventListener("change", ({ detail }) => {
            if (detail.what === "moving") window.moves.push(window.store.moving);
          });
          const data = { session: { version: 2 }, changed: ["channel"] };
          socket.dispatchEvent(new CustomEvent("message", { detail: { type: "settings.changed", data } }));
        }"""
    )
    patience = TABLE["patience"]["move_seconds"]

    page.clock.run_for(1000 * patience - 100)
    before = page.evaluate("window.store.moving")
    page.clock.run_for(200)

    assert before is True
    assert page.evaluate("[window.store.moving, window.moves]") == [False, [True, False]]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_pages_that_follow_a_move_spread_their_questions_over_a_second(people: People, share: float) -> None:
    page = people.window()
    page.clock.install(time=datetime(2026, 1, 1, tzinfo=UTC))
    page.goto("/")
    page.evaluate(
        """async (share) => {
          const { renewWhenNotified } = await import("/static/js/providers/token-renewal.js");
          Math.random = () => share;
          const socket = new EventTarget();
          window.moved = 0;
          renewWhenNotified(socket, "show", { move: () => { window.moved += 1; } }, null);
          window.hear = (changed) => socket.dispatchEvent(
            new CustomEvent("message", { detail: { type: "settings.changed", data: { changed } } }));
        }""",
        share,
    )
    page.clock.pause_at(datetime(2026, 1, 1, 1, tzinfo=UTC))
    wait = int(share * 1000)

    page.evaluate("hear(['title'])")
    page.clock.run_for(2000)
    assert page.evaluate("window.moved") == 0

    page.evaluate("hear(['channel'])")
    at_once = page.evaluate("window.moved")
    if wait:
        page.clock.run_for(wait - 1)
        assert page.evaluate("window.moved") == 0
    page.clock.run_for(2)

    assert (at_once, page.evaluate("window.moved")) == (0, 1)
    assert wait <= 1000 * TABLE["patience"]["move_jitter_seconds"]


def test_a_page_that_was_away_for_long_looks_whether_the_show_has_moved(people: People) -> None:
    page = people.window()
    page.goto("/")

    renewed = page.evaluate(
        """async () => {
          const { renewWhenNotified } = await import("/static/js/providers/token-renewal.js");
          Math.random = () => 0.0001;
          const socket = new EventTarget(), counts = [];
          let renewed = 0;
          renewWhenNotified(socket, "show", { renew: async () => { renewed += 1; } }, null);
          for (const again of [false, true]) {
            socket.dispatchEvent(new CustomEvent("snapshot", { detail: { again } }));
            await new Promise((resolve) => setTimeout(resolve, 50));
            counts.push(renewed);
          }
          return counts;
        }"""
    )

    assert renewed == [0, 1]
