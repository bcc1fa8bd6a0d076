"""The host's media: seen, lost, back, and the media node's reports of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import SYSTEM, actor_of
from streams.payloads import host_present
from streams.selectors import session_get
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.provider.node_reconcile import media_reconcile
from streams.services.show.sessions import session_end
from tests.cast import make_show
from tests.streams.fake_node import FakeNode

SECOND = timedelta(seconds=1)


def present(session):
    return host_present(session_get(session.pk))


def test_a_host_who_is_seen_is_present_and_the_room_is_told_once(show, published):
    at = timezone.now()

    with published(show) as documents:
        host_seen(session_id=show.pk, at=at)
        host_seen(session_id=show.pk, at=at + SECOND)

    assert [document["type"] for document in documents] == ["host.back"]
    assert present(show)


def test_a_host_who_is_lost_is_absent_and_the_room_is_told_until_when(show, published):
    at = timezone.now()
    host_seen(session_id=show.pk, at=at)

    with published(show) as documents:
        host_lost(session_id=show.pk, at=at + SECOND)
        host_lost(session_id=show.pk, at=at + 2 * SECOND)

    until = (at + 301 * SECOND).isoformat().replace("+00:00", "Z")
    assert [(document["type"], document["data"]) for document in documents] == [("host.lost", {"until": until})]
    assert not present(show)


def test_a_host_who_never_came_cannot_be_lost(show, published):
    with published(show) as documents:
        host_lost(session_id=show.pk, at=timezone.now())

    assert documents == []


def test_news_in_the_wrong_order_end_in_the_right_state(show):
    at = timezone.now()
    host_seen(session_id=show.pk, at=at)
    host_seen(session_id=show.pk, at=at + 3 * SECOND)
    host_lost(session_id=show.pk, at=at - SECOND)

    assert present(show)


def test_a_loss_older_than_the_return_changes_nothing(show):
    at = timezone.now()
    host_seen(session_id=show.pk, at=at)
    host_lost(session_id=show.pk, at=at + SECOND)
    host_seen(session_id=show.pk, at=at + 3 * SECOND)
    host_lost(session_id=show.pk, at=at + 2 * SECOND)

    assert present(show)


def test_a_return_older_than_the_loss_changes_nothing(show, published):
    at = timezone.now()
    host_seen(session_id=show.pk, at=at)
    host_lost(session_id=show.pk, at=at + 2 * SECOND)

    with published(show) as documents:
        host_seen(session_id=show.pk, at=at + SECOND)

    assert documents == []
    assert not present(show)


def test_a_session_that_is_over_has_no_present_host(show):
    host_seen(session_id=show.pk, at=timezone.now())
    session_end(session_id=show.pk, actor=SYSTEM)

    host_seen(session_id=show.pk, at=timezone.now() + SECOND)

    assert not present(show)


def test_reconciling_notices_a_host_whose_report_got_lost(node, show, published):
    node.publishes(show)

    with published(show) as documents:
        media_reconcile(now=timezone.now())
        media_reconcile(now=timezone.now())

    assert [document["type"] for document in documents] == ["host.back"]
    assert present(show)


@pytest.mark.parametrize("how", ["gone", "not connected", "node is down", "node fails", "node talks nonsense"])
def test_reconciling_notices_a_host_who_is_gone(node, show, how):
    host_seen(session_id=show.pk, at=timezone.now() - SECOND)
    match how:
        case "not connected":
            node.publishes(show, connected=False)
        case "node is down":
            node.stop()
        case "node fails":
            node.status = 500
        case "node talks nonsense":
            node.text = "<html>"

    media_reconcile(now=timezone.now())

    assert not present(show)


def test_an_end_closes_the_room_at_the_node(node, show, ada):
    session_end(session_id=show.pk, actor=actor_of(ada))

    assert node.closed == [f"/rooms/{show.pk}"]


@pytest.mark.parametrize("others", ["with another show", "alone"])
def test_a_room_that_the_end_could_not_close_is_closed_later(settings, ada, others):
    show = make_show(ada, state="ended")
    if others != "alone":
        make_show(ada)
    fake = FakeNode()
    settings.MEDIA_URL_INTERNAL = fake.url
    fake.publishes(show)

    media_reconcile(now=timezone.now())
    fake.stop()

    assert fake.closed == [f"/rooms/{show.pk}"]


def test_a_room_that_nobody_knows_is_closed(node, show):
    stranger = "00000000-0000-4000-8000-000000000000"
    node.rooms = {stranger: {"publishers": [], "subscribers": 1}, "no id at all": {"publishers": [], "subscribers": 1}}

    media_reconcile(now=timezone.now())

    assert f"/rooms/{stranger}" in node.closed
