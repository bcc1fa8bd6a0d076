"""A running product and a real browser with a fake camera."""

import os
import re
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests import NIGHTLY
from tests.e2e.browser import BARCODE, is_complaint, resize
from tests.e2e.product import ROOT, Product

ARTEFACTS = ROOT / "test-artifacts" / "screenshots"
SCREENSHOTS = NIGHTLY or os.environ.get("SCREENSHOTS") == "1"
SIZES = {"360": (360, 740), "1280": (1280, 800)}
# Tests wait for a state. Only those of the lane alone ask for a speed, by a timeout of their own.
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("product"))
    yield running
    running.stop()


def csrf_token(html: str) -> str:
    """Return the token in the form, or in the head, of a page."""
    found = re.search(r'name="csrf(?:middlewaretoken" value|-token" content)="([^"]+)"', html)
    assert found, html
    return found[1]


class People:
    """Opens a separate window for each person, and records the errors of their pages."""

    def __init__(self, browser: Browser, product: Product) -> None:
        self._browser, self._product = browser, product
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def window(self, **options: Any) -> Page:
        """Open a window of an anonymous viewer."""
        scripts = options.pop("scripts", [BARCODE])
        permissions = options.pop("permissions", ["camera", "microphone", "clipboard-read", "clipboard-write"])
        context = self._browser.new_context(
            base_url=self._product.url,
            permissions=permissions,
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",  # a pulsing badge is drawn sixty times a second, by the processor
            **options,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        for script in scripts:
            context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._heard(page, message))
        return page

    def _heard(self, page: Page, message: Any) -> None:
        if is_complaint(message):
            self.complaints.append(f"{page.url}: {message.text} ({message.location['url']})")

    def signed_in(self, username: str, **options: Any) -> Page:
        """Open a window of one of the demo people, logged in."""
        return self._entered("/accounts/login/", {"username": username, "password": "demo"}, options)

    def newcomer(self, display_name: str, **options: Any) -> Page:
        """Open a window of a person with a new account, logged in."""
        username = f"{display_name.lower()}-{secrets.token_hex(3)}"
        form = {"username": username, "display_name": display_name, "password": secrets.token_urlsafe(12)}
        return self._entered("/accounts/signup/", form, options)

    def _entered(self, path: str, form: dict[str, str], options: dict[str, Any]) -> Page:
        """Open a window with cookies from posting the form of an account page, without loading the page."""
        page = self.window(**options)
        request = page.context.request
        token = csrf_token(request.get(path).text())
        answer = request.post(
            path,
            form={**form, "csrfmiddlewaretoken": token},
            headers={"Referer": self._product.url + path},
            max_redirects=0,
        )
        assert answer.status == 302, answer.text()
        return page

    def photograph(self, name: str) -> None:
        """Take a screenshot of every window."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        for index, page in enumerate(page for context in self._contexts for page in context.pages):
            with suppress(Error):
                page.screenshot(path=ARTEFACTS / f"failed-{name}-{index}.png", timeout=5_000)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep screenshots of the windows of a failed test."""
    report = yield
    everybody = getattr(item, "funcargs", {}).get("people")
    if report.when == "call" and report.failed and everybody is not None:
        everybody.photograph(item.name)
    return report


@pytest.fixture
def people(browser: Browser, product: Product) -> Iterator[People]:
    everybody = People(browser, product)
    yield everybody
    everybody.close()


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    """Keep a screenshot of a page at both sizes as a test artefact: at night, and with SCREENSHOTS=1."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        if not SCREENSHOTS:
            return
        before = page.viewport_size
        for label, (width, height) in SIZES.items():
            resize(page, width, height)
            page.wait_for_timeout(250)
            page.screenshot(path=ARTEFACTS / f"{name}-{label}.png")
        if before:
            page.set_viewport_size(before)

    return take
