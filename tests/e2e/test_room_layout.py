"""Where the parts of a live room lie, at the sizes of phones, of what a keyboard leaves, of tablets and desktops."""

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import resize
from tests.e2e.conftest import People
from tests.e2e.test_room_chat import Crowd
from tests.e2e.test_show import live, open_room, show_made, wait_until

pytestmark = pytest.mark.timeout(180)

UPRIGHT_CAMERA = (Path(__file__).parent / "upright_camera.js").read_text()
SHAPE = "document.querySelector('[data-player]').dataset.shape"
# Controls that are seen but too small for a finger. Those inside a line of text are as high as the line.
SMALL = """() => [...document.querySelectorAll("button, a[href], textarea, input, [role=tab]")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((one) => !one.closest(".site-header, .skip, .msg .text, .quote, .chat-speech"))
    .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
    .filter(([, { width, height, top }]) => top >= 0 && (width < 43.9 || height < 43.9))"""

# The least contrast of a colour with any pixel of a screenshot.
CONTRAST = """async ([picture, colour]) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, image.width, image.height);
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const light = (r, g, b) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    let most = 0;
    for (let i = 0; i < data.length; i += 4) most = Math.max(most, light(data[i], data[i + 1], data[i + 2]));
    return (light(...colour) + 0.05) / (most + 0.05);
}"""
WHITE, NAME, FADE = (255, 255, 255), (255, 224, 163), 34


def contrast(page: Page, selector: str, colour: tuple[int, int, int], *, top: int = 0) -> float:
    """Return the least contrast of a colour with what is behind the text of an element."""
    area = box(page, selector)
    page.locator(selector).evaluate("(one) => { one.style.opacity = 0; }")
    clip = {"x": area["x"], "y": area["y"] + top, "width": area["width"], "height": area["height"] - top}
    picture = base64.b64encode(page.screenshot(clip=clip)).decode()  # type: ignore[arg-type]
    page.locator(selector).evaluate("(one) => { one.style.opacity = ''; }")
    blank = page.context.new_page()
    least: float = blank.evaluate(CONTRAST, [picture, colour])
    blank.close()
    return least


def sized(page: Page, width: int, height: int) -> None:
    """Resize the window, and wait until the page has noticed."""
    resize(page, width, height)
    wait_until(page, f"getComputedStyle(document.querySelector('.room')).getPropertyValue('--seen') === '{height}px'")


def box(page: Page, selector: str) -> Any:
    """Return where an element is, in pixels of the window."""
    return page.locator(selector).evaluate("(one) => one.getBoundingClientRect().toJSON()")


def stands(page: Page, width: int, height: int) -> None:
    """Assert what holds at every size: nothing scrolls but the chat, the field is whole, and no control is small."""
    whole = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight].join()"
    wait_until(page, f"{whole} === '{width},{height}'")
    field = box(page, "#chat-text")
    assert field["left"] >= 0
    assert field["right"] <= width
    assert field["bottom"] <= height
    small = page.evaluate(SMALL)
    assert small == [], (width, small)


def test_an_upright_picture_fills_a_phone_and_the_rest_lies_on_it(people: People) -> None:
    seller = people.signed_in("seller", scripts=[UPRIGHT_CAMERA])
    buyer = people.signed_in("buyer", has_touch=True)
    show = show_made(seller, "Autumn glazes, straight from the kiln")
    live(seller)
    crowd = Crowd(buyer)
    resize(buyer, 360, 740)
    open_room(buyer, show)
    buyer.wait_for_selector("[data-link=open]", state="attached")
    crowd.writes(*(f"Is number {number} still there?" for number in range(30)))
    expect(buyer.locator("[data-messages] > li")).to_have_count(30)
    wait_until(buyer, f"{SHAPE} === 'upright'")

    on_a_phone(buyer)
    with_a_keyboard(buyer)
    on_a_small_phone(buyer)
    sideways(buyer)
    for width, height in ((768, 1024), (1280, 800), (1920, 1080)):
        sized(buyer, width, height)
        stands(buyer, width, height)
        if width > 960:
            on_a_desktop(buyer, height)

    # The host turns the camera: 16:9 stands on top, above the chat, and loses nothing.
    sized(buyer, 360, 740)
    seller.evaluate("Object.assign(window.camera, { width: 640, height: 360 })")
    wait_until(buyer, f"{SHAPE} === 'wide'")
    picture, chat = box(buyer, "[data-player] > video"), box(buyer, ".chat-body")
    assert (picture["left"], picture["width"]) == (0, 360)
    assert picture["height"] == pytest.approx(360 * 9 / 16, abs=1)
    assert picture["bottom"] < 740 / 2 < chat["top"] + chat["height"] / 2
    assert chat["top"] > picture["bottom"]
    assert people.complaints == []


def on_a_phone(page: Page) -> None:
    sized(page, 360, 740)
    stands(page, 360, 740)
    picture = box(page, "[data-player] > video")
    assert picture["width"] * picture["height"] >= 0.95 * 360 * 740
    assert page.locator("[data-player] > video").evaluate("(video) => getComputedStyle(video).objectFit") == "cover"
    expect(page.locator(".site-header")).to_be_hidden()
    chat, rail = box(page, ".chat-body"), box(page, ".about .actions")
    assert chat["top"] > 740 / 2
    assert chat["right"] <= rail["left"]
    assert rail["bottom"] <= box(page, "#chat-text")["top"]

    # Text is read on a white picture, too; only the line that fades out above the chat is not.
    assert contrast(page, ".chat-body", NAME, top=FADE) >= 4.5
    assert contrast(page, ".about h1", WHITE) >= 4.5

    # A place for what is on offer, between the chat and the field; empty it is not there.
    assert box(page, "[data-offer]")["height"] == 0
    page.evaluate("document.querySelector('[data-offer]').append(document.createElement('button'), 'Vase')")
    offer = box(page, "[data-offer]")
    assert offer["height"] > 0
    assert box(page, ".chat-body")["bottom"] <= offer["top"]
    assert offer["bottom"] <= box(page, "#chat-text")["top"]
    page.evaluate("document.querySelector('[data-offer]').replaceChildren()")

    # A notice lies above the field.
    page.click(".actions [data-share]")
    toast = box(page, "#toasts .toast")
    assert 740 / 2 < toast["top"] < toast["bottom"] <= box(page, "#chat-text")["top"]

    # The whole chat, in a sheet of three heights.
    page.click("[data-sheet-grip]")
    for key, share in ((None, 0.7), ("ArrowUp", 1), ("ArrowDown", 0.7), ("ArrowDown", 0.4)):
        if key:
            page.locator("[data-sheet-grip]").press(key)
        sheet = box(page, ".side")
        assert sheet["height"] == pytest.approx(share * 740, abs=1)
        assert sheet["bottom"] == 740
    page.click("[data-sheet-close]")
    expect(page.locator("[data-sheet-grip]")).to_have_attribute("aria-expanded", "false")


def with_a_keyboard(page: Page) -> None:
    sized(page, 360, 380)
    page.locator("[data-messages] .msg").last.tap()
    page.locator("[data-messages] .msg").last.locator("[data-act=reply]").tap()
    page.fill("#chat-text", "How much is shipping?")
    stands(page, 360, 380)
    chat, quote, field = box(page, ".chat-body"), box(page, "[data-replying]"), box(page, "#chat-text")
    assert chat["height"] >= 140
    assert chat["top"] >= box(page, ".hud")["bottom"]
    assert chat["bottom"] <= quote["top"] < quote["bottom"] <= field["top"]
    expect(page.locator("[data-messages] .msg").last).to_be_in_viewport()
    page.fill("#chat-text", "")
    page.click("[data-cancel-reply]")
    page.evaluate("document.activeElement.blur()")


def on_a_small_phone(page: Page) -> None:
    sized(page, 320, 480)
    stands(page, 320, 480)
    assert box(page, ".chat-body")["height"] >= 3 * 23
    page.click("[data-more-open]")
    page.click("[data-more=quality]")
    for name in ("auto", "high", "medium", "low"):
        choice = box(page, f"[data-choice={name}]")
        assert 0 <= choice["top"] < choice["bottom"] <= 480
        page.locator(f"[data-choice={name}]").click(trial=True)
    page.click("[data-choice=auto]")


def sideways(page: Page) -> None:
    sized(page, 740, 360)
    stands(page, 740, 360)
    expect(page.locator(".site-header")).to_be_hidden()
    assert box(page, "[data-player]")["height"] == 360
    assert box(page, ".chat-body")["left"] >= box(page, "[data-player] > video")["right"]
    page.click("[data-sheet-grip]")
    expect(page.locator(".chat-body")).to_be_hidden()
    page.click("[data-sheet-grip]")
    expect(page.locator(".chat-body")).to_be_visible()


def on_a_desktop(page: Page, height: int) -> None:
    """Assert that an upright picture keeps its form from top to bottom, and leaves the rest to the chat."""
    # Units of the window's height may follow a frame later than the window.
    wait_until(page, f"document.querySelector('[data-player]').offsetHeight >= {0.85 * height}")
    picture, chat = box(page, "[data-player]"), box(page, "[data-chat]")
    assert picture["width"] / picture["height"] == pytest.approx(9 / 16, abs=0.01)
    assert chat["width"] > 600
    assert chat["left"] >= picture["right"]
    assert box(page, "[data-offer]")["height"] == 0
