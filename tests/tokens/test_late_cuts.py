"""What a new password could not cut at once is cut later, and never meets the owner who has come back meanwhile."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.services import password_set
from livestream.circuit_breaker import circuits_forget
from streams.models import MediaUid
from tests.cast import let_in, make_show
from tests.providers.setups import webhook_came
from tests.providers.stand_ins.server import Refused
from tests.tokens.rooms import channel, issue
from tokens import withdrawals
from tokens.models import IssuedToken
from tokens.withdrawals import withdrawn_cut

pytestmark = pytest.mark.django_db

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
FAILURES = [[503] * 40, [401]]


@pytest.fixture
def show(livekit, ada):
    webhook_came("livekit")
    return make_show(ada, provider="livekit")


@pytest.fixture
def new_password(django_capture_on_commit_callbacks):
    def ask(user, server, broken):
        server.broken = list(broken)
        with django_capture_on_commit_callbacks(execute=True):
            password_set(user_id=user.pk, password="another correct horse 8")
        server.broken = []
        circuits_forget()
        user.refresh_from_db()

    return ask


def cut_all():
    for later in (2, 70, 140):
        withdrawn_cut(now=timezone.now() + later * SECOND)


@pytest.mark.parametrize("broken", FAILURES)
def test_a_viewer_who_has_a_new_token_stays(livekit, show, ben, new_password, broken):
    issue(show, ben)
    new_password(ben, livekit, broken)
    back = issue(show, ben)
    livekit.enter(back.channel_id, back.uid)

    cut_all()

    assert livekit.present(back.channel_id) == {back.uid}


@pytest.mark.parametrize("broken", FAILURES)
def test_who_has_no_new_token_is_cut_later(livekit, show, ben, new_password, broken):
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)
    new_password(ben, livekit, broken)
    assert livekit.present(held.channel_id) == {held.uid}

    cut_all()

    assert livekit.present(channel(show)) == set()


def test_who_is_there_when_the_owner_has_gone_is_cut_after_all(livekit, show, ben, new_password):
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)
    new_password(ben, livekit, [401])
    issue(show, ben)
    cut_all()
    assert livekit.present(channel(show)) == {held.uid}

    withdrawn_cut(now=timezone.now() + 12 * MINUTE)

    assert livekit.present(channel(show)) == set()
    assert not IssuedToken.objects.filter(cut_due_at__isnull=False).exists()


def test_a_provider_that_hangs_takes_nobodys_turn(agora, livekit, show, ada, ben, cleo, new_password, monkeypatch):
    other = make_show(ada, provider="agora")
    issue(other, cleo)
    new_password(cleo, agora, [503] * 9)
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)
    new_password(ben, livekit, [503] * 9)

    def hangs(*request):
        time.sleep(0.3)
        raise Refused(503)

    agora.answer = hangs
    monkeypatch.setattr(withdrawals, "SWEEP_SECONDS", 0.2)
    now = timezone.now()
    withdrawn_cut(now=now + 2 * SECOND)
    assert livekit.present(channel(show)) == {held.uid}
    withdrawn_cut(now=now + 4 * SECOND)

    assert livekit.present(channel(show)) == set()


def numbers_given(session, user, minutes):
    """Numbers that somebody had, one after the other, with a token for each."""
    now = timezone.now()
    for number, ago in enumerate(minutes, start=1):
        at = now - ago * MINUTE
        MediaUid.objects.create(session=session, user=user, number=number, given_at=at, retired_at=at + MINUTE)
        IssuedToken.objects.create(
            session=session,
            user=user,
            provider=session.provider,
            token_hash=uuid4().hex,
            channel_id=session.channel_id,
            uid=str(number),
            role="subscriber",
            created_at=at,
            expires_at=at + 10 * MINUTE,
        )


def test_a_new_password_costs_a_call_for_each_number_that_may_be_there_still(agora, ada, ben, new_password):
    show = make_show(ada, provider="agora")
    let_in(show, ben)
    numbers_given(show, ben, minutes=[240, 120, 60, 30, 14, 9, 5, 2])

    new_password(ben, agora, [])

    assert len(agora.requests) == 3  # given up within twelve minutes


def test_what_is_cut_is_not_cut_again_when_another_number_fails(agora, ada, ben, new_password):
    show = make_show(ada, provider="agora")
    let_in(show, ben)
    numbers_given(show, ben, minutes=[9, 5, 2])
    answered, kept_out = agora.answer, []

    def answers_twice(*request):
        if len(kept_out) == 2:
            raise Refused(503)
        kept_out.append(request)
        return answered(*request)

    agora.answer = answers_twice
    new_password(ben, agora, [])
    agora.answer = answered
    agora.requests.clear()

    cut_all()

    assert len(agora.requests) == 1
