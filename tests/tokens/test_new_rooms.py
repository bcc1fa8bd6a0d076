"""Where a provider cannot keep somebody out, the show goes on in a room that they do not know."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from accounts.services import account_update, password_set
from livestream.actors import actor_of
from livestream.circuit import circuits_forget
from livestream.errors import Conflict, DomainError, TooMany
from streams.models import GuestRequest, Participant, ProviderRoom
from streams.providers.base import MediaRole
from streams.providers.inbox import Happening, MediaEvent
from streams.selectors import session_get
from streams.services.arrivals import MOVES_PER_TEN_MINUTES
from streams.services.guest_requests import (
    UNASKED_PER_TEN_MINUTES,
    guest_request_approve,
    guest_request_make,
)
from streams.services.media_events import media_event_apply
from streams.services.moving import room_move, rooms_renew
from streams.services.removal import participant_ban, participant_kick
from streams.services.seats import seat_leave
from streams.services.sessions import session_end
from streams.services.stage import stage_demote, stage_leave
from tests.cast import let_in, make_show, make_user
from tokens.models import IssuedToken
from tokens.services import media_token_issue
from tokens.withdrawals import withdrawn_cut

pytestmark = pytest.mark.django_db
WATCH, PUBLISH = MediaRole.SUBSCRIBER, MediaRole.PUBLISHER


@pytest.fixture
def without_keys(agora, settings):
    """Agora without REST keys: nobody can be put out there."""
    settings.AGORA_CUSTOMER_ID = settings.AGORA_CUSTOMER_SECRET = ""
    return agora


@pytest.fixture
def unsigned(mux, settings):
    """Mux without a signing key: whoever knows the address can watch."""
    settings.MUX_SIGNING_KEY_ID = settings.MUX_SIGNING_PRIVATE_KEY = ""
    return mux


def issue(session, user, role=WATCH):
    return media_token_issue(session_id=session.pk, actor=actor_of(user), role=role)


def kick(session, host, user):
    participant_kick(session_id=session.pk, actor=actor_of(host), user_id=user.pk)


def channel(session):
    return session_get(session.pk).channel_id


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


# ---- Who comes back with what was taken back -----------------------------------------------------------------------


def arrives(session, uid, *, seconds=0.0, publishes=False, channel_id=""):
    event = MediaEvent(
        id=f"event-{seconds}-{publishes}",
        type="participant_joined",
        happening=Happening.JOINED,
        channel_id=channel_id or channel(session),
        uid=uid,
        at=timezone.now() + timedelta(seconds=seconds),
        publishes=publishes,
    )
    media_event_apply(provider=session.provider, event=event)


def test_who_comes_back_comes_back_once(livekit, ada, ben, django_capture_on_commit_callbacks):
    session = make_show(ada, provider="livekit")
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


def test_who_sends_again_with_what_was_taken_back_sends_to_nobody(livekit, ada, ben):
    session = make_show(ada, provider="livekit")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)
    issue(session, ben)

    arrives(session, held.uid, seconds=5, publishes=True)

    assert channel(session) != held.channel_id


def test_who_leaves_the_stage_and_comes_back_with_its_token_moves_the_show_a_few_times_at_most(livekit, ada, ben):
    session = make_show(ada, provider="livekit", settings_changes={"require_approval": False})
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
    let_in(session, ben)
    held = issue(session, ben)
    kick(session, ada, ben)

    arrives(session, held.uid, seconds=seconds)

    assert channel(session) == held.channel_id


def test_who_watches_on_after_the_stage_moves_nobody(livekit, ada, ben):
    session = make_show(ada, provider="livekit")
    let_in(session, ben, role="guest")
    held = issue(session, ben, PUBLISH)
    stage_demote(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)
    issue(session, ben)

    arrives(session, held.uid, seconds=5, publishes=False)

    assert channel(session) == held.channel_id


@pytest.mark.parametrize(("vendor", "moves"), [("agora", True), ("livekit", False)])
def test_what_was_handed_out_during_the_kick_is_taken_back_after_it(
    request, settings, ada, ben, vendor, moves, django_capture_on_commit_callbacks
):
    request.getfixturevalue("without_keys" if vendor == "agora" else vendor)
    session = make_show(ada, provider=vendor)
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


# ---- A room that gets another name ---------------------------------------------------------------------------------


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


# ---- A new password at a provider that does not answer -------------------------------------------------------------


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
