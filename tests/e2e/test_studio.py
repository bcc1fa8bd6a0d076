"""The studio in a browser: scheduling, and the level of the microphone."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.e2e.browser import BARCODE, resize
from tests.e2e.conftest import People
from tests.e2e.stage_steps import SMALL, settings_changed, walks_on
from tests.e2e.test_room_chat import Crowd
from tests.e2e.test_show import live, moving_picture, open_room, show_made, wait_until

pytestmark = pytest.mark.timeout(180)

PROMPTS = """navigator.permissions.query = async () => ({ state: 'prompt' });"""
LEVEL = """([level, dir]) => {
    document.documentElement.dir = dir;
    document.querySelector('#copy')?.remove();
    const copy = document.querySelector('.meter').cloneNode(true);
    copy.id = 'copy';
    document.querySelector('.meter').after(copy);
    copy.querySelector('[data-meter-fill]').style.setProperty('--level', level);
}"""


def lit(png: bytes) -> list[str]:
    """Return the colour of the track at each of its columns: green, red or empty string."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    row = [image.getpixel((x, image.height // 2)) for x in range(image.width)]
    return ["red" if r > 200 and g < 100 else "green" if g > r + 60 else "" for r, g, _ in row]


def test_a_show_is_scheduled_and_a_whisper_is_never_red(people: People) -> None:
    seller = people.signed_in("seller")
    seller.goto("/studio/")
    seller.fill("[name=title]", "Lamps on Sunday")
    seller.check("#for-later")
    seller.fill("[name=scheduled_for]", "2099-05-03T19:00")
    seller.click("#new-show button[type=submit]")

    expect(seller.locator("#scheduled-title")).to_be_focused()
    expect(seller.locator("#scheduled-title")).to_contain_text("Lamps on Sunday is scheduled")
    link = seller.input_value("#scheduled-link")
    seller.click("[data-copy=scheduled-link]")
    assert seller.evaluate("navigator.clipboard.readText()") == link
    seller.reload()
    expect(seller.locator("h1")).to_be_visible()
    expect(seller.locator("#scheduled-title")).to_have_count(0)

    show_made(seller, "Whisper")
    track = seller.locator("#copy .track")
    for direction in ("ltr", "rtl"):
        seller.evaluate(LEVEL, [0.3, direction])
        whisper = lit(track.screenshot())
        seller.evaluate(LEVEL, [1, direction])
        loud = lit(track.screenshot())
        if direction == "rtl":
            whisper, loud = whisper[::-1], loud[::-1]
        assert "red" not in whisper
        assert 0.25 < whisper.count("green") / len(whisper) < 0.35
        assert loud.index("green") < 5 < len(loud) - loud[::-1].index("red")
        assert "red" in loud[-len(loud) // 8 :]
    assert people.complaints == []


def test_the_host_sees_their_own_show_as_viewers_do(people: People) -> None:
    seller = people.signed_in("seller")
    show = show_made(seller, "Looking in")
    live(seller)
    second = seller.context.new_page()

    open_room(second, show)

    moving_picture(second)
    expect(second.locator("[data-player]")).to_have_attribute("data-state", "playing")
    assert second.evaluate("document.querySelector('[data-player] video').muted")
    # Once there is a guest, they see themselves among the others.
    guest = people.newcomer("Mia", **SMALL)
    settings_changed(seller, show, require_approval=False)
    open_room(guest, show)
    walks_on(guest)
    expect(second.locator(".tile.on")).to_have_count(2)
    assert people.complaints == []


def test_a_host_who_comes_back_is_sent_again_and_a_lost_one_sees_the_time_that_is_left(people: People) -> None:
    seller, buyer = people.signed_in("seller"), people.window()
    show = show_made(seller, "Back again")
    live(seller)
    open_room(buyer, show)

    # A reload, and a second page: it leaves the first alone, and goes on when that is gone.
    seller.reload()
    wait_until(seller, "window.livestream?.publisher.state === 'sending'")
    second = seller.context.new_page()
    second.goto(f"/studio/{show}/")
    expect(second.locator("#banner")).to_contain_text("You’re live from another page")
    assert second.evaluate("window.livestream.publisher.state") == "idle"
    seller.goto("/studio/")
    wait_until(second, "window.livestream.publisher.state === 'sending'")
    expect(second.locator("#banner")).to_be_empty()
    moving_picture(buyer)
    second.close()

    # A camera that has to be turned on first is the only press.
    third = people.signed_in("seller", scripts=[BARCODE, PROMPTS])
    room = Crowd(third)
    third.goto(f"/studio/{show}/")
    expect(third.locator("[data-preview] .overlay")).to_contain_text("Viewers see you as soon as your camera is on")
    room.tells("host.lost", {"until": (datetime.now(UTC) + timedelta(seconds=290)).isoformat()})
    expect(third.locator("#banner .countdown")).to_have_text(re.compile(r"^Ends in 4:[345]\d unless you come back\.$"))
    third.click("[data-act=open-camera]")
    wait_until(third, "window.livestream.publisher.state === 'sending'")
    moving_picture(buyer)
    assert people.complaints == []


IN_VIEW = """(selector) => {
    const { left, top, right, bottom, width, height } = document.querySelector(selector).getBoundingClientRect();
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    return [inside, Boolean(seen?.closest(selector)), Math.min(width, height)];
}"""


def test_on_a_phone_the_host_on_air_has_everything_without_scrolling(people: People) -> None:
    seller = people.signed_in("seller", has_touch=True)
    resize(seller, 360, 740)
    room = Crowd(seller)
    show_made(seller, "From the pocket")
    assert seller.evaluate(IN_VIEW, "[data-do=live]") == [True, True, 56]
    live(seller)
    seller.wait_for_selector("[data-link=open]", state="attached")
    room.writes(*(f"Message {number}" for number in range(20)))
    expect(seller.locator("[data-messages] li").last).to_contain_text("Message 19")

    for width, height in ((360, 740), (320, 568), (740, 360)):
        resize(seller, width, height)
        preview = seller.locator("[data-preview]").bounding_box()
        assert preview == {"x": 0, "y": 0, "width": width, "height": height}
        for what in ("[data-switch=microphone]", "[data-switch=camera]", "[data-do=end]", "#chat-text"):
            inside, reached, size = seller.evaluate(IN_VIEW, what)
            assert (inside, reached, size >= 44) == (True, True, True), (what, width, height)
        expect(seller.locator("[data-messages] li").last).to_be_in_viewport(ratio=1)
        assert seller.evaluate("document.documentElement.scrollHeight <= innerHeight")

    seller.click("[data-switch=microphone]")
    expect(seller.locator("[data-sign]")).to_have_text("You’re muted")
    expect(seller).to_have_title(re.compile("^You’re muted"))
    seller.click("[data-switch=microphone]")
    expect(seller.locator("[data-sign]")).to_be_hidden()
    assert people.complaints == []
