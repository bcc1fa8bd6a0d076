"""The chat for people who read back, who write much, and who use the keyboard alone."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.conftest import People
from tests.e2e.test_show import show_made, wait_until

pytestmark = pytest.mark.timeout(120)

DRAWN = "document.querySelectorAll('[data-messages] > li').length"
FOCUSED = "(selector) => document.activeElement?.matches(selector)"
# The line in the middle of the list: its key, and its distance from the top of the window.
LINE = """() => {
    const box = document.querySelector("[data-scroll]").getBoundingClientRect();
    const line = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2).closest(".msg");
    return [line.dataset.key, line.getBoundingClientRect().top];
}"""
TOP = """(key) => document.querySelector(`[data-key="${key}"]`)?.getBoundingClientRect().top"""


class Crowd:
    """Writes messages into a page by its own socket, as if many people wrote."""

    def __init__(self, page: Page) -> None:
        self._seq = 0
        self._socket: WebSocketRoute | None = None
        page.route_web_socket(re.compile("/ws/live/"), self._between)

    def _between(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.connect_to_server().on_message(lambda message: self._pass(socket, message))

    def _pass(self, socket: WebSocketRoute, message: str | bytes) -> None:
        for line in str(message).split("\n"):
            told = json.loads(line) if line else {}
            self._seq = max(self._seq, told.get("seq") or (told.get("data") or {}).get("seq") or 0)
        socket.send(message)

    def writes(self, *texts: str) -> None:
        """Send one message for each text, in one frame."""
        assert self._socket is not None
        self._socket.send("\n".join(json.dumps(self._event(text)) for text in texts))

    def tells(self, kind: str, data: dict[str, Any]) -> None:
        """Send an event of the room."""
        assert self._socket is not None
        self._seq += 1
        self._socket.send(json.dumps({"type": kind, "seq": self._seq, "ts": "2026-01-01T19:00:00Z", "data": data}))

    def closes(self, code: int, reason: str) -> None:
        """Close the socket, as the server would."""
        assert self._socket is not None
        self._socket.close(code=code, reason=reason)

    def _event(self, text: str) -> dict[str, Any]:
        self._seq += 1
        user = {"id": f"u{self._seq}", "username": "crowd", "display_name": "Crowd", "role": "viewer"}
        about = {"id": f"m{self._seq}", "seq": self._seq, "client_id": None, "reply_to": None, "removed": False}
        moment = "2026-01-01T19:00:00Z"
        data = {**about, "content": text, "message_type": "user_message", "user": user, "created_at": moment}
        return {"type": "chat.message", "seq": self._seq, "ts": moment, "data": data}


def test_long_messages_fold_and_a_reader_keeps_the_line_while_hundreds_come(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "Many people")
    crowd = Crowd(buyer)
    buyer.goto(f"/live/{show}/")
    buyer.wait_for_selector("[data-link=open]")

    crowd.writes("first\n\n \n\n\nsecond", "\n".join(f"line {number}" for number in range(12)))
    gap, long = (buyer.locator("[data-messages] .msg").nth(index) for index in (0, 1))
    assert gap.locator(".text").text_content() == "first\n\nsecond"
    lines = "(text) => Math.round(text.clientHeight / parseFloat(getComputedStyle(text).lineHeight))"
    assert long.locator(".text").evaluate(lines) == 8
    long.get_by_text("Show more").click()
    assert long.locator(".text").evaluate(lines) == 12

    crowd.writes(*(f"message {number}" for number in range(300)))
    expect(buyer.locator("[data-messages]")).to_contain_text("message 299")
    assert buyer.locator("[role=log] > ol > li").count() == 302
    expect(buyer.locator("[role=log]")).to_have_attribute("aria-live", "off")  # nobody can listen to so many
    buyer.locator("[data-scroll]").evaluate("(list) => { list.scrollTop = list.scrollHeight / 2; }")
    wait_until(buyer, "document.querySelector('[data-scroll]').scrollTop > 0")
    key, top = buyer.evaluate(LINE)
    for batch in range(5):
        crowd.writes(*(f"more {batch} {number}" for number in range(200)))
    expect(buyer.locator("[data-new]")).to_have_text("Jump to newest")
    wait_until(buyer, f"{DRAWN} === 500")
    assert buyer.evaluate(TOP, key) == pytest.approx(top, abs=1)

    buyer.click("[data-new]")
    expect(buyer.locator("[data-messages] > li").last).to_contain_text("more 4 199")
    expect(buyer.locator("[data-messages] > li").last).to_be_in_viewport()
    assert buyer.evaluate(DRAWN) <= 500
    assert people.complaints == []


def test_the_keyboard_reaches_the_field_in_three_steps_and_the_list_is_one_stop(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "By keyboard")
    crowd = Crowd(buyer)
    buyer.goto(f"/live/{show}/")
    buyer.wait_for_selector("[data-link=open]")
    crowd.writes(*(f"https://example.com/{number}" for number in range(20)))
    expect(buyer.locator("[data-messages] > li")).to_have_count(20)

    for key in ("Tab", "Tab", "Enter"):
        buyer.keyboard.press(key)
    assert buyer.evaluate(FOCUSED, "#chat-text")

    buyer.keyboard.press("Shift+Tab")
    assert buyer.evaluate(FOCUSED, "[data-scroll]")
    buyer.keyboard.press("ArrowUp")
    assert buyer.evaluate(FOCUSED, ".msg:last-child")
    buyer.keyboard.press("ArrowUp")
    assert buyer.evaluate(FOCUSED, ".msg:nth-last-child(2)")
    for stop in ("[href='https://example.com/18']", "[data-act=reply]", "#chat-text"):
        buyer.keyboard.press("Tab")
        assert buyer.evaluate(FOCUSED, stop), stop
    assert people.complaints == []
