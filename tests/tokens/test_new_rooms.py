"""Where a provider cannot keep somebody out, the show goes on in a room that they do not know."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services import account_update, password_set
from livestream.actors import actor_of
from livestream.errors import Conflict, DomainError, TooMany
from streams.models import GuestRequest, Participant
from streams.services.show.sessions import session_end
from streams.services.stage.guest_requests import (
    UNASKED_PER_TEN_MINUTES,
    guest_request_approve,
    guest_request_make,
)
from streams.services.stage.participation import stage_demote, stage_leave
from streams.services.stage.removal import participant_ban, participant_kick
from streams.services.stage.seats import seat_leave
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import webhook_came
from tests.tokens.rooms import PUBLISH, channel, issue, kick
from tokens.models import IssuedToken
from tokens.withdrawals import withdrawn_cut

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("put_out", [participant_kick, participant_ban])
def test_who_is_put_out_knows_a_room_that_nobody_is_in(without_keys, ada, ben, cleo, published, put_out):
    session = make_show(ada, provider="agora")
    for user in (ben, cleo):
        let_in(session, user)
    held = issue(session, ben)
    issue(session, cleo)
    issue(session, ada, PUBLISH)

    with published(session) as documents:
        put_out(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    moved = [one for one in documents if one["type"] == "settings.changed"]
    assert [one["data"]["changed"] for one in moved] == [["channel"]]
    assert not IssuedToken.objects.filter(revoked_at__isnull=True).exists()
    after = {issue(session, ada, PUBLISH).channel_id, issue(session, cleo).channel_id}
    assert after == {channel(session)}
    assert held.channel_id not in after
    with pytest.raises(DomainError) as raised:
        issue(session, ben)
    assert raised.value.status == 403


def test_who_is_taken_off_the_stage_sends_to_nobody(without_keys, ada, ben):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert channel(session) != held.channel_id
    assert not issue(session, ben).can_publish


def test_a_room_is_left_once_by_who_is_put_out_of_a_seat(without_keys, ada, ben, published):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    issue(session, ben, PUBLISH)

    with published(session) as documents:
        kick(session, ada, ben)

    assert sum(one["type"] == "settings.changed" for one in documents) == 1


def test_nobody_moves_for_who_holds_nothing(without_keys, ada, ben, cleo):
    session, before = make_show(ada, provider="agora"), {}
    let_in(session, ben)
    let_in(session, cleo, role="guest")
    issue(session, cleo)
    before = channel(session)

    kick(session, ada, ben)
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=cleo.pk)

    assert channel(session) == before


def test_nobody_moves_where_the_provider_keeps_people_out(agora, ada, ben):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    kick(session, ada, ben)

    assert channel(session) == held.channel_id


def test_nobody_moves_at_the_end(without_keys, ada, ben, published):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    with published(session) as documents:
        session_end(session_id=session.pk, actor=actor_of(ada))

    assert channel(session) == held.channel_id
    assert not any(one["type"] == "settings.changed" for one in documents)


def test_a_new_password_moves_the_shows_that_the_old_one_sent_to(without_keys, ada, ben):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    password_set(user_id=ben.pk, password="another correct horse 8")

    assert channel(session) != held.channel_id
    ben.refresh_from_db()
    assert issue(session, ben).channel_id == channel(session)


def test_what_was_handed_out_while_the_password_changed_is_taken_back_after_it(
    without_keys, ada, ben, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = channel(session)

    with django_capture_on_commit_callbacks() as callbacks:
        password_set(user_id=ben.pk, password="another correct horse 8")
        User.objects.filter(pk=ben.pk).update(access_version=0)  # as whoever makes the token still sees it
        issue(session, ben, PUBLISH)
        User.objects.filter(pk=ben.pk).update(access_version=1)
    assert channel(session) == held
    for callback in callbacks:
        callback()

    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()
    assert channel(session) != held


@pytest.mark.parametrize(
    ("vendor", "unasked", "times"),
    [("without_keys", True, UNASKED_PER_TEN_MINUTES), ("without_keys", False, 4), ("livekit", True, 4)],
)
def test_where_leaving_moves_everybody_nobody_comes_and_goes_as_they_like(request, ada, ben, vendor, unasked, times):
    request.getfixturevalue(vendor)
    provider = "livekit" if vendor == "livekit" else "agora"
    session = make_show(ada, provider=provider, settings_changes={"require_approval": not unasked})
    webhook_came("livekit")
    let_in(session, ben)

    came = 0
    with suppress(TooMany):
        for _ in range(4):
            asked, _new = guest_request_make(session_id=session.pk, actor=actor_of(ben))
            if not unasked:
                guest_request_approve(session_id=session.pk, request_id=asked.pk, actor=actor_of(ada))
            came += 1
            stage_leave(session_id=session.pk, actor=actor_of(ben))

    assert came == times
    assert not GuestRequest.objects.exclude(status="approved").exists()


def test_who_finds_no_seat_has_not_come_and_gone(without_keys, ada, ben, cleo):
    session = make_show(ada, provider="agora", settings_changes={"require_approval": False, "max_guests": 1})
    for user in (ben, cleo):
        let_in(session, user)
    guest_request_make(session_id=session.pk, actor=actor_of(cleo))
    for _ in range(UNASKED_PER_TEN_MINUTES + 1):
        with pytest.raises(Conflict) as raised:
            guest_request_make(session_id=session.pk, actor=actor_of(ben))
        assert raised.value.code == "stage.full"
    stage_leave(session_id=session.pk, actor=actor_of(cleo))

    request, _new = guest_request_make(session_id=session.pk, actor=actor_of(ben))

    assert request.status == "approved"


@pytest.mark.parametrize(("changes", "moves"), [({"is_staff": True}, False), ({"is_active": False}, True)])
def test_a_right_that_is_given_moves_nobody_and_one_that_is_taken_does(without_keys, ada, ben, changes, moves):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    account_update(user_id=ben.pk, actor=actor_of(make_user(is_staff=True)), changes=changes)

    assert (channel(session) != held.channel_id) == moves
    assert IssuedToken.objects.get(user=ben).revoked_at is None or moves


def test_what_could_not_be_cut_is_cut_later(agora, ada, ben, django_capture_on_commit_callbacks):
    session = make_show(ada, provider="agora")
    let_in(session, ben)
    held = issue(session, ben)
    IssuedToken.objects.update(created_at=timezone.now() - timedelta(hours=2), expires_at=timezone.now())
    agora.enter(session.channel_id, held.uid)
    agora.broken = [503] * 20
    with django_capture_on_commit_callbacks(execute=True):
        password_set(user_id=ben.pk, password="another correct horse 8")
    assert agora.present(session.channel_id) == {held.uid}
    agora.broken = []

    for _ in range(2):
        withdrawn_cut(now=timezone.now() + timedelta(seconds=60))

    assert agora.present(session.channel_id) == set()
    assert not IssuedToken.objects.filter(cut_due_at__isnull=False).exists()


def test_nobody_is_cut_who_set_no_password(livekit, ada, ben):
    session = make_show(ada, provider="livekit")
    held = issue(session, ben)
    livekit.enter(session.channel_id, held.uid)

    withdrawn_cut(now=timezone.now() + timedelta(seconds=60))

    assert livekit.present(session.channel_id) == {held.uid}


def test_a_seat_that_is_left_is_no_news_for_who_never_sent(without_keys, ada, ben):
    session = make_show(ada, provider="agora")
    let_in(session, ben, role="guest")
    before = channel(session)

    seat_leave(person=session.participants.get(user=ben), now=timezone.now())

    assert channel(session) == before


@pytest.mark.parametrize("put_out", [participant_kick, participant_ban])
def test_somebody_is_put_out_though_the_show_names_a_provider_that_is_gone(livekit, settings, ada, ben, put_out):
    session = make_show(ada, provider="livekit")
    let_in(session, ben)
    issue(session, ben)
    settings.PROVIDERS = {name: path for name, path in settings.PROVIDERS.items() if name != "livekit"}

    put_out(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert Participant.objects.get(user=ben).status in ("kicked", "banned")
    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()


def test_a_password_is_set_though_a_show_names_a_provider_that_is_gone(livekit, settings, ada, ben):
    session = make_show(ada, provider="livekit")
    issue(session, ben)
    settings.PROVIDERS = {name: path for name, path in settings.PROVIDERS.items() if name != "livekit"}

    password_set(user_id=ben.pk, password="another correct horse 8")

    assert IssuedToken.objects.get().revoked_at is not None
