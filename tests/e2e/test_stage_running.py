"""A co-host and a moderator at work in the room: their actions on guests, and no actions on the host."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.stage_steps import (
    SMALL,
    acts,
    come,
    goes_quiet,
    is_heard,
    settings_changed,
    tile_of,
    user_id,
    walks_on,
)
from tests.e2e.test_show import live, open_room, show_made

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(240)]

Screenshot = Callable[[Page, str], None]

POST = """async ([show, user, verb, body]) => (await fetch(`/api/v1/sessions/${show}/participants/${user}/${verb}/`, {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content } })).status"""


def refused(page: Page, show: str, user: str) -> None:
    """Assert that the list offers nothing for this person, and that the server refuses a direct request."""
    row = page.locator(f'[data-staged] [data-user="{user}"]')
    expect(row).to_be_visible()
    expect(row.locator("[aria-expanded]")).to_have_count(0)
    for verb, body in (("mute", {"kind": "audio"}), ("kick", {}), ("ban", {}), ("demote", {})):
        assert page.evaluate(POST, [show, user, verb, body]) == 403, verb


def removes(page: Page, user: str, op: str) -> None:
    """Remove or ban somebody, and confirm."""
    acts(page, user, op)
    page.click("#out-dialog button[value=yes]")


def test_a_cohost_and_a_moderator_run_the_stage_but_not_its_host(
    people: People, product: Product, screenshot: Screenshot
) -> None:
    seller, jonas = people.signed_in("seller", **SMALL), people.newcomer("Jonas", **SMALL)
    moderator, viewer = people.signed_in("moderator"), people.window()
    show = show_made(seller, "Many hands")
    settings_changed(seller, show, require_approval=False)
    live(seller)
    for page in (jonas, moderator, viewer):
        open_room(page, show)
    walks_on(jonas)
    come(seller, show, ["Amara", "Theo", "Lina", "Olu", "Ravi"])
    expect(viewer.locator("[data-stage] .tile")).to_have_count(7, timeout=10_000)
    there = viewer.evaluate("window.livestream.stage.people")
    ids = {person["user"]["display_name"]: person["user"]["id"] for person in there}
    host = user_id(seller)
    seller.click("[data-tab=people]")
    acts(seller, user_id(jonas), "stage.promote")

    jonas.click("[data-tab=people]")
    acts(jonas, ids["Amara"], "stage.mute", "audio")
    expect(tile_of(viewer, ids["Amara"])).to_contain_class("muted", timeout=3_000)
    acts(jonas, ids["Theo"], "stage.remove")
    expect(tile_of(viewer, ids["Theo"])).to_have_count(0, timeout=3_000)
    removes(jonas, ids["Lina"], "stage.kick")
    expect(tile_of(viewer, ids["Lina"])).to_have_count(0, timeout=3_000)
    refused(jonas, show, host)
    screenshot(jonas, "room-cohost-people")

    moderator.click("[data-tab=people]")
    acts(moderator, ids["Ravi"], "stage.mute", "video")
    expect(tile_of(viewer, ids["Ravi"])).to_contain_text("Ravi")
    expect(moderator.locator(f'[data-staged] [data-user="{ids["Ravi"]}"] .marks')).to_contain_text("camera off")
    removes(moderator, ids["Olu"], "stage.ban")
    expect(tile_of(viewer, ids["Olu"])).to_have_count(0, timeout=3_000)
    refused(moderator, show, host)
    expect(moderator.locator("[data-audience]")).to_contain_text("Theo")
    # Nobody can invite themselves.
    expect(moderator.locator(f'[data-audience] [data-user="{user_id(moderator)}"]')).to_be_visible()
    expect(
        moderator.locator(f'[data-audience] [data-user="{user_id(moderator)}"] [data-op="guest.invite"]')
    ).to_have_count(0)
    screenshot(moderator, "room-moderator-people")

    # Mute all: the guests fall silent, their own switches follow, and the host stays unmuted.
    assert is_heard(viewer, user_id(jonas))
    seller.click("[data-mute-all]")
    for each in (user_id(jonas), ids["Ravi"]):
        expect(tile_of(viewer, each)).to_contain_class("muted", timeout=3_000)
    expect(tile_of(viewer, host)).not_to_contain_class("muted")
    expect(jonas.locator("[data-own=audio]")).to_have_attribute("aria-pressed", "false")
    expect(seller.locator("[data-mute-all]")).to_be_disabled()
    assert goes_quiet(viewer, user_id(jonas))
    assert is_heard(viewer, host)
    screenshot(seller, "studio-all-muted")
    screenshot(viewer, "room-all-muted")
    assert product.get(f"/api/v1/sessions/{show}/")["guest_count"] == 3
    assert people.complaints == []
