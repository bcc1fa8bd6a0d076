"""The list of people offers each manager of a stage exactly the actions that the server permits."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import resize
from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, acts, come, settings_changed, user_id, walks_on
from tests.e2e.test_pages import fits
from tests.e2e.test_show import live, open_room, say, show_made, wait_until

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(200)]

Screenshot = Callable[[Page, str], None]

OUT = {"stage.kick", "stage.ban"}
MANAGE = {"stage.mute", "stage.remove"}
APPOINT = {"stage.appoint"}
INVITE = {"guest.invite"}
OFFERED = """([list, user]) => [...document.querySelectorAll(`[data-${list}] [data-user="${user}"] [data-op]`)]
    .map((button) => button.dataset.op)"""


def offers(page: Page, where: str, user: str, ops: set[str]) -> None:
    """Wait until exactly these actions are offered for a person in the list."""
    expect(page.locator(f'[data-{where}] [data-user="{user}"]')).to_be_visible()
    wanted = " ".join(sorted(ops))
    told = f"[...new Set(({OFFERED})({[where, user]!r}))].sort().join(' ')"
    try:
        wait_until(page, f"{told} === '{wanted}'", timeout=5)
    except AssertionError:
        raise AssertionError(f"{page.url} offers {page.evaluate(told)!r} and not {wanted!r}") from None


def test_nobody_is_offered_what_the_server_refuses(people: People, screenshot: Screenshot) -> None:
    seller, jonas = people.signed_in("seller", **SMALL), people.newcomer("Jonas", **SMALL)
    mia, staff = people.newcomer("Mia", **SMALL), people.signed_in("moderator", **SMALL)
    show = show_made(seller, "Rights")
    settings_changed(seller, show, require_approval=False)
    live(seller)
    for page in (jonas, mia, staff):
        open_room(page, show)
    walks_on(jonas)
    come(seller, show, ["Amara"])
    host, cohost, moderator, official = (user_id(page) for page in (seller, jonas, mia, staff))
    seller.click("[data-tab=people]")
    expect(seller.locator("[data-staged] .person-row")).to_have_count(3)
    amara = next(
        person["user"]["id"]
        for person in seller.evaluate("window.livestream.stage.people")
        if person["user"]["display_name"] == "Amara"
    )
    acts(seller, cohost, "stage.promote")
    seller.locator(f'[data-audience] [data-user="{moderator}"] [aria-expanded]').click()
    seller.locator(f'[data-audience] [data-user="{moderator}"] [data-op="stage.appoint"]').click()
    for page in (jonas, mia, staff):
        page.click("[data-tab=people]")

    # The host manages everybody, and removes no site staff.
    offers(seller, "staged", host, set())
    offers(seller, "staged", cohost, MANAGE | OUT | APPOINT | {"stage.demote"})
    offers(seller, "staged", amara, MANAGE | OUT | APPOINT | {"stage.promote"})
    offers(seller, "audience", moderator, INVITE | OUT | {"stage.dismiss"})
    offers(seller, "audience", official, INVITE | APPOINT)
    # A co-host and a moderator manage guests and viewers, and remove no moderators.
    for page in (jonas, mia):
        offers(page, "staged", host, set())
        offers(page, "staged", cohost, set())
        offers(page, "staged", amara, MANAGE | OUT)
        offers(page, "audience", official, INVITE)
    offers(jonas, "audience", moderator, INVITE)
    offers(mia, "audience", moderator, set())
    # Site staff also manage co-hosts, but appoint none.
    offers(staff, "staged", cohost, MANAGE | OUT | APPOINT | {"stage.demote"})
    offers(staff, "staged", amara, MANAGE | OUT | APPOINT)
    offers(staff, "audience", moderator, INVITE | OUT | {"stage.dismiss"})
    for page, user, name in ((seller, cohost, "studio-person-open"), (mia, amara, "room-person-open")):
        resize(page, 360, 740)
        page.locator(f'[data-staged] [data-user="{user}"] [aria-expanded]').click()
        row, panel = (page.locator(it).bounding_box() for it in (".person-acts:visible", ".people-scroll"))
        assert row and panel
        assert row["y"] + row["height"] <= panel["y"] + panel["height"], "the row opens out of sight"
        fits(page)
        resize(page, 1280, 800)
        screenshot(page, name)

    # Beside messages, too, nobody is offered to remove people above them.
    jonas.click("[data-tab=chat]")
    say(jonas, "From the co-host")
    for page, is_offered in ((seller, True), (staff, True), (mia, False)):
        page.click("[data-tab=chat]")
        message = page.locator("[data-messages] .msg", has_text="From the co-host")
        expect(message).to_be_visible()
        expect(message.locator("[data-act=ban]")).to_have_count(int(is_offered))
        page.click("[data-tab=people]")
    jonas.click("[data-tab=people]")

    # The list follows changes of roles: the reader's own, and others'.
    acts(seller, cohost, "stage.demote")
    offers(mia, "staged", cohost, MANAGE | OUT)
    expect(jonas.locator("[data-tab=people]")).to_be_hidden()
    acts(seller, cohost, "stage.promote")
    jonas.click("[data-tab=people]")
    offers(jonas, "staged", amara, MANAGE | OUT)
    offers(mia, "staged", cohost, set())
    seller.locator(f'[data-audience] [data-user="{moderator}"] [aria-expanded]').click()
    seller.locator(f'[data-audience] [data-user="{moderator}"] [data-op="stage.dismiss"]').click()
    offers(jonas, "audience", moderator, INVITE | OUT)
    assert people.complaints == []
