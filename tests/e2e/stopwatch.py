"""Times of events in the pages themselves: clicks, the last frame, the last packet, a disappearing tile.

All windows run on one machine, so their clocks, in milliseconds since 1970, are one clock.
"""

from playwright.sync_api import Page

_CLICK = """(selector) => {
    const button = document.querySelector(selector);
    const note = () => { window.clickedAt = performance.timeOrigin + performance.now(); };
    button.addEventListener("click", note, { once: true, capture: true });
}"""
# Frames by their drawing, packets by the receiver's own time of the last one, polled thirty times a second.
_RECEIVING = """(user) => {
    const now = () => performance.timeOrigin + performance.now();
    const marks = window.marks = { tileGone: null, lastFrame: null, lastPacket: null };
    const tile = document.querySelector(`[data-stage] .tile[data-user="${user}"]`);
    new MutationObserver(() => { if (!tile.isConnected) marks.tileGone ??= now(); })
        .observe(document.querySelector("[data-stage]"), { childList: true });
    const video = tile.querySelector("video");
    const drawn = () => { marks.lastFrame = now(); video.requestVideoFrameCallback(drawn); };
    video.requestVideoFrameCallback(drawn);
    const { pc } = window.livestream.player;
    const { mid } = window.livestream.stage.seats.find((seat) => seat.user === user);
    const look = async () => {
        if (pc.connectionState === "closed") return;
        (await pc.getStats()).forEach((item) => {
            if (item.type === "inbound-rtp" && item.mid === mid) marks.lastPacket = item.lastPacketReceivedTimestamp;
        });
        setTimeout(look, 33);
    };
    look();
}"""


def watch_click(page: Page, selector: str) -> None:
    """Record the click of a button."""
    page.evaluate(_CLICK, selector)


def watch_picture(page: Page, user: str) -> None:
    """Record the last frame and packet of a person's video, and the removal of the tile."""
    page.evaluate(_RECEIVING, user)


def clicked_at(page: Page) -> float:
    """Return the time of the click, in milliseconds since 1970."""
    found: float = page.evaluate("window.clickedAt")
    return found


def marks(page: Page) -> dict[str, float | None]:
    """Return the records of watch_picture()."""
    found: dict[str, float | None] = page.evaluate("window.marks")
    return found
