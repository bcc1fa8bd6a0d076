"""Text of people: links, right-to-left text, drafts that survive a reload; and the summary of a show at its end."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import People
from tests.e2e.test_show import live, say, show_made

pytestmark = pytest.mark.timeout(180)

HREFS = """async (texts) => {
    const { linkParts } = await import(document.querySelector('link[href*="/links."]').href);
    return texts.map((text) => linkParts(text).filter((part) => part.href).map((part) => part.href));
}"""
SAME = """async (texts) => {
    const { linkParts } = await import(document.querySelector('link[href*="/links."]').href);
    return texts.map((text) => linkParts(text).map((part) => part.text).join(""));
}"""
LINKS: list[tuple[str, list[str]]] = [
    ("see https://example.com/a?b=1#c.", ["https://example.com/a?b=1#c"]),
    ("(http://example.com/wiki/Glaze_(craft))", ["http://example.com/wiki/Glaze_(craft)"]),
    ("https://a.example and https://b.example, both!", ["https://a.example/", "https://b.example/"]),
    ("javascript:alert(1) data:text/html,x ftp://example.com", []),
    ("https://bank.example@evil.example/", []),
    ("https://", []),
    ('https://example.com/"onmouseover="alert(1)', ["https://example.com/"]),
    ("no link at all", []),
]


def test_links_are_found_exactly_and_never_dangerous(people: People) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "Links")
    seller.goto(f"/live/{show}/")

    texts = [text for text, _ in LINKS]
    assert seller.evaluate(HREFS, texts) == [hrefs for _, hrefs in LINKS]
    assert seller.evaluate(SAME, texts) == texts


def test_words_links_and_drafts_and_the_sum_at_the_end(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Words")
    live(seller)
    buyer.goto(f"/live/{show}/")
    buyer.wait_for_selector("[data-link=open]")

    say(buyer, "Look: https://example.com/lamp <b>bold</b>")
    say(seller, "שלום לכולם")

    link = seller.locator("[data-messages] a")
    expect(link).to_have_attribute("href", "https://example.com/lamp")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow ugc")
    expect(seller.locator("[data-messages]")).to_contain_text("<b>bold</b>")
    hebrew = buyer.locator("[data-messages] .text", has_text="שלום")
    expect(hebrew).to_be_visible()
    assert hebrew.evaluate("(node) => getComputedStyle(node).direction") == "rtl"

    # Enter that only accepts a word from an input method sends nothing.
    buyer.fill("#chat-text", "かな")
    buyer.locator("#chat-text").dispatch_event("keydown", {"key": "Enter", "keyCode": 229})
    expect(buyer.locator("#chat-text")).to_have_value("かな")

    # Unsent text comes back after a reload, and is gone once it is sent.
    buyer.fill("#chat-text", "How much is the")
    buyer.reload()
    expect(buyer.locator("#chat-text")).to_have_value("How much is the")
    buyer.wait_for_selector("[data-link=open]")
    buyer.press("#chat-text", "Enter")
    expect(seller.locator("[data-messages]")).to_contain_text("How much is the")
    buyer.reload()
    buyer.wait_for_selector("[data-link=open]")
    expect(buyer.locator("#chat-text")).to_have_value("")

    seller.click("[data-do=end]")
    seller.click("#end-dialog button[value=yes]")
    expect(seller.locator("[data-sum=messages]")).to_have_text("3")
    expect(seller.locator("[data-sum=total]")).to_have_text("1")
    expect(seller.locator("#encoder")).to_be_hidden()

    assert people.complaints == []
