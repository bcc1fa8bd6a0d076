"""A stage in real browsers: a host, three guests and two viewers, and every action on them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.stage_steps import (
    SMALL,
    acts,
    approves,
    asks,
    goes_on,
    goes_quiet,
    is_heard,
    pictures_move,
    tile_of,
    tiles,
    user_id,
)
from tests.e2e.test_show import live, open_room, show_made, wait_until

pytestmark = [pytest.mark.alone, pytest.mark.timeout(420)]

Screenshot = Callable[[Page, str], None]


def test_a_stage_from_asking_to_the_end(people: People, product: Product, screenshot: Screenshot) -> None:
    seller = people.signed_in("seller", **SMALL)
    mia, jonas = (people.newcomer(name, **SMALL) for name in ("Mia", "Jonas"))
    viewer, stranger = people.signed_in("buyer"), people.window()
    show = show_made(seller, "Two guests")
    host = user_id(seller)
    live(seller)
    for page in (mia, jonas, viewer, stranger):
        open_room(page, show)
    assert viewer.evaluate("window.livestream.stage.staged") is False

    # The queue is in order, with the message of each request; an anonymous viewer is led to the log-in page, and back.
    asks(mia, "About the green lamp")
    asks(jonas)
    expect(jonas.locator("[data-ask-bar]")).to_contain_text("number 2")
    expect(stranger.locator("[data-ask-open]")).to_be_hidden()
    expect(stranger.locator("[data-ask-login]")).to_have_text("Join on camera")
    assert str(stranger.get_attribute("[data-ask-login]", "href")).endswith(f"/accounts/login/?next=/live/{show}/")
    stranger.close()
    expect(seller.locator("[data-waiting]")).to_have_text("2", timeout=5_000)
    seller.click("[data-tab=people]")
    expect(seller.locator("[data-queue] .person-name")).to_have_text(["Mia", "Jonas"])
    expect(seller.locator("[data-queue]")).to_contain_text("About the green lamp")
    screenshot(seller, "studio-queue")

    # Approved: backstage first, then on stage, and everybody sees everybody move.
    for page, name in ((mia, "Mia"), (jonas, "Jonas")):
        approves(seller, name)
        if name == "Mia":
            expect(mia.locator("#backstage")).to_be_visible(timeout=5_000)
            mia.wait_for_timeout(600)
            screenshot(mia, "room-backstage")
        goes_on(page)
    ids = {"mia": user_id(mia), "jonas": user_id(jonas)}
    everybody = {host, *ids.values()}
    for page in (viewer, mia, jonas, seller):
        pictures_move(page, everybody)
    screenshot(viewer, "room-stage-3")
    screenshot(mia, "room-on-stage")
    screenshot(seller, "studio-stage")

    # A mute by the host takes effect for everybody; the person may undo it.
    assert is_heard(viewer, ids["mia"])
    acts(seller, ids["mia"], "stage.mute", "audio")
    for page in (viewer, jonas, mia):
        expect(tile_of(page, ids["mia"])).to_contain_class("muted", timeout=10_000)
    assert goes_quiet(viewer, ids["mia"])
    assert is_heard(viewer, ids["jonas"])
    expect(mia.locator("[data-own=audio]")).to_have_attribute("aria-pressed", "false")
    mia.click("[data-own=audio]")
    expect(tile_of(viewer, ids["mia"])).not_to_contain_class("muted", timeout=10_000)
    assert is_heard(viewer, ids["mia"], milliseconds=4000)

    # Up to co-host, who gets the people beside the chat, and down again.
    acts(seller, ids["jonas"], "stage.promote")
    expect(tile_of(viewer, ids["jonas"])).to_contain_text("Co-host", timeout=10_000)
    expect(jonas.locator("[data-tab=people]")).to_be_visible()
    acts(seller, ids["jonas"], "stage.demote")
    expect(tile_of(viewer, ids["jonas"])).not_to_contain_text("Co-host", timeout=10_000)
    expect(jonas.locator("[data-tab=people]")).to_be_hidden()

    # A reload returns to the same place, muted as before.
    jonas.click("[data-own=audio]")
    expect(tile_of(viewer, ids["jonas"])).to_contain_class("muted", timeout=10_000)
    jonas.reload()
    wait_until(jonas, "window.livestream?.stage?.sending === 'sending'", timeout=20)
    expect(jonas.locator("[data-own=audio]")).to_have_attribute("aria-pressed", "false")
    pictures_move(jonas, everybody)
    pictures_move(viewer, everybody)
    expect(tile_of(viewer, ids["jonas"])).to_contain_class("muted")

    # A kick ends video and audio at once, and the page says so; its speed is measured on a separate stage.
    acts(seller, ids["mia"], "stage.kick")
    seller.click("#out-dialog button[value=yes]")
    expect(tile_of(viewer, ids["mia"])).to_have_count(0, timeout=10_000)
    wait_until(mia, "window.livestream.player.pc === null && window.livestream.stage.sending === 'idle'", timeout=3)
    assert ids["mia"] not in str(product.media_rooms())
    expect(mia.locator("[data-player] [data-overlay]")).to_contain_text("removed from this show")
    screenshot(mia, "room-kicked")
    mia.reload()
    expect(mia.locator("h1")).to_have_text("You can’t open this page")

    # A guest confirms leaving, and keeps watching.
    jonas.click("[data-own=leave]")
    jonas.click("#leave-dialog button[value=yes]")
    for page in (viewer, jonas):
        pictures_move(page, {host})
    expect(jonas.locator("[data-ask-open]")).to_be_visible()

    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")
    for page in (viewer, jonas):
        expect(page.locator("[data-player] [data-overlay]")).to_contain_text("ended", timeout=5_000)
        assert page.inner_text("[data-chat] [data-link]") == "Closed"
        expect(page.locator("[data-player]")).not_to_contain_class("staged")
        expect(page.locator("[data-ask-open]")).to_be_hidden(timeout=1_000)
        assert tiles(page) == []
    screenshot(viewer, "room-stage-ended")
    assert people.complaints == []
