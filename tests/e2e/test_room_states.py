"""What the room says when there is no moving picture: each state has words, and none is a black box."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import People, csrf_token
from tests.e2e.test_room_chat import Crowd
from tests.e2e.test_show import live, show_made, wait_until

pytestmark = pytest.mark.timeout(180)


class Answers:
    """Changes what the media node promises of the video, in its answers to a page."""

    def __init__(self, page: Page, how: str) -> None:
        self.how = how
        self.given = 0
        page.route(re.compile("/whep/[^/]+$"), self._between)

    def _between(self, route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        answer = route.fetch()
        head, video = answer.text().split("m=video", 1)
        self.given += 1
        if self.how == "unplayable":
            number = re.search(r"a=mid:(\S+)", video)
            assert number
            head = re.sub(rf"(a=group:BUNDLE.*) {number[1]}\b", r"\1", head)
            video = re.sub(r"^ \d+", " 0", video)
        else:
            video = video.replace("a=sendonly", "a=inactive")
        route.fulfill(response=answer, body=f"{head}m=video{video}")


def state(page: Page, name: str) -> Any:
    """Wait until the player is in a state; return the overlay that explains it."""
    wait_until(page, f"document.querySelector('[data-player]').dataset.state === '{name}'")
    return page.locator("[data-player] .overlay")


def test_a_room_without_a_picture_says_why(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.signed_in("buyer")
    show = show_made(seller, "No picture")
    live(seller)
    room, answers = Crowd(buyer), Answers(buyer, "unplayable")
    buyer.goto(f"/live/{show}/")

    # No codec in common: it is said at once, and nobody connects again because of it.
    expect(state(buyer, "unsupported")).to_contain_text("This browser can’t show the video")
    chip = buyer.locator("[data-host-muted]")
    expect(chip).to_be_hidden()
    seller.click("[data-switch=microphone]")
    expect(chip).to_be_visible()
    seller.click("[data-switch=microphone]")
    expect(chip).to_be_hidden()
    assert answers.given == 1

    # The host is lost: LIVE is grey, and the time that is left is counted.
    until = (datetime.now(UTC) + timedelta(seconds=290)).isoformat()
    room.tells("host.lost", {"until": until})
    lost = state(buyer, "host-lost")
    expect(lost).to_contain_text("connection dropped")
    expect(lost.locator(".countdown")).to_contain_text(re.compile(r"4:\d\d"))
    expect(buyer.locator("[data-fact=badge]")).to_contain_class("off")
    room.tells("host.back", {})
    state(buyer, "unsupported")

    answers.how = "none"
    buyer.reload()
    expect(state(buyer, "sound-only")).to_contain_text("is live without video")
    assert buyer.evaluate("document.querySelector('[data-player] video').srcObject.getAudioTracks().length") == 1

    # Removed: words and a way on, and no numbers of those who stay.
    room.closes(4403, "session.kicked")
    removed = state(buyer, "barred")
    expect(removed).to_contain_text("You were removed from this show")
    expect(removed.get_by_role("link", name="See other shows")).to_be_visible()
    expect(buyer.locator(".hud")).to_be_hidden()
    assert people.complaints == []


def test_a_planned_show_counts_the_time_to_its_start(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    request = seller.context.request
    token = csrf_token(request.get("/studio/").text())
    body = {"title": "Later", "scheduled_for": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}
    made = request.post("/api/v1/sessions/", data=body, headers={"X-CSRFToken": token})
    assert made.status == 201, made.text()
    buyer.goto(f"/live/{json.loads(made.text())['id']}/")

    waiting = state(buyer, "initializing")
    expect(waiting).to_contain_text("Waiting for")
    expect(waiting.locator(".countdown")).to_contain_text(re.compile(r"Starts in 1:59:\d\d"))
    assert people.complaints == []
