"""A guest on stage: joining and leaving by the keyboard alone, with a shared screen and changed devices, as viewers
see it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import resize
from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, acts, is_heard, pictures_move, tab_to, tile_of, tiles, user_id
from tests.e2e.test_show import live, open_room, show_made, wait_until

pytestmark = pytest.mark.timeout(300)

Screenshot = Callable[[Page, str], None]


def goes_on_by_keyboard(guest: Page, studio: Page, viewer: Page) -> None:
    """Ask, be approved and go on stage, all without a mouse."""
    tab_to(guest, "[data-ask-open]")
    guest.keyboard.press("Enter")
    expect(guest.locator("#ask-message")).to_be_focused()
    guest.keyboard.type("By the keyboard")
    tab_to(guest, "#ask-dialog [value=ask]", most=4)
    guest.keyboard.press("Enter")
    expect(studio.locator("[data-waiting]")).to_have_text("1")
    tab_to(studio, "[data-tab=chat]")
    studio.keyboard.press("ArrowRight")
    tab_to(studio, "[data-answer=approve]", most=10)
    studio.keyboard.press("Enter")
    expect(guest.locator("#backstage")).to_be_visible()
    wait_until(guest, "document.querySelector('#backstage video').videoWidth > 0")
    row, note = studio.locator(f'[data-staged] [data-user="{user_id(guest)}"]'), tile_of(viewer, user_id(guest))
    for place in (row, note):
        expect(place).to_contain_text("Getting ready")
    tab_to(guest, "#backstage [value=go]", most=12)
    guest.keyboard.press("Enter")
    wait_until(guest, "window.livestream.stage.sending === 'sending'", timeout=20)
    for place in (row, note):
        expect(place).not_to_contain_text("Getting ready")


def leaves_by_keyboard(guest: Page) -> None:
    """Leave the stage without a mouse."""
    tab_to(guest, "[data-own=leave]")
    guest.keyboard.press("Enter")
    tab_to(guest, "#leave-dialog [value=yes]", most=4)
    guest.keyboard.press("Enter")


def screen_shown_and_stopped_by_the_host(guest: Page, studio: Page, viewer: Page, screenshot: Screenshot) -> None:
    """Assert that a shared screen is the main video until the host stops it."""
    who = user_id(guest)
    guest.click("[data-own=screen]")
    screen = tile_of(viewer, who, "screen")
    expect(screen).to_contain_class("main", timeout=8_000)
    expect(screen).to_contain_class("on", timeout=8_000)
    areas = viewer.evaluate("""() => Object.fromEntries([...document.querySelectorAll("[data-stage] .tile")].map(
        (tile) => [tile.dataset.source + tile.dataset.user, tile.offsetWidth * tile.offsetHeight]))""")
    assert max(areas, key=areas.get) == f"screen{who}"
    for page, name in ((viewer, "room"), (studio, "studio"), (guest, "guest")):
        screenshot(page, f"{name}-screen")

    acts(studio, who, "stage.stop_screen")
    expect(screen).to_have_count(0)
    expect(tile_of(studio, who, "screen")).to_have_count(0)
    expect(guest.locator("[data-own=screen]")).to_have_attribute("aria-label", "Share your screen")
    expect(guest.locator("body")).to_contain_text("The host stopped your screen share.")


def devices_changed(guest: Page, viewer: Page, screenshot: Screenshot) -> None:
    """Assert that a viewer sees and hears another camera and microphone without a new negotiation."""
    who = user_id(guest)
    before = colour(viewer, who)
    chosen = {}
    guest.click("[data-own=devices]")
    screenshot(guest, "room-devices")
    for name in ("camera", "microphone"):
        select = guest.locator(f"#backstage-{name}")
        expect(select.locator("option:not([value=none])").nth(1)).to_be_attached()
        now = select.input_value()
        others = [option.get_attribute("value") for option in select.locator("option").all()]
        chosen[name] = next(other for other in others if other not in (now, "none", "default"))
        select.select_option(chosen[name])
    guest.wait_for_timeout(500)
    guest.click("#backstage button[value=done]")

    guest.click("[data-own=devices]")
    for name, value in chosen.items():
        expect(guest.locator(f"#backstage-{name}")).to_have_value(value or "")
    guest.click("#backstage button[value=done]")
    pictures_move(viewer, {who, user_id_of_host(viewer)})
    assert max(abs(one - other) for one, other in zip(before, colour(viewer, who), strict=True)) > 25
    assert is_heard(viewer, who)
    assert guest.evaluate("window.livestream.stage.sending") == "sending"


def user_id_of_host(page: Page) -> str:
    found: str = page.evaluate("window.livestream.session.host.id")
    return found


def colour(page: Page, user: str) -> list[float]:
    """Return the mean colour of a person's video."""
    found: list[float] = next(tile for tile in tiles(page) if tile["user"] == user)["colour"]
    return found


def quality_chosen(viewer: Page, screenshot: Screenshot) -> None:
    """Assert that the menu changes the received quality, and displays it."""
    for choice, words in (("low", r"^2\d\d×1\d\d.*low layer"), ("high", r"^480×270.*full layer"), ("auto", "layer")):
        viewer.hover("[data-player]")
        viewer.click("[data-quality-open]")
        viewer.click(f"[data-choice={choice}]")
        viewer.hover("[data-player]")
        viewer.click("[data-quality-open]")
        expect(viewer.locator(f"[data-choice={choice}]")).to_have_attribute("aria-checked", "true")
        expect(viewer.locator("[data-quality] .received")).to_have_text(re.compile(words), timeout=15_000)
        screenshot(viewer, f"room-quality-{choice}")
        resize(viewer, 360, 740)
        box = viewer.locator("[data-quality-sheet]").bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= 360 - box["width"], "all of it is on a phone's screen"
        resize(viewer, 1280, 800)
        viewer.keyboard.press("Escape")
        expect(viewer.locator("[data-quality-open]")).to_be_focused()


def spotlighted(viewer: Page, who: str) -> None:
    """Assert that a pressed tile is enlarged for this viewer alone, and is equal again after another press."""
    boxes: Any = "(tile) => tile.offsetWidth * tile.offsetHeight"
    tile = tile_of(viewer, who)
    even = tile.evaluate(boxes)
    tile.locator(".tile-pick").click()
    expect(tile).to_contain_class("main")
    viewer.wait_for_timeout(400)
    assert tile.evaluate(boxes) > 1.5 * even
    tile.locator(".tile-pick").click()
    expect(viewer.locator("[data-stage] .tile.main")).to_have_count(0)


def test_a_guest_comes_by_keyboard_shows_a_screen_changes_devices_and_leaves(
    people: People, screenshot: Screenshot
) -> None:
    seller, mia, viewer = people.signed_in("seller", **SMALL), people.newcomer("Mia", **SMALL), people.window()
    show = show_made(seller, "Your turn")
    live(seller)
    for page in (mia, viewer):
        open_room(page, show)
    host, who = user_id(seller), user_id(mia)

    goes_on_by_keyboard(mia, seller, viewer)
    pictures_move(viewer, {host, who})
    for muted in (True, False):
        mia.keyboard.press("d")
        expect(mia.locator("[data-own=audio]")).to_have_attribute("aria-pressed", str(not muted).lower())
        expectation = expect(tile_of(viewer, who))
        (expectation.to_contain_class if muted else expectation.not_to_contain_class)("muted")

    spotlighted(viewer, who)
    quality_chosen(viewer, screenshot)
    screen_shown_and_stopped_by_the_host(mia, seller, viewer, screenshot)
    devices_changed(mia, viewer, screenshot)

    leaves_by_keyboard(mia)
    expect(tile_of(viewer, who)).to_have_count(0)
    expect(mia.locator("[data-ask-open]")).to_be_visible()
    assert people.complaints == []
