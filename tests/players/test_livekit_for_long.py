"""LiveKit's own renewal: a viewer watches until their own token has long expired, is removed, and rejoins with the
token that the server issued meanwhile. A quarter of an hour; for the nightly run."""

import base64
import json
import time
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import People
from tests.e2e.product import Product
from tests.e2e.stage_steps import SMALL
from tests.e2e.test_show import live, show_made, wait_until
from tests.players.livekit_server import LiveKitServer
from tests.players.test_shows import FRAMES, RETURN, kicks, livekit, product, token_of  # noqa: F401

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1500)]

STAYS = RETURN.replace("window.thief = {", "window.thief = { token: () => room.engine.token,")


def claims(token: str) -> dict[str, Any]:
    """Return a token's claims."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def plays(page: Page) -> None:
    """Wait until a new frame comes, and more follow."""
    for more in (1, 10):
        wait_until(page, f"{FRAMES} > {page.evaluate(FRAMES) or 0} + {more}", 20)


def test_who_joins_again_with_a_token_of_the_servers_own_is_removed_again(
    people: People,
    product: Product,  # noqa: F811
    livekit: LiveKitServer,  # noqa: F811
) -> None:
    livekit.tell(f"{product.url}/webhooks/livekit/")
    seller, buyer, stranger = people.signed_in("seller", **SMALL), people.signed_in("buyer"), people.window()
    show = show_made(seller, "Somebody stays for long")
    live(seller)
    for page in (stranger, buyer):
        page.goto(f"/live/{show}/")
        plays(page)
    held = token_of(buyer, show)
    assert buyer.evaluate(STAYS, held) == "there"  # in place of the page, which reports that it plays elsewhere

    while time.time() < claims(held["token"])["exp"] + 60:
        buyer.wait_for_timeout(5_000)
        assert not buyer.evaluate("window.thief.gone"), "who is not removed stays"
    renewed = buyer.evaluate("window.thief.token()")
    assert claims(renewed)["exp"] > time.time() + 60
    plays(stranger)
    kicks(seller, buyer, show)
    wait_until(buyer, "window.thief.gone", 5)

    for _ in range(2):
        buyer.evaluate(RETURN, held | {"token": renewed})
        wait_until(buyer, "window.thief.gone", 10)
        plays(stranger)
