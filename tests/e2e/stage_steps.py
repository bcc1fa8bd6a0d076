"""Actions on a stage, and the expected display of the pages, step by step."""

import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.browser import SMALL_CAMERA
from tests.e2e.test_show import wait_until

SMALL: dict[str, Any] = {"scripts": [SMALL_CAMERA]}

TILES = """() => [...document.querySelectorAll("[data-stage] .tile")].map((tile) => {
    const video = tile.querySelector("video");
    const small = document.createElement("canvas");
    small.width = 32; small.height = 18;
    const pen = small.getContext("2d", { willReadFrequently: true });
    pen.drawImage(video, 0, 0, 32, 18);
    const data = pen.getImageData(0, 0, 32, 18).data;
    let low = 255, high = 0, print = 0;
    const colour = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) {
        const light = (data[i] + data[i + 1] + data[i + 2]) / 3;
        for (let part = 0; part < 3; part += 1) colour[part] += data[i + part] / (data.length / 4);
        low = Math.min(low, light); high = Math.max(high, light);
        print = (print * 31 + data[i] * 3 + data[i + 1] * 5 + data[i + 2] * 7) % 1e9;
    }
    return { user: tile.dataset.user, source: tile.dataset.source, on: tile.classList.contains("on"),
             muted: tile.classList.contains("muted"), text: tile.querySelector(".tile-label").textContent,
             width: video.videoWidth, low, high, print, colour };
})"""

COME = """async ([show, names]) => {
    const send = (path, body, token) => fetch(`/api/v1/${path}`, {
        method: "POST", credentials: "omit", body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    });
    const answers = [];
    for (const display_name of names) {
        const username = `guest-${Math.random().toString(36).slice(2, 10)}`;
        const account = { username, display_name, password: `${username}-${username}-Pw` };
        const { access } = await (await send("auth/register/", account)).json();
        answers.push((await send(`sessions/${show}/guest-requests/`, {}, access)).status);
    }
    return answers;
}"""


def user_id(page: Page) -> str:
    """Return the user id of a page's person."""
    found: str = page.evaluate("document.body.dataset.user")
    return found


def tiles(page: Page) -> list[dict[str, Any]]:
    """Return the contents of the tiles."""
    found: list[dict[str, Any]] = page.evaluate(TILES)
    return found


def tile_of(page: Page, user: str, source: str = "camera") -> Any:
    """Return one tile."""
    return page.locator(f'[data-stage] .tile[data-user="{user}"][data-source="{source}"]')


def pictures_move(page: Page, users: set[str], *, seconds: float = 25.0) -> None:
    """Wait until each of these people has a tile whose video is decoded, not black, and changes."""
    deadline = time.monotonic() + seconds
    first: dict[str, int] = {}
    moving: set[str] = set()
    seen: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        seen = [tile for tile in tiles(page) if tile["source"] == "camera"]
        for tile in seen:
            if not tile["on"] or not tile["width"] or tile["high"] - tile["low"] < 60:
                continue
            if tile["print"] != first.setdefault(tile["user"], tile["print"]):
                moving.add(tile["user"])
        # A person who has just left may have been seen to move, too.
        if {tile["user"] for tile in seen} == users <= moving:
            return
        page.wait_for_timeout(300)
    told = page.evaluate("window.livestream.stage.received()")
    raise AssertionError(
        f"{page.url}: of {sorted(users)} only {sorted(moving)} move; tiles {seen}; the server says {told}"
    )


def asks(page: Page, words: str = "") -> None:
    """Have a viewer ask to join."""
    page.click("[data-ask-open]")
    if words:
        page.fill("#ask-message", words)
    page.click("#ask-dialog button[value=ask]")
    expect(page.locator("[data-ask-bar]")).to_contain_text("Request sent")


def approves(studio: Page, user: str) -> None:
    """Have a manager of the stage approve a person."""
    studio.click("[data-tab=people]")
    studio.click(f'[data-queue] li:has([data-answer=approve]):has-text("{user}") [data-answer=approve]')


def goes_on(page: Page) -> None:
    """Have an approved person check the camera and go on stage."""
    expect(page.locator("#backstage")).to_be_visible(timeout=5_000)
    wait_until(page, "document.querySelector('#backstage video').videoWidth > 0")
    page.click("#backstage button[value=go]")
    wait_until(page, "window.livestream.stage.sending === 'sending'", timeout=20)


def acts(studio: Page, user: str, op: str, kind: str | None = None) -> None:
    """Have a manager of the stage act on a person."""
    row = studio.locator(f'[data-staged] [data-user="{user}"]')
    if row.locator("[aria-expanded]").get_attribute("aria-expanded") == "false":
        row.locator("[aria-expanded]").click()
    selector = f'[data-op="{op}"]' + (f'[data-kind="{kind}"]' if kind else "")
    row.locator(selector).click()


def sound_energy(page: Page, user: str) -> float | None:
    """Return the energy of a person's audio so far, from the receiver; None while none arrives."""
    found: float | None = page.evaluate("(user) => window.livestream.stage.heard(user)", user)
    return found


def is_heard(page: Page, user: str, *, milliseconds: int = 2500) -> bool:
    """Whether any audio of a person arrives. The browser's fake microphone beeps once a second."""
    before = sound_energy(page, user) or 0.0
    page.wait_for_timeout(milliseconds)
    return (sound_energy(page, user) or 0.0) - before > 1e-6


def goes_quiet(page: Page, user: str, *, seconds: float = 8.0) -> bool:
    """Whether audio of a person has stopped. A browser lets the last audio fade for a second or so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_heard(page, user, milliseconds=1500):
            return True
    return False


def settings_changed(seller: Page, show: str, **settings: Any) -> None:
    """Have the host change the settings of the stage."""
    status = seller.evaluate(
        """async ([show, settings]) => (await fetch(`/api/v1/sessions/${show}/`, {
            method: "PATCH", headers: { "Content-Type": "application/json",
                "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content },
            body: JSON.stringify({ settings }) })).status""",
        [show, settings],
    )
    assert status == 200


def come(page: Page, show: str, names: list[str]) -> None:
    """Have people with new accounts take seats on a stage without approval; they send nothing."""
    assert page.evaluate(COME, [show, names]) == [201] * len(names)


def tab_to(page: Page, selector: str, *, most: int = 60) -> None:
    """Reach an element by the Tab key alone."""
    for _ in range(most):
        if page.evaluate("(selector) => Boolean(document.activeElement?.matches(selector))", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by {most} presses of Tab")


def walks_on(page: Page) -> None:
    """Have a viewer join a stage without approval."""
    page.click("[data-ask-open]")
    goes_on(page)
