"""Asking to join, rejection, invitation, and the layout of stages of several sizes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import resize
from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.stage_steps import SMALL, asks, come, settings_changed, user_id
from tests.e2e.test_pages import fits
from tests.e2e.test_show import live, open_room, show_made, wait_until

pytestmark = pytest.mark.timeout(300)

Screenshot = Callable[[Page, str], None]

NAMES = [
    *("Mia Wong", "Jonas Müller-Lüdenscheidt", "Yuki", "Amara", "Theo", "Lina", "Noah", "Zoë", "Ivan", "فاطمة"),
    *("Olu", "Grace", "Pedro", "Ana", "Ravi", "Kim", "Lea", "Max", "Ida", "Sven"),
]
TOGETHER = """() => {
    const box = document.querySelector("[data-stage]").getBoundingClientRect();
    const tiles = [...document.querySelectorAll("[data-stage] .tile")].map((tile) => tile.getBoundingClientRect());
    const inside = tiles.every((tile) => tile.left >= box.left - 1 && tile.right <= box.right + 1
        && tile.top >= box.top - 1 && tile.bottom <= box.bottom + 1);
    const least = Math.min(...tiles.map((tile) => Math.min(tile.width, tile.height)));
    return { count: tiles.length, inside, least };
}"""


def test_asking_taking_back_being_refused_and_being_invited(people: People, screenshot: Screenshot) -> None:
    seller, mia = people.signed_in("seller", **SMALL), people.newcomer("Mia", **SMALL)
    show = show_made(seller, "May I?")
    mia.goto(f"/live/{show}/")
    expect(mia.locator("[data-player] [data-overlay]")).to_contain_text("Waiting for")
    live(seller)
    # Viewers who waited for the show get the same offer as later ones.
    expect(mia.locator("[data-ask-open]")).to_be_visible()
    bar = mia.locator("[data-ask-bar]")

    asks(mia, "Just a question")
    screenshot(mia, "room-waiting")
    mia.click("[data-ask=cancel]")
    expect(bar).to_be_hidden()

    asks(mia)
    seller.click("[data-tab=people]")
    seller.click("[data-queue] [data-answer=reject]")
    seller.fill("#reject-reason", "After the next lamp")
    seller.press("#reject-reason", "Enter")
    expect(bar).to_contain_text("After the next lamp")
    expect(bar).to_contain_text("again in")
    expect(mia.locator("[data-ask-open]")).to_be_hidden()
    screenshot(mia, "room-refused")

    # The search finds her among the viewers; she declines the first invitation and accepts the second.
    seller.fill("#people-search", "mi")
    invite = seller.locator(f'[data-audience] [data-user="{user_id(mia)}"] [data-op="guest.invite"]')
    notice = seller.locator("#toasts .toast", has_text="Invitation sent to Mia")
    invited = seller.locator("[data-invitations]")
    invite.click()
    notice.click()
    expect(notice).to_have_count(0)
    expect(mia.locator("#invited-dialog")).to_be_visible()
    screenshot(mia, "room-invited")
    expect(invited).to_contain_text("Mia")
    expect(invited).to_contain_text("by you")
    expect(invite).to_have_count(0)
    screenshot(seller, "studio-invited")
    invited.get_by_role("button", name="Cancel the invitation to Mia").click()
    expect(mia.locator("#invited-dialog")).to_be_hidden()
    expect(invited).to_be_hidden()

    invite.click()
    notice.click()
    expect(mia.locator("#invited-dialog")).to_be_visible()
    mia.click("#invited-dialog button[value=decline]")
    expect(bar).not_to_contain_text("invited you")
    expect(seller.locator("#toasts")).to_contain_text("Mia declined your invitation.")
    expect(seller.locator("#toasts .toast")).to_have_count(0)
    expect(invited).to_be_hidden()
    resize(seller, 360, 740)
    invite.click()
    expect(notice).to_be_visible()
    assert notice.bounding_box()["y"] < 120, "on a phone notices stand over the picture, not over what is written"
    expect(mia.locator("#invited-dialog")).to_be_visible()
    mia.click("#invited-dialog button[value=accept]")
    expect(mia.locator("#backstage")).to_be_visible()
    expect(mia.locator("#toasts")).to_contain_text("You’re in!")

    # She changes her mind: the seat is free again, and nothing shows her on stage.
    mia.click("#backstage button[value=leave]")
    expect(mia.locator("#toasts")).not_to_contain_text("You’re in!")
    expect(seller.locator("[data-slots]")).to_have_text("0 of 20")

    # Viewers are in the list without a search, and a removed one is not.
    resize(seller, 1280, 800)
    seller.fill("#people-search", "")
    row = seller.locator(f'[data-audience] [data-user="{user_id(mia)}"]')
    expect(row).to_be_visible(timeout=20_000)
    row.locator("[aria-expanded]").click()
    row.locator('[data-op="stage.ban"]').click()
    seller.click("#out-dialog button[value=yes]")
    expect(row).to_have_count(0)
    assert people.complaints == []


def test_without_approval_a_viewer_goes_straight_backstage_and_a_full_stage_says_so(people: People) -> None:
    seller, mia, ben = people.signed_in("seller", **SMALL), people.newcomer("Mia", **SMALL), people.signed_in("buyer2")
    show = show_made(seller, "Open door")
    settings_changed(seller, show, require_approval=False, max_guests=1)
    live(seller)
    for page in (mia, ben):
        open_room(page, show)

    mia.click("[data-ask-open]")
    expect(mia.locator("#backstage")).to_be_visible()

    expect(ben.locator("[data-ask-open]")).to_be_disabled()
    expect(ben.locator("[data-ask-open]")).to_have_text("Stage is full")
    mia.click("#backstage button[value=leave]")
    expect(ben.locator("[data-ask-open]")).to_be_enabled()
    assert people.complaints == []


@pytest.mark.nightly
def test_a_stage_of_every_size_fits_phone_and_desk(people: People, product: Product, screenshot: Screenshot) -> None:
    seller, viewer = people.signed_in("seller", **SMALL), people.window()
    show = show_made(seller, "Full house")
    settings_changed(seller, show, require_approval=False)
    live(seller)
    open_room(viewer, show)
    screenshot(viewer, "stage-1")

    there = 0
    for count in (4, 21):  # property 9 tests the layout itself at all sizes between
        come(seller, show, NAMES[there : count - 1])
        there = count - 1
        wait_until(viewer, f"document.querySelectorAll('[data-stage] .tile').length === {count}")
        wait_until(viewer, "window.livestream.stage.staged")
        for width, height in ((360, 740), (740, 360), (1280, 800), (1920, 1080)):
            resize(viewer, width, height)
            viewer.wait_for_timeout(500)
            together = viewer.evaluate(TOGETHER)
            assert together["count"] == count
            assert together["inside"], (count, width, together)
            assert together["least"] >= 24, (count, width, together)
            fits(viewer)
        resize(viewer, 1280, 800)
        screenshot(viewer, f"stage-{count}")
    viewer.emulate_media(color_scheme="dark")
    screenshot(viewer, "stage-21-dark")
    screenshot(seller, "studio-stage-21")

    # A tile chosen by the keyboard: large, and undone.
    button = viewer.locator("[data-stage] .tile-pick").nth(3)
    button.focus()
    viewer.keyboard.press("Enter")
    expect(viewer.locator("[data-stage] .tile.main")).to_have_count(1)
    screenshot(viewer, "stage-21-spotlight")
    viewer.keyboard.press("Enter")
    expect(viewer.locator("[data-stage] .tile.main")).to_have_count(0)
    assert viewer.evaluate("window.livestream.player.state") == "playing"
    assert people.complaints == []
