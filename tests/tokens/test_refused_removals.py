"""A provider that refuses a removal once, as while its key is being changed, is asked again."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.services import password_set
from livestream import outbox
from livestream.actors import actor_of
from livestream.circuit_breaker import circuits_forget
from streams.models import Participant
from streams.services.people.viewers import viewer_invite
from streams.services.show.sessions import session_end
from streams.services.stage.removal import participant_kick
from tests.cast import let_in, make_show, make_user
from tests.outbox import sweep, waiting
from tests.providers.stand_ins.server import Refused
from tests.tokens.rooms import channel, issue, kick
from tokens.models import IssuedToken
from tokens.withdrawals import withdrawn_cut

SECOND = timedelta(seconds=1)


@pytest.fixture
def watched(agora, ada, ben, cleo):
    """Ben and Cleo watch."""
    session = make_show(ada, provider="agora")
    for user in (ben, cleo):
        let_in(session, user)
        enter(agora, session, user)
    agora.requests.clear()
    return session


def enter(server, session, user):
    held = issue(session, user)
    server.enter(session.channel_id, held.uid)
    return held.uid


def ask_for_a_password(user):
    password_set(user_id=user.pk, password="another correct horse 8")
    user.refresh_from_db()


def is_due():
    return IssuedToken.objects.filter(cut_due_at__isnull=False).exists()


def test_a_refusal_holds_up_nobody_else(agora, watched, ada, ben, cleo, django_capture_on_commit_callbacks):
    agora.broken = [503] * 6
    with django_capture_on_commit_callbacks(execute=True):
        kick(watched, ada, ben)
        kick(watched, ada, cleo)
    circuits_forget()
    agora.broken = [401]

    sweep(seconds=20)
    assert len(agora.present(watched.channel_id)) == 1
    sweep(seconds=100)

    assert agora.present(watched.channel_id) == set()


def issued(user):
    return IssuedToken.objects.get(user=user).uid


def test_a_provider_that_is_away_takes_nobodys_turn(
    agora, livekit, watched, ada, ben, cleo, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(outbox, "AT_ONCE", 1)
    other = make_show(ada, provider="livekit")
    let_in(other, ben)
    livekit.enter(other.channel_id, issue(other, ben).uid)
    agora.broken = livekit.broken = [503] * 20
    with django_capture_on_commit_callbacks(execute=True):
        kick(watched, ada, ben)
        kick(watched, ada, cleo)
        kick(other, ada, ben)
    livekit.broken = []
    circuits_forget()

    sweep(seconds=4)

    assert livekit.present(channel(other)) == set()


def test_a_room_that_does_not_answer_takes_nobodys_turn(
    agora, watched, ada, ben, cleo, django_capture_on_commit_callbacks
):
    agora.broken = [503] * 20
    with django_capture_on_commit_callbacks(execute=True):
        kick(watched, ada, ben)
        kick(watched, ada, cleo)
    agora.broken = []
    answered, unlucky = agora.answer, issued(ben)

    def not_about_ben(method, path, headers, body):
        if str(body.get("uid")) == unlucky:
            raise Refused(503)
        return answered(method, path, headers, body)

    agora.answer = not_about_ben
    for seconds in (20, 40):
        circuits_forget()
        sweep(seconds)

    assert agora.present(watched.channel_id) == {unlucky}


def test_staff_who_is_back_is_not_removed_late(livekit, ada, ben, django_capture_on_commit_callbacks):
    show = make_show(ada, provider="livekit")
    ben.is_staff = True
    ben.save()
    let_in(show, ben)
    livekit.broken = [503] * 20
    with django_capture_on_commit_callbacks(execute=True):
        participant_kick(session_id=show.pk, actor=actor_of(make_user(is_staff=True)), user_id=ben.pk)
    livekit.broken = []
    circuits_forget()
    held = enter(livekit, show, ben)

    sweep(seconds=4)

    assert livekit.present(channel(show)) == {held}
    assert waiting() == []


def test_where_nobody_can_be_put_out_it_is_not_tried_again(
    without_keys, watched, ada, ben, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        kick(watched, ada, ben)

    assert waiting() == []


@pytest.mark.django_db(transaction=True)
def test_who_was_let_in_again_while_it_was_refused_is_not_put_out(agora, watched, ada, ben):
    def let_in_again(*_):
        try:
            viewer_invite(session_id=watched.pk, actor=actor_of(ada), username="ben")
        finally:
            connection.close()
        raise Refused(401)

    answered, agora.answer = agora.answer, let_in_again

    kick(watched, ada, ben)

    agora.answer = answered
    sweep(seconds=80)
    row = Participant.objects.get(user=ben)
    assert (row.status, issued(ben) in agora.present(watched.channel_id), waiting()) == ("left", True, [])


@pytest.mark.parametrize(("broken", "before", "later"), [([401], 58, 61), ([503] * 3, 0, 2)])
def test_a_cut_that_failed_is_made_later_and_spares_who_is_back(
    agora, watched, ben, django_capture_on_commit_callbacks, broken, before, later
):
    agora.broken = broken
    with django_capture_on_commit_callbacks(execute=True):
        ask_for_a_password(ben)
    now = timezone.now()
    back = enter(agora, watched, ben)
    assert len(agora.present(watched.channel_id)) == 3
    asked = len(agora.requests)

    withdrawn_cut(now=now + before * SECOND)
    assert len(agora.requests) == asked
    for seconds in (later, 200):
        withdrawn_cut(now=now + seconds * SECOND)

    assert len(agora.requests) == asked + 1
    assert back in agora.present(watched.channel_id)
    assert len(agora.present(watched.channel_id)) == 2
    assert issue(watched, ben).uid == back
    assert not is_due()


def test_a_cut_that_is_refused_again_and_again_is_tried_once_a_minute_while_the_show_is_open(
    agora, watched, ada, ben, django_capture_on_commit_callbacks
):
    agora.broken = [401] * 50
    with django_capture_on_commit_callbacks(execute=True):
        ask_for_a_password(ben)
    now = timezone.now()
    back = enter(agora, watched, ben)

    for seconds in range(1, 122):
        withdrawn_cut(now=now + seconds * SECOND)
    assert len(agora.requests) == 3
    assert issue(watched, ben).uid == back
    agora.broken = []
    session_end(session_id=watched.pk, actor=actor_of(ada))
    agora.requests.clear()
    withdrawn_cut(now=now + 300 * SECOND)

    assert agora.requests == []


def test_a_refused_cut_holds_up_nobody_else(agora, watched, ben, cleo, django_capture_on_commit_callbacks):
    agora.broken = [503] * 6
    with django_capture_on_commit_callbacks(execute=True):
        ask_for_a_password(ben)
        ask_for_a_password(cleo)
    circuits_forget()
    agora.broken = [401]

    withdrawn_cut(now=timezone.now() + 2 * SECOND)

    assert agora.present(watched.channel_id) == {issued(ben)}
