"""A waiting viewer sees the place in the queue change without any action."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, asks
from tests.e2e.test_pages import fits
from tests.e2e.test_show import live, open_room, show_made

pytestmark = pytest.mark.timeout(200)

Screenshot = Callable[[Page, str], None]


def test_the_second_in_line_reads_that_she_is_next(people: People, screenshot: Screenshot) -> None:
    seller, mia, yuki = people.signed_in("seller", **SMALL), people.newcomer("Mia"), people.newcomer("Yuki")
    show = show_made(seller, "One after the other")
    live(seller)
    for page in (mia, yuki):
        open_room(page, show)
        asks(page, "Please")
    bar = yuki.locator("[data-ask-bar]")
    expect(bar).to_contain_text("You’re number 2 in line")
    screenshot(yuki, "room-second")

    mia.click("[data-ask=cancel]")

    expect(bar).to_contain_text("You’re next in line")
    screenshot(yuki, "room-next")
    fits(yuki)
    assert people.complaints == []
