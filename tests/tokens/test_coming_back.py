"""Who comes back with what was taken back is put out again, and the show goes on where they do not find it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.services import password_set
from livestream.actors import actor_of
from livestream.circuit_breaker import circuits_forget
from streams.models import Participant
from streams.selectors import session_get
from streams.services.provider.join_policy import MOVES_PER_TEN_MINUTES
from streams.services.provider.reconcile import session_reconcile
from streams.services.provider.room_rotation import room_move
from streams.services.stage.guest_requests import guest_request_make
from streams.services.stage.participation import stage_demote, stage_leave
from streams.services.stage.removal import participant_ban, participant_kick
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import webhook_came
from tests.tokens.rooms import PUBLISH, arrives, channel, issue, kick
from tokens.arrivals import arrival_judgement
from tokens.models import IssuedToken

pytestmark = pytest.mark.django_db


def test_who_comes_back_comes_back_once(livekit, ada, ben, django_capture_on_commit_callbacks):
    session = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(session, ben)
    held = issue(session, ben)
    kick(session, ada, ben)
    assert channel(session) == held.channel_id
    livekit.enter(held.channel_id, held.uid)

    with django_capture_on_commit_callbacks(execute=True):
        arrives(session, held.uid, seconds=5)

    assert channel(session) != held.channel_id
    assert livekit.present(held.channel_id) == set()
    moved_to = channel(session)
    arrives(session, held.uid, seconds=9, channel_id=held.channel_id)
    assert channel(session) == moved_to


def back_from_the_stage(host, guest):
    """A show whose server tells of itself, and what somebody who watches it again still holds from the stage."""
    session = make_show(host, provider="livekit")
    webhook_came("livekit")
    let_in(session, guest, role="guest")
    held = issue(session, guest, PUBLISH)
    stage_demote(session_id=session.pk, actor=actor_of(host), user_id=guest.pk)
    issue(session, guest)
    return session, held


def test_who_sends_again_with_what_was_taken_back_sends_to_nobody(livekit, ada, ben):
    session, held = back_from_the_stage(ada, ben)

    arrives(session, held.uid, seconds=5, publishes=True)

    assert channel(session) != held.channel_id


def test_who_leaves_the_stage_and_comes_back_with_its_token_moves_the_show_a_few_times_at_most(livekit, ada, ben):
    session = make_show(ada, provider="livekit", settings_changes={"require_approval": False})
    webhook_came("livekit")
    let_in(session, ben)
    rooms = {channel(session)}
    for time in range(MOVES_PER_TEN_MINUTES + 3):
        guest_request_make(session_id=session.pk, actor=actor_of(ben))
        held = issue(session, ben, PUBLISH)
        stage_leave(session_id=session.pk, actor=actor_of(ben))
        issue(session, ben)

        arrives(session, held.uid, seconds=3 + time / 10, publishes=True)

        rooms.add(channel(session))
    assert len(rooms) == 1 + MOVES_PER_TEN_MINUTES


@pytest.mark.parametrize("seconds", [-1.0, 1.0])
def test_what_was_told_of_the_moment_itself_moves_nobody(livekit, ada, ben, seconds):
    session = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(session, ben)
    held = issue(session, ben)
    kick(session, ada, ben)

    arrives(session, held.uid, seconds=seconds)

    assert channel(session) == held.channel_id


def test_who_watches_on_after_the_stage_moves_nobody(livekit, ada, ben):
    session, held = back_from_the_stage(ada, ben)

    arrives(session, held.uid, seconds=5, publishes=False)

    assert channel(session) == held.channel_id


@pytest.mark.parametrize(("vendor", "moves"), [("agora", True), ("livekit", False)])
def test_what_was_handed_out_during_the_kick_is_taken_back_after_it(
    request, settings, ada, ben, vendor, moves, django_capture_on_commit_callbacks
):
    request.getfixturevalue("without_keys" if vendor == "agora" else vendor)
    session = make_show(ada, provider=vendor)
    webhook_came("livekit")
    let_in(session, ben)
    held = channel(session)

    with django_capture_on_commit_callbacks() as callbacks:
        kick(session, ada, ben)
        Participant.objects.filter(user=ben).update(status="active")  # as whoever makes the token still sees it
        issue(session, ben)
        Participant.objects.filter(user=ben).update(status="kicked")
    assert channel(session) == held
    for callback in callbacks:
        callback()

    assert not IssuedToken.objects.filter(user=ben, revoked_at__isnull=True).exists()
    assert (channel(session) != held) == moves


def test_a_new_password_moves_a_show_where_the_owner_is_who_holds_the_old_token(livekit, ada, ben):
    session = make_show(ada, provider="livekit", visibility="private")
    let_in(session, ben)
    held = issue(session, ben)

    password_set(user_id=ben.pk, password="another correct horse 8")

    assert channel(session) != held.channel_id


@pytest.mark.parametrize("vendor", ["without_keys", "livekit"])
def test_a_viewers_new_password_stops_nobodys_picture(request, ada, ben, vendor):
    request.getfixturevalue(vendor)
    session = make_show(ada, provider="livekit" if vendor == "livekit" else "agora")
    held = issue(session, ben)

    password_set(user_id=ben.pk, password="another correct horse 8")

    assert channel(session) == held.channel_id


@pytest.mark.parametrize(("vendor", "moves"), [("without_keys", 0), ("livekit", 1)])
def test_who_was_put_out_does_not_stop_the_picture_again_and_again(request, ada, ben, vendor, moves):
    """At LiveKit the removal itself moves nobody, so the first new password does; after that he knows nothing."""
    request.getfixturevalue(vendor)
    session = make_show(ada, provider="livekit" if vendor == "livekit" else "agora", visibility="private")
    webhook_came("livekit")
    let_in(session, ben)
    issue(session, ben)
    kick(session, ada, ben)
    seen = [channel(session)]

    for number in range(3):
        password_set(user_id=ben.pk, password=f"another correct horse {number}")
        seen.append(channel(session))

    assert len(set(seen)) == 1 + moves


def test_two_who_are_told_of_the_same_move_a_show_once(livekit, ada, ben):
    session = make_show(ada, provider="livekit")
    first, second = session_get(session.pk), session_get(session.pk)

    room_move(session=first, now=timezone.now())
    held = issue(session, ben)
    room_move(session=second, now=timezone.now())

    assert channel(session) == held.channel_id
    assert IssuedToken.objects.get(user=ben).revoked_at is None


@pytest.mark.parametrize("put_out", [participant_kick, participant_ban])
def test_where_livekit_tells_nothing_the_show_moves_at_once(livekit, ada, ben, cleo, put_out):
    session = make_show(ada, provider="livekit")
    for user in (ben, cleo):
        let_in(session, user)
    held = issue(session, ben)

    put_out(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert issue(session, cleo).channel_id == channel(session) != held.channel_id


@pytest.mark.parametrize("leave", ["taken off", "by choice"])
def test_where_livekit_tells_nothing_the_show_moves_from_who_may_not_send_any_more(livekit, ada, ben, leave):
    session = make_show(ada, provider="livekit")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)

    if leave == "by choice":
        stage_leave(session_id=session.pk, actor=actor_of(ben))
    else:
        stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    assert channel(session) != held.channel_id
    assert not issue(session, ben).can_publish


def test_what_livekit_told_before_the_show_was_made_says_nothing_of_now(livekit, ada, ben):
    webhook_came("livekit")
    session = make_show(ada, provider="livekit")
    let_in(session, ben)
    held = issue(session, ben)

    kick(session, ada, ben)

    assert channel(session) != held.channel_id


@pytest.mark.parametrize("minutes", [5, 13, 60])
def test_who_stayed_past_the_tokens_end_may_hold_another_of_livekits_own(livekit, ada, ben, minutes):
    """The server gives those who are there new tokens, of ten minutes, which we never see."""
    session = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(session, ben)
    held = issue(session, ben)
    now = timezone.now()
    IssuedToken.objects.update(created_at=now - timedelta(hours=1), expires_at=now - timedelta(minutes=50))
    kick(session, ada, ben)

    arrives(session, held.uid, seconds=60 * minutes)

    assert channel(session) != held.channel_id


def test_however_often_somebody_came_back_to_the_stage_who_is_put_out_finds_nobody(livekit, ada, ben):
    session = make_show(ada, provider="livekit", settings_changes={"require_approval": False})
    webhook_came("livekit")
    let_in(session, ben)
    for time in range(MOVES_PER_TEN_MINUTES + 1):
        guest_request_make(session_id=session.pk, actor=actor_of(ben))
        held = issue(session, ben, PUBLISH)
        stage_leave(session_id=session.pk, actor=actor_of(ben))
        watches = issue(session, ben)
        arrives(session, held.uid, seconds=3 + time / 10, publishes=True)
    assert channel(session) == watches.channel_id, "he moves nobody any more"
    kick(session, ada, ben)

    arrives(session, watches.uid, seconds=9)

    assert channel(session) != watches.channel_id


def test_a_viewer_who_comes_back_with_the_token_of_the_password_before_moves_nobody(livekit, ada, ben):
    session = make_show(ada, provider="livekit")
    webhook_came("livekit")
    held = issue(session, ben)
    password_set(user_id=ben.pk, password="another correct horse 8")
    livekit.enter(held.channel_id, held.uid)

    arrives(session, held.uid, seconds=5)

    assert channel(session) == held.channel_id


def test_who_was_promoted_sends_with_what_was_given_for_watching(livekit, ada, ben, django_capture_on_commit_callbacks):
    session = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(session, ben)
    held = issue(session, ben)
    livekit.enter(held.channel_id, held.uid)
    Participant.objects.filter(user=ben).update(role="guest")

    with django_capture_on_commit_callbacks(execute=True):
        arrives(session, held.uid, seconds=5, publishes=True)

    assert channel(session) == held.channel_id
    assert not any(body.get("permission", {}).get("can_publish") is False for _, _, body in livekit.requests)
    assert livekit.present(held.channel_id) == {held.uid}


def test_staff_whom_staff_put_out_gets_in_all_the_same(livekit, ada, ben, django_capture_on_commit_callbacks):
    show = make_show(ada, provider="livekit")
    webhook_came("livekit")
    ben.is_staff = True
    ben.save()
    let_in(show, ben)
    participant_kick(session_id=show.pk, actor=actor_of(make_user(is_staff=True)), user_id=ben.pk)
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)

    with django_capture_on_commit_callbacks(execute=True):
        arrives(show, held.uid, seconds=5)
        session_reconcile(session=session_get(show.pk), now=timezone.now() + timedelta(seconds=60))

    assert livekit.present(channel(show)) == {held.uid}
    assert channel(show) == held.channel_id


@pytest.mark.django_db(transaction=True)
def test_who_is_removed_while_the_list_is_on_its_way_has_not_come_back(livekit, ada, ben):
    show = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(show, ben)
    held = issue(show, ben)
    livekit.enter(held.channel_id, held.uid)
    livekit.broken = [503] * 20
    kick(show, ada, ben)
    livekit.broken = []
    circuits_forget()
    answered = livekit.answer

    def told_meanwhile(method, path, headers, body):
        answer = answered(method, path, headers, body)
        if path.endswith("ListParticipants"):
            livekit.rooms.clear()  # another process has them removed, and writes that down
            try:
                Participant.objects.filter(user=ben).update(media_due_at=None)
            finally:
                connection.close()
        return answer

    livekit.answer = told_meanwhile
    session_reconcile(session=session_get(show.pk), now=timezone.now() + timedelta(seconds=4))

    assert channel(show) == held.channel_id


def test_what_ran_out_in_the_room_before_is_nothing_to_come_with(livekit, ada, ben):
    show = make_show(ada, provider="livekit")
    webhook_came("livekit")
    let_in(show, ben)
    issue(show, ben)
    ago = timezone.now() - timedelta(minutes=11)
    IssuedToken.objects.update(created_at=ago, expires_at=ago + timedelta(minutes=10))
    room_move(session=session_get(show.pk), now=timezone.now())

    assert arrival_judgement(session=session_get(show.pk), uid=str(ben.pk), at=timezone.now()).verdict == "nothing"
