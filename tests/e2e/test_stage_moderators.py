"""The host appoints a moderator from the audience, and dismisses them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, user_id
from tests.e2e.test_pages import fits
from tests.e2e.test_show import live, open_room, say, show_made

pytestmark = pytest.mark.timeout(200)

Screenshot = Callable[[Page, str], None]


def test_a_moderator_is_made_and_unmade_in_the_list_of_people(people: People, screenshot: Screenshot) -> None:
    seller, mia = people.signed_in("seller", **SMALL), people.newcomer("Mia", **SMALL)
    show = show_made(seller, "Trusted")
    live(seller)
    open_room(mia, show)
    expect(mia.locator("[role=tablist]")).to_be_hidden()

    seller.click("[data-tab=people]")
    row = seller.locator(f'[data-audience] [data-user="{user_id(mia)}"]')
    row.locator("[aria-expanded]").click()
    screenshot(seller, "studio-person-acts")
    row.locator('[data-op="stage.appoint"]').click()

    expect(row.locator("[data-role=moderator]")).to_be_visible()
    expect(mia.locator(".toast").last).to_contain_text("You’re a moderator now")
    mia.click("[data-tab=people]")
    expect(mia.locator(f'[data-audience] [data-user="{user_id(mia)}"] [data-role=moderator]')).to_be_visible()
    expect(mia.locator('[data-op="stage.appoint"]')).to_have_count(0)
    for page, name in ((seller, "studio-moderator"), (mia, "room-moderator")):
        # In one step: the list is redrawn when rights change, and a found row may be gone.
        page.evaluate("document.querySelector('[data-audience] .person-row').scrollIntoView({ block: 'nearest' })")
        screenshot(page, name)
        fits(page)

    # A moderator with the people list open is notified of new messages.
    mia.click("[data-tab=chat]")
    for text in ("Hello", "Anybody there?"):
        say(mia, text)
    expect(seller.locator("[data-unread]")).to_have_text("2")
    screenshot(seller, "studio-unread")
    seller.click("[data-tab=chat]")
    expect(seller.locator("[data-unread]")).to_be_hidden()
    seller.click("[data-tab=people]")

    row.locator('[data-op="stage.dismiss"]').click()
    expect(row.locator("[data-role=moderator]")).to_have_count(0)
    expect(mia.locator("[role=tablist]")).to_be_hidden()

    # A dialog that can no longer be confirmed is closed.
    row.locator('[data-op="guest.invite"]').click()
    expect(mia.locator("#invited-dialog")).to_be_visible()
    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")
    expect(mia.locator("#invited-dialog")).to_be_hidden()
    assert people.complaints == []
