"""A browser, a site with the product's player modules, and pages that record the players' events."""

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from livestream.sdk_install import SdkNotInstalled, install_sdk
from livestream.sdks import SDKS
from tests.e2e.browser import is_complaint
from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.players.site import Site, running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def real_sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real SDKs, as installed by `manage.py install_sdks`."""
    folder = tmp_path_factory.mktemp("sdk")
    for sdk in SDKS.values():
        try:
            install_sdk(sdk, lock=ROOT / "package-lock.json", folder=folder)
        except SdkNotInstalled as error:
            pytest.skip(f"the SDKs cannot be fetched here: {error}")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(Site({"/files/": tmp_path})) as site:
        yield site


@pytest.fixture
def people(browser: Browser, product: Product) -> Iterator[People]:
    """The windows of a test of whole shows; its file defines the product."""
    everybody = People(browser, product)
    yield everybody
    everybody.close()


class Visitor:
    """One page, and its errors."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page, self.site = page, site
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        if is_complaint(message):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def open(self, **sdks: str) -> "Visitor":
        """Open the test page with these SDKs."""
        self.page.goto(self.site.page(sdks))
        self.until("Boolean(window.harness?.stage)")
        return self

    def run(self, script: str, argument: Any = None) -> Any:
        """Return the value of a script."""
        return self.page.evaluate(script, argument)

    def until(self, expression: str, seconds: float = 10.0) -> None:
        """Wait for an expression to hold, without the eval that the page's policy forbids."""
        deadline = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            said = self.page.evaluate("JSON.stringify(window.said ?? null)")
            assert time.monotonic() < deadline, f"never came true: {expression}; said: {said}; {self.complaints}"
            self.page.wait_for_timeout(20)

    def said(self, kind: str) -> list[Any]:
        """Return the recorded events of one kind, in order."""
        return [detail for name, detail in self.page.evaluate("window.said") if name == kind]

    def states(self, kind: str = "state") -> list[str]:
        """Return the states in order; the same one with another reason counts once."""
        return [state for state, _ in groupby(detail["state"] for detail in self.said(kind))]


@pytest.fixture
def visitors(browser: Browser, site: Site) -> Iterator[Any]:
    contexts = []

    def visitor() -> Visitor:
        context = browser.new_context()
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visitor(context.new_page(), site)

    yield visitor
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(visitors: Any) -> Visitor:
    made: Visitor = visitors()
    return made


def descriptor(protocol: str, **more: Any) -> dict[str, Any]:
    """Return a join descriptor as from the API, valid for ten minutes."""
    can_publish = more.pop("can_publish", False)
    return {
        "provider": protocol,
        "protocol": protocol,
        "url": "",
        "token": "token-1",
        "uid": "7",
        "channel_id": "show-7",
        "privileges": {"can_publish": can_publish, "can_subscribe": True, "can_admin": False},
        "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + more.pop("seconds", 600))),
        "ice_servers": [],
        **more,
    }
