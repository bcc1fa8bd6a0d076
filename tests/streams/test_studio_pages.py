"""The studio's list of a person's own shows: its order, where each entry leads, and the confirmation of a schedule."""

import re
from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from tests.cast import make_show

HOUR = timedelta(hours=1)
INITIALIZING = "initializing"


def list_of(page: str) -> list[str]:
    return re.findall(r"<h3><bdi>([^<]+)</bdi></h3>", page)


def test_own_shows_are_listed_live_scheduled_drafts_ended(client, ada, ben):
    now = timezone.now()
    make_show(ada, title="Later", state=INITIALIZING, scheduled_for=now + 3 * HOUR)
    make_show(ada, title="On air", state="active", started_at=now - HOUR)
    make_show(ada, title="Draft", state=INITIALIZING)
    make_show(ada, title="Ended today", state="ended", started_at=now - 2 * HOUR, ended_at=now - HOUR)
    make_show(ada, title="Ended before", state="ended", started_at=now - 9 * HOUR, ended_at=now - 8 * HOUR)
    make_show(ada, title="Sooner", state=INITIALIZING, scheduled_for=now + HOUR)
    make_show(ben, title="Not hers")
    client.force_login(ada)

    page = client.get(reverse("studio")).content.decode()

    assert list_of(page) == ["On air", "Sooner", "Later", "Draft", "Ended today", "Ended before"]


def test_an_ended_show_leads_to_its_summary(client, ada):
    now = timezone.now()
    show = make_show(ada, state="ended", started_at=now - HOUR, ended_at=now)
    client.force_login(ada)

    page = client.get(reverse("studio")).content.decode()

    summary = reverse("desk", args=[show.pk])
    assert f'href="{summary}">Summary</a>' in page
    assert "data-sum=" in client.get(summary).content.decode()


def test_a_schedule_is_confirmed_with_the_link_to_its_host_alone(client, ada, ben):
    show = make_show(ada, title="Lamps", state=INITIALIZING, scheduled_for=timezone.now() + HOUR)
    address = f"{reverse('studio')}?scheduled={show.pk}"
    client.force_login(ada)
    assert f'value="http://testserver{reverse("room", args=[show.pk])}"' in client.get(address).content.decode()

    client.force_login(ben)
    assert "Lamps" not in client.get(address).content.decode()
