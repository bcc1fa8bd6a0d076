"""Home leads with what is live, and says once that nothing is."""

import pytest
from django.test import Client

from streams.models import StreamSession
from streams.state import SessionState
from tests.cast import make_show, make_user

pytestmark = pytest.mark.django_db


def page(client: Client | None = None) -> str:
    return (client or Client()).get("/").content.decode()


def test_a_live_show_comes_before_the_pitch_and_going_live_is_quiet() -> None:
    show = make_show(make_user())
    StreamSession.objects.filter(pk=show.pk).update(state=SessionState.ACTIVE)

    found = page()

    assert found.index(f'/live/{show.pk}/"') < found.index('class="claim"')
    assert '<h1 id="live-title">Live now</h1>' in found and found.count("<h1") == 1
    assert 'class="btn quiet big" href="/studio/"' in found


def test_an_empty_place_says_so_once_and_offers_to_go_live() -> None:
    found = page()

    assert found.index('class="claim"') < found.index('id="live-title"') and found.count("<h1") == 1
    assert found.count('class="empty"') == 1
    assert 'class="btn primary big" href="/studio/"' in found


def test_somebody_who_is_logged_in_gets_no_pitch(ada) -> None:
    client = Client()
    client.force_login(ada)

    assert 'class="claim"' not in page(client) and page(client).count("<h1") == 1
