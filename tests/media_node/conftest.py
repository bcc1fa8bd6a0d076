"""Servers that several modules start."""

import pytest
from playwright.async_api import async_playwright

from tests.e2e.browser import CHROMIUM_ARGUMENTS, chromium_path
from tests.media_node.browsers import Browsers
from tests.media_node.show import running


@pytest.fixture
async def browsers():
    path = chromium_path()
    if path is None:
        pytest.skip("chromium is not installed")
    async with running() as show, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        try:
            yield Browsers(show, browser)
        finally:
            await browser.close()
