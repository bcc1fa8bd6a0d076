"""A room that gets another name, since somebody knows the one that it had."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from livestream.circuit_breaker import circuits_forget
from streams.models import ProviderRoom
from streams.services.provider.room_rotation import rooms_renew
from tests.cast import let_in, make_show
from tests.tokens.rooms import PUBLISH, channel, issue, kick

pytestmark = pytest.mark.django_db


def test_an_address_that_somebody_knows_who_was_put_out_leads_nowhere(
    unsigned, ada, ben, cleo, published, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="mux")
    let_in(session, ben)
    held, sends = issue(session, ben), issue(session, ada, PUBLISH)

    with published(session) as documents:
        kick(session, ada, ben)

    (stream,) = unsigned.streams.values()
    known = issue(session, cleo)
    assert known.url != held.url
    assert [one["id"] for one in stream["playback_ids"]] == [known.url.rsplit("/", 1)[1].removesuffix(".m3u8")]
    assert [one["data"]["changed"] for one in documents if one["type"] == "settings.changed"] == [["channel"]]
    assert issue(session, ada, PUBLISH).token == sends.token
    assert channel(session) == held.channel_id


@pytest.mark.parametrize("answers", [[503] * 3, [500] * 20])
def test_a_name_that_could_not_be_changed_is_changed_later(
    unsigned, ada, ben, cleo, answers, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="mux")
    let_in(session, ben)
    held = issue(session, ben)
    unsigned.broken = list(answers)
    with django_capture_on_commit_callbacks(execute=True):
        kick(session, ada, ben)
    assert ProviderRoom.objects.get().renew_due_at is not None
    unsigned.broken = []

    with django_capture_on_commit_callbacks(execute=True):
        rooms_renew(now=timezone.now() + timedelta(seconds=60))

    assert ProviderRoom.objects.get().renew_due_at is None
    assert issue(session, cleo).url != held.url
    (stream,) = unsigned.streams.values()
    assert len(stream["playback_ids"]) == 1


@pytest.mark.django_db(transaction=True)
def test_a_name_is_changed_by_one_process_at_a_time(unsigned, ada, ben):
    session = make_show(ada, provider="mux")
    let_in(session, ben)
    issue(session, ben)
    answered, meanwhile = unsigned.answer, []

    def put_out_meanwhile(method, path, headers, body):
        if method == "POST" and path.endswith("/playback-ids") and not meanwhile:
            ProviderRoom.objects.update(renew_due_at=timezone.now())
            rooms_renew(now=timezone.now() + timedelta(seconds=10))
            meanwhile.append(unsigned.playback_ids_made)
            connection.close()
        return answered(method, path, headers, body)

    unsigned.answer = put_out_meanwhile
    kick(session, ada, ben)

    assert meanwhile == [0]
    assert unsigned.playback_ids_made == 2
    (stream,) = unsigned.streams.values()
    assert [one["id"] for one in stream["playback_ids"]] == [ProviderRoom.objects.get().details["playback_id"]]


def test_a_room_that_cannot_be_renewed_keeps_no_other_from_it(
    unsigned, ada, ben, cleo, django_capture_on_commit_callbacks
):
    gone, there = make_show(ada, provider="mux"), make_show(ada, provider="mux")
    held = {}
    for show in (gone, there):
        let_in(show, ben)
        held[show.pk] = issue(show, ben)
        unsigned.broken = [503] * 3
        with django_capture_on_commit_callbacks(execute=True):
            kick(show, ada, ben)
    unsigned.broken = []
    circuits_forget()
    del unsigned.streams["ls-1"]
    now = timezone.now() + timedelta(seconds=10)

    with django_capture_on_commit_callbacks(execute=True):
        rooms_renew(now=now)

    assert issue(there, cleo).url != held[there.pk].url
    assert ProviderRoom.objects.get(session=gone).renew_due_at is not None
    asked = len(unsigned.requests)
    rooms_renew(now=now)
    assert len(unsigned.requests) == asked, "who refused is left alone for a while"


@pytest.mark.django_db(transaction=True)
def test_a_name_that_took_longer_than_its_claim_is_not_kept(unsigned, ada, ben):
    session = make_show(ada, provider="mux")
    let_in(session, ben)
    issue(session, ben)
    answered, meanwhile = unsigned.answer, []

    def another_process_meanwhile(method, path, headers, body):
        answer = answered(method, path, headers, body)
        if method == "POST" and path.endswith("/playback-ids") and not meanwhile:
            meanwhile.append(path)
            ProviderRoom.objects.update(claimed_at=timezone.now() - timedelta(minutes=1))
            rooms_renew(now=timezone.now() + timedelta(seconds=10))
            connection.close()
        return answer

    unsigned.answer = another_process_meanwhile
    kick(session, ada, ben)
    rooms_renew(now=timezone.now() + timedelta(seconds=10))

    room = ProviderRoom.objects.get()
    assert meanwhile
    (stream,) = unsigned.streams.values()
    assert [one["id"] for one in stream["playback_ids"]] == [room.details["playback_id"]]
    assert room.renew_due_at is None
