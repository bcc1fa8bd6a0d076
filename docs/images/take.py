"""Take the README's pictures from a running product: `python docs/images/take.py http://localhost:8000`.

The product must run in the demonstration mode (`make run`). What the camera would show is painted by scene.js.
"""

import io
import json
import secrets
import sys
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
SCENE = (HERE / "scene.js").read_text()
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
VIEW = {"width": 1360, "height": 820}
COLOURS = 256
DEMO_PASSWORD = "demo"  # noqa: S105 - printed by `make run`
AUDIENCE = ["Nora", "Jonas", "Yuki", "Amara", "Theo", "Lina"]
TALK = [
    ("Bea", "Good evening from Porto!"),
    ("Nora", "Finally, the autumn glazes 😍"),
    ("Jonas", "How big is the blue one?"),
    ("Sam", "32 cm, and it holds water. Branches are not included 🙂"),
    ("Yuki", "Is the wide bowl safe for the oven?"),
    ("Sam", "Up to 220 °C. Put it in cold and let them warm up together."),
    ("Amara", "Then I would like two of them, please"),
    ("Ben", "Sound and picture are great tonight"),
    ("Sam", "The green vase is next. Only one, it came out of the kiln this morning."),
]


class People:
    """The audience, over the API."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.tokens = {
            "Sam": self.post("auth/token/", username="seller", password=DEMO_PASSWORD)["access"],
            "Bea": self.post("auth/token/", username="buyer", password=DEMO_PASSWORD)["access"],
            "Ben": self.post("auth/token/", username="buyer2", password=DEMO_PASSWORD)["access"],
        }
        for name in AUDIENCE:
            account = {"username": f"{name.lower()}-{secrets.token_hex(3)}", "password": secrets.token_urlsafe(12)}
            self.tokens[name] = self.post("auth/register/", display_name=name, **account)["access"]

    def post(self, path: str, token: str = "", **body: Any) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(  # noqa: S310 - the caller's own server
            f"{self.base}/api/v1/{path}", data=json.dumps(body).encode(), headers=headers
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def talk(self, session: str) -> None:
        for name in [*AUDIENCE, "Ben"]:
            self.post(f"sessions/{session}/join/", self.tokens[name])
        for name, text in TALK:
            message = {"text": text, "client_id": secrets.token_hex(8)}
            self.post(f"sessions/{session}/messages/", self.tokens[name], **message)


def window(browser: Browser, base: str, person: str, theme: str) -> Page:
    """A window of one of the demo people."""
    context = browser.new_context(
        base_url=base, viewport=VIEW, permissions=["camera", "microphone"], color_scheme=theme
    )
    context.add_init_script(SCENE)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.click(f"[data-demo-person={person}]")
    page.wait_for_url(lambda url: "/accounts/login" not in url)
    return page


def keep(page: Page, name: str) -> None:
    """Save a picture of the page as a PNG with few colours, which is enough and small."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(4500)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=4, dither=Image.Dither.FLOYDSTEINBERG).save(
        HERE / f"{name}.png", optimize=True
    )


def main(base: str) -> None:
    people = People(base)
    show = people.post(
        "sessions/",
        people.tokens["Sam"],
        title="Autumn glazes, straight from the kiln",
        description="Vases, bowls and cups from this week's firing. Ask anything; everything on the table is for sale.",
    )["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        studio = window(browser, base, "seller", "light")
        studio.goto(f"/studio/{show}/")
        studio.click("[data-do=live]:not([disabled])")
        studio.wait_for_selector("[data-do=pause]:visible")
        room = window(browser, base, "buyer", "dark")
        room.goto(f"/live/{show}/")
        room.wait_for_timeout(2000)
        room.get_by_text("Tap for sound").click()
        people.talk(show)
        keep(room, "room")
        keep(studio, "studio")
        people.post(f"sessions/{show}/end/", people.tokens["Sam"])
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://localhost:8000")
