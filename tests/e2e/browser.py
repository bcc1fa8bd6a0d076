"""How a real Chromium with a fake camera is started."""

import shutil
from pathlib import Path

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
    """Where Chromium is installed."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)
