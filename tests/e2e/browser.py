"""Starting a real Chromium with a fake camera."""

import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=device-count=2",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
SMALL_CAMERA = (Path(__file__).parent / "small_camera.js").read_text()
BARCODE = (Path(__file__).parent / "barcode.js").read_text()


def chromium_path() -> str | None:
    """Return the path of Chromium."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


REFUSED = re.compile(r"status of (401|403|404|409|429|503)")
OWN_FILE = re.compile(r"https?://[^/]+/(static|pages|standins)/")


def is_complaint(message: Any) -> bool:
    """Whether a console message is an error of ours: a refusal by an API is none, a missing file is one."""
    if message.type != "error":
        return False
    return not REFUSED.search(message.text) or OWN_FILE.match(message.location["url"]) is not None


LAID_OUT = """async ([width, height]) => {
  const frame = () => new Promise(requestAnimationFrame);
  do await frame(); while (innerWidth !== width || innerHeight !== height);
  await frame();
}"""


def resize(page: Page, width: int, height: int) -> None:
    """Resize a window, and wait until its page is laid out for it."""
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(LAID_OUT, [width, height])
