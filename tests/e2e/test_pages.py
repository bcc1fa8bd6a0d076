"""Every page at the widths of a phone and a desktop, and the pages' error messages."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.browser import resize
from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.test_show import live, show_made, wait_until

pytestmark = pytest.mark.timeout(180)

Screenshot = Callable[[Page, str], None]

NO_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("none", "NotFoundError"); };
navigator.mediaDevices.enumerateDevices = async () => [];
"""
DENIED = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""
BUSY = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("busy", "NotReadableError"); };
"""
OLD_BROWSER = "delete window.RTCPeerConnection; window.RTCPeerConnection = undefined;"


def fits(page: Page) -> None:
    """Assert that nothing overflows sideways."""
    width, content = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert content <= width, f"{page.url} is {content} px wide in a window of {width} px"


def stands(page: Page) -> None:
    """Assert that a page that fills its window cannot be scrolled as a whole; only its columns can."""
    window, content = page.evaluate("[innerHeight, document.documentElement.scrollHeight]")
    assert content <= window, f"{page.url} is {content} px long in a window of {window} px"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("home", "/"),
        ("login", "/accounts/login/"),
        ("signup", "/accounts/signup/"),
        ("missing", "/live/00000000-0000-4000-8000-000000000000/"),
        ("api-docs", "/api/docs/"),
    ],
)
def test_pages_of_a_stranger_fit_every_screen(people: People, screenshot: Screenshot, name: str, path: str) -> None:
    page = people.window()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(path)
        expect(page.locator("h1, h2").first).to_be_visible()
        screenshot(page, f"{name}-{scheme}")
    resize(page, 360, 740)
    if name != "api-docs":
        fits(page)
    assert people.complaints == []


def test_pages_are_set_in_their_own_typeface_and_digits_have_one_width(people: People) -> None:
    page = people.window()
    page.goto("/")

    page.wait_for_function("[...document.fonts].some(face => face.family === 'Figtree' && face.status === 'loaded')")
    widths = page.evaluate(
        """() => [..."0123456789"].map(digit => {
          const time = document.body.appendChild(document.createElement("time"));
          time.textContent = digit.repeat(20);
          return Math.round(time.getBoundingClientRect().width * 10);
        })"""
    )

    assert len(set(widths)) == 1, widths
    assert page.evaluate("performance.getEntriesByType('resource').filter(e => e.name.includes('figtree')).length") == 1
    assert people.complaints == []


def test_pages_of_a_seller_fit_every_screen(people: People, screenshot: Screenshot) -> None:
    seller = people.signed_in("seller")
    show_made(seller, "A show with a rather long title that has to break somewhere sensible on a phone")
    show_studio = seller.url
    for name, address in (("studio", "/studio/"), ("show-studio", show_studio), ("profile", "/accounts/")):
        seller.goto(address)
        expect(seller.locator("h1").first).to_be_visible()
        screenshot(seller, name)
        resize(seller, 360, 740)
        fits(seller)
        resize(seller, 1280, 800)
        if name == "show-studio":
            stands(seller)
    assert people.complaints == []


def test_on_a_phone_the_title_has_a_line_and_opens_all_there_is_to_read(people: People) -> None:
    seller, phone = people.signed_in("seller"), people.window()
    show = show_made(seller, "A show with a rather long title that is worth two lines on a phone")
    seller.fill("#studio-description", "What there is.\n" * 60)
    seller.click("#details button[type=submit]")
    expect(seller.locator("#toasts")).to_contain_text("Saved")
    resize(phone, 360, 740)
    phone.goto(f"/live/{show}/")
    title, sheet = phone.locator(".room h1"), phone.locator("#about-dialog")

    assert title.evaluate("(node) => node.clientHeight / parseFloat(getComputedStyle(node).lineHeight)") < 1.1
    expect(sheet).to_be_hidden()
    phone.click("[data-about-open]")
    expect(sheet.locator("h2")).to_have_text("A show with a rather long title that is worth two lines on a phone")
    expect(sheet.locator(".description")).to_be_in_viewport()
    fits(phone)
    box = sheet.bounding_box()
    assert box
    assert box["y"] >= 0
    phone.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(phone.locator("[data-about-open]")).to_be_focused()
    assert people.complaints == []


def test_the_admin_opens_for_a_moderator(people: People, screenshot: Screenshot) -> None:
    show_made(people.signed_in("seller"), "A show with a rather long title that moderators want to read as a whole too")
    moderator = people.signed_in("moderator")

    moderator.goto("/admin/")
    expect(moderator.locator(".module caption").first).to_have_text("Moderation")
    screenshot(moderator, "admin")
    for name, path in (("sessions", "streams/streamsession/"), ("participants", "streams/participant/")):
        moderator.goto(f"/admin/{path}")
        expect(moderator.locator("#changelist")).to_be_visible()
        screenshot(moderator, f"admin-{name}")
        hidden = moderator.locator(".results").evaluate("(table) => table.scrollWidth - table.clientWidth")
        assert hidden <= 0, "columns are cut off on a desktop"
    moderator.goto("/admin/accounts/user/")
    screenshot(moderator, "admin-people")


@pytest.mark.parametrize(
    ("trouble", "script", "words"),
    [
        ("no-camera", NO_CAMERA, "camera"),
        ("denied", DENIED, "allow"),
        ("busy-camera", BUSY, "use"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(
    people: People, screenshot: Screenshot, trouble: str, script: str, words: str
) -> None:
    seller = people.window()
    seller.context.add_init_script(script)
    sign_in(seller, "seller")
    show_made(seller, "No picture")

    expect(seller.locator("#main")).to_contain_text(words, ignore_case=True)
    expect(seller.locator("[data-do=live]")).to_be_disabled()
    screenshot(seller, f"studio-{trouble}")


EXIT_IN_VIEW = """(() => {
  const button = document.querySelector(".overlay .btn");
  const [box, player] = [button, document.querySelector("[data-player]")].map((one) => one.getBoundingClientRect());
  const y = box.top + 0.9 * box.height;
  const on = (share) => document.elementFromPoint(box.left + share * box.width, y)?.closest(".btn") === button;
  return innerWidth === 360 && box.bottom <= player.bottom - 8 && [0.1, 0.5, 0.9].every(on);
})()"""


def test_an_old_browser_is_told_so(people: People, product: Product, screenshot: Screenshot) -> None:
    seller, old = people.signed_in("seller"), people.window()
    show = show_made(seller, "Too new for you")
    live(seller)
    old.context.add_init_script(OLD_BROWSER)

    old.goto(f"/live/{show}/")

    expect(old.locator("[data-player] [data-overlay]")).to_contain_text("browser", ignore_case=True)
    screenshot(old, "room-old-browser")
    # On a phone too the exit is in view, and nothing lies over it.
    resize(old, 360, 740)
    wait_until(old, EXIT_IN_VIEW)
    old.click(".overlay .btn")
    old.wait_for_url(lambda url: url.endswith(":" + str(product.port) + "/"))


def sign_in(page: Page, username: str) -> None:
    page.goto("/accounts/login/")
    page.click(f"[data-demo-person={username}]")
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def test_a_private_show_opens_for_whom_the_host_lets_in(people: People, screenshot: Screenshot) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "For friends")
    answer: Any = seller.evaluate(
        """async (show) => {
            const csrf = document.cookie.match(/csrftoken=([^;]+)/)?.[1];
            const body = JSON.stringify({ visibility: "private" });
            const headers = { "Content-Type": "application/json", "X-CSRFToken": csrf };
            return (await fetch(`/api/v1/sessions/${show}/`, { method: "PATCH", headers, body })).status;
        }""",
        show,
    )
    assert answer == 200
    refused = buyer.goto(f"/live/{show}/")
    assert refused is not None
    assert refused.status == 404

    seller.fill("#invite-name", "nobody-of-that-name")
    seller.click("#invite button")
    expect(seller.locator("body")).to_contain_text("no one has that username", ignore_case=True)
    seller.fill("#invite-name", "buyer")
    seller.click("#invite button")
    expect(seller.locator("[data-invited]")).to_contain_text("Bea")
    screenshot(seller, "studio-private")

    welcome = buyer.goto(f"/live/{show}/")
    assert welcome is not None
    assert welcome.status == 200


def test_a_room_that_cannot_be_reached_says_so_and_is_tried_at_a_click(people: People, screenshot: Screenshot) -> None:
    # Waits are random; these are the longest possible.
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer", scripts=["Math.random = () => 0.999;"])
    show = show_made(seller, "Overload")
    answers = ["away"]

    def answer(socket: WebSocketRoute) -> None:
        match answers[0]:
            case "away":
                socket.close(code=4000, reason="restart")
            case "overload":
                socket.close(code=4101, reason="retry in 30")
            case _:
                socket.connect_to_server()

    buyer.route_web_socket(re.compile("/ws/live/"), answer)
    buyer.goto(f"/live/{show}/")

    expect(buyer.locator("[data-link]")).to_have_text("Reconnecting")
    expect(buyer.locator("[data-link-retry]")).to_be_visible()
    expect(buyer.locator("[data-link-wait]")).to_have_text(re.compile(r"^in \d+ s$"))
    answers[0] = "overload"
    buyer.click("[data-link-retry]")
    # An overloaded room says when to come back, and no attempt is made before.
    expect(buyer.locator("[data-link-wait]")).to_have_text(re.compile(r"^in [34]\d s$"))
    expect(buyer.locator("[data-link-retry]")).to_be_hidden()

    answers[0] = "away"
    buyer.reload()
    expect(buyer.locator("[data-link-retry]")).to_be_visible()
    screenshot(buyer, "room-reconnecting")
    assert buyer.locator(".chat > header").evaluate("(head) => head.scrollWidth <= head.clientWidth")
    answers[0] = "up"
    buyer.click("[data-link-retry]")
    expect(buyer.locator("[data-link]")).to_have_text("Live chat")
    expect(buyer.locator("[data-link-retry]")).to_be_hidden()
    expect(buyer.locator("[data-link-wait]")).to_be_empty()
