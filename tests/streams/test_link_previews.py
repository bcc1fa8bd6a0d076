"""What other sites and messengers show of a link to a show."""

from html.parser import HTMLParser

import pytest
from django.test import Client

from streams.models import StreamSession
from tests.cast import make_show, make_user

pytestmark = pytest.mark.django_db


class Metas(HTMLParser):
    """The meta elements of a page, by their name or property."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        name = said.get("property") or said.get("name")
        if tag == "meta" and name:
            self.found[name] = said.get("content") or ""


def preview(show: StreamSession) -> dict[str, str]:
    return Metas(Client().get(f"/live/{show.pk}/").content.decode()).found


def test_a_show_without_a_picture_has_a_whole_preview() -> None:
    show = make_show(make_user(display_name="Ada & Sons"))
    StreamSession.objects.filter(pk=show.pk).update(title="Lamps <3", description="", poster="")

    found = preview(show)

    assert found["og:title"] == "Lamps <3"
    assert found["og:description"] == "A live show by Ada & Sons. Watch and chat in your browser."
    assert found["og:url"] == f"http://testserver/live/{show.pk}/"
    assert found["og:image"] == "http://testserver/static/images/share.png"
    assert found["og:image:alt"] == "Lamps <3"
    assert found["twitter:card"] == "summary_large_image"
    assert Client().get("/static/images/share.png")["Content-Type"] == "image/png"


def test_a_show_is_previewed_with_its_own_words_and_picture_at_its_public_address(settings) -> None:
    settings.PUBLIC_URL = "https://shop.example"
    show = make_show(make_user())
    StreamSession.objects.filter(pk=show.pk).update(description="Long. " * 80, poster="posters/a/1234.jpg")

    found = preview(show)

    assert found["og:description"].startswith("Long. Long.") and len(found["og:description"]) == 180
    assert found["og:url"] == f"https://shop.example/live/{show.pk}/"
    assert found["og:image"] == f"https://shop.example/api/v1/sessions/{show.pk}/poster/?v=1234"
