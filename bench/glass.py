"""`python -m bench.glass`: delay from the seller's camera to the buyers' screens, in real Chromium.

A seller goes live in the studio with video that carries the time as a barcode. Some viewers are browser windows, which
read it back from each presented frame; the others are synthetic and receive the same packets without decoding them,
since a dozen software decoders would need more cores than the product. All of it shares this machine.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.media.__main__ import child, token
from bench.report import machine, medians, print_table, write_json
from tests.e2e.browser import BARCODE, CHROMIUM_ARGUMENTS, chromium_path
from tests.e2e.product import MEDIA_SECRET, Product
from tests.e2e.test_show import live, open_room, show_made

WARM_UP_MS = 5_000
VIDEO = "document.querySelector('[data-player] video')"


def window(browser: Browser, product: Product, username: str = "") -> Page:
    """Open a separate window; logged in when a name is given."""
    context = browser.new_context(base_url=product.url, permissions=["camera", "microphone"])
    context.set_default_timeout(20_000)
    context.add_init_script(BARCODE)
    page = context.new_page()
    if username:
        page.goto("/accounts/login/")
        page.click(f"[data-demo-person={username}]")
        page.wait_for_url(lambda url: "/accounts/login" not in url)
    return page


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


@contextlib.contextmanager
def crowd(product: Product, show: str, *, size: int) -> Iterator[None]:
    """Run synthetic viewers of a show for the length of the block."""
    if not size:
        yield
        return
    with tempfile.NamedTemporaryFile("w") as tokens:
        tokens.write(
            "\n".join(token(MEDIA_SECRET, show, user=f"anon:{number}", role="subscriber") for number in range(size))
        )
        tokens.flush()
        url = f"http://127.0.0.1:{product.media_port}/whep/{show}"
        arguments = ["--url", url, "--tokens", tokens.name, "--seconds", "600", "--pid", str(product.process.pid)]
        with child("bench.media.load", *arguments):
            deadline = time.monotonic() + 20
            while product.media_rooms()[show]["subscribers"] < size:
                if time.monotonic() > deadline:
                    raise RuntimeError("the synthetic viewers could not connect")
                time.sleep(0.1)
            yield


def one_round(browser: Browser, product: Product, *, windows: int, viewers: int, seconds: float) -> dict[str, Any]:
    """Run one show: measure each window's time to the first frame, and the age of its frames."""
    seller = window(browser, product, "seller")
    show = show_made(seller, "Glass to glass")
    live(seller)
    with crowd(product, show, size=viewers - windows):
        watching = [window(browser, product) for _ in range(windows)]
        first_frames = [open_room(page, show) for page in watching]
        in_page = [page.evaluate("window.livestream.player.firstFrameMs") for page in watching]
        for page in watching:
            page.evaluate(f"window.watchGlass({VIDEO})")
        seller.wait_for_timeout(WARM_UP_MS)
        for page in watching:
            page.evaluate("window.glass.delays.length = 0")
        seller.wait_for_timeout(seconds * 1000)
        delays = [delay for page in watching for delay in page.evaluate("window.glass.delays")]
    for page in [*watching, seller]:
        page.context.close()
    return {
        "viewers": viewers,
        "browser_windows": windows,
        "frames": len(delays),
        "first_frame_median_ms": 1000 * statistics.median(first_frames),
        "first_frame_worst_ms": 1000 * max(first_frames),
        "first_frame_in_page_median_ms": statistics.median(in_page),
        "glass_p50_ms": percentile(delays, 0.5),
        "glass_p95_ms": percentile(delays, 0.95),
        "glass_max_ms": max(delays),
    }


def main() -> None:
    """Run the rounds and store the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--windows", type=int, default=1, help="how many of the viewers are browser windows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        try:
            rounds = [
                one_round(
                    browser,
                    product,
                    windows=min(arguments.windows, arguments.viewers),
                    viewers=arguments.viewers,
                    seconds=arguments.seconds,
                )
                for _ in range(arguments.rounds)
            ]
        finally:
            browser.close()
            product.stop()
    middle = medians(rounds)
    write_json({"machine": machine(["playwright"]), "rounds": rounds, "medians": middle}, name="glass")
    print_table(["", "median of the rounds"], [[name, f"{value:.0f}"] for name, value in middle.items()])


if __name__ == "__main__":
    main()
