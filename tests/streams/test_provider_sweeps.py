"""Sweeps of shows at other providers: they are compared once a minute, and no absence is invented."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from livestream.actors import actor_of
from livestream.models import OutboxTask
from providers.interface import MediaRole
from streams.models import Participant, StreamSession
from streams.payloads import host_present
from streams.selectors import session_get
from streams.services.people.removal import participant_kick
from streams.services.provider import cloud_reconcile
from streams.services.provider.cloud_reconcile import providers_reconcile, session_reconcile
from streams.services.provider.media_events import presence_note
from streams.services.show.provider_failover import channel_renew
from streams.services.show.sweeps import sessions_expire
from streams.services.stage.participation import stage_mute
from streams.services.stage.seats import seat_leave
from tests.cast import let_in, make_show, make_user
from tests.providers.setups import PATHS, stand_in_of
from tests.streams.test_stage import on_stage
from tokens.services import media_token_issue

WATCH = MediaRole.SUBSCRIBER


@pytest.fixture(autouse=True)
def _nothing_asked(monkeypatch):
    monkeypatch.setattr(cloud_reconcile, "_looks", {})


@pytest.fixture
def livekit(settings):
    with stand_in_of("livekit", settings) as server:
        yield server


def test_a_live_show_is_compared_once_a_minute(ada, livekit):
    make_show(ada, provider="livekit")
    make_show(ada, provider="livekit", state="ended")
    make_show(ada)
    now = timezone.now()

    compared = [providers_reconcile(now=now + timedelta(seconds=seconds)) for seconds in (0, 2, 59, 60, 61)]

    assert compared == [1, 0, 0, 1, 0]


def test_a_host_whose_arrival_was_never_told_is_found(ada, livekit):
    session = make_show(ada, provider="livekit")
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER).uid
    livekit.enter(session.channel_id, uid, ("video",))

    providers_reconcile(now=timezone.now())

    assert host_present(session_get(session.pk))


def test_a_provider_that_does_not_answer_is_not_asked_for_every_show(ada, livekit):
    for _ in range(3):
        make_show(ada, provider="livekit")
    livekit.broken = [503] * 100

    assert providers_reconcile(now=timezone.now()) == 0
    assert len(livekit.requests) == 3


def test_one_show_that_is_refused_keeps_no_other_from_being_compared(ada, livekit):
    for _ in range(3):
        make_show(ada, provider="livekit")
    livekit.broken = [400]

    assert providers_reconcile(now=timezone.now()) == 2


def test_comparing_goes_on_where_it_stopped_for_want_of_time(ada, livekit, monkeypatch):
    for _ in range(3):
        make_show(ada, provider="livekit")
    answered = livekit.answer

    def slowly(*request):
        time.sleep(0.3)
        return answered(*request)

    livekit.answer = slowly
    monkeypatch.setattr(cloud_reconcile, "SWEEP_SECONDS", 0.4)
    now = timezone.now()

    assert [providers_reconcile(now=now) for _ in range(3)] == [2, 1, 0]


def test_nothing_is_known_of_a_host_while_the_provider_is_away(ada, livekit):
    session = make_show(ada, provider="livekit")
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ada), role=MediaRole.PUBLISHER).uid
    livekit.enter(session.channel_id, uid, ("video",))
    now = timezone.now()
    providers_reconcile(now=now)
    livekit.broken = [503] * 100

    providers_reconcile(now=now + timedelta(seconds=61))

    assert host_present(session_get(session.pk))


@pytest.mark.parametrize(("provider", "ended"), [("builtin", 1), ("whip", 0)])
def test_only_a_provider_that_tells_makes_a_host_absent(ada, settings, provider, ended):
    settings.PROVIDERS = {**settings.PROVIDERS, "whip": PATHS["whip"]}
    settings.WHIP_PUBLISH_URL = settings.WHIP_WATCH_URL = "https://m.example/{channel}"
    session = make_show(ada, provider=provider)
    StreamSession.objects.filter(pk=session.pk).update(started_at=timezone.now() - timedelta(hours=1))
    session.transitions.update(created_at=timezone.now() - timedelta(hours=1))

    assert sessions_expire(now=timezone.now()) == ended


# ---- The minute's query is the only call while nobody differs -----------------------------------------------------

QUESTION = {"livekit": "ListParticipants", "agora": "hosts_only", "daily": "presence"}


@pytest.fixture(params=QUESTION)
def on_air(request, settings, ada, ben, cleo, django_capture_on_commit_callbacks):
    """A show at a vendor with Ada, Ben and Cleo publishing, as the vendor has reported; its requests so far are
    dropped."""
    with stand_in_of(request.param, settings) as server:
        session = on_stage(make_show(ada, provider=request.param), ben, cleo)
        server.uids = {}
        for user in (ada, ben, cleo):
            made = media_token_issue(session_id=session.pk, actor=actor_of(user), role=MediaRole.PUBLISHER)
            server.uids[user.username] = made.uid
            server.enter(session.channel_id, made.uid, ("audio", "video"))
            presence_note(session=session, user_id=user.pk, there=True, at=timezone.now())
        OutboxTask.objects.all().delete()  # the vendor has received them
        server.session, server.vendor = session_get(session.pk), request.param
        server.committing = django_capture_on_commit_callbacks
        server.requests.clear()
        yield server


def minute(server, number=1):
    """Let a minute pass; return the queries and calls in it."""
    server.requests.clear()
    with server.committing(execute=True):
        session_reconcile(session=server.session, now=timezone.now() + timedelta(minutes=number))
    assert server.mistakes == []
    return [path.rpartition("/")[2] for _, path, _ in server.requests]


def test_a_minute_costs_one_call_however_many_are_on_stage(on_air):
    minutes = [minute(on_air, number) for number in (1, 2, 3)]

    assert minutes == [[QUESTION[on_air.vendor]]] * 3


def test_what_the_studio_has_muted_costs_nothing_while_it_holds(on_air, ada, ben):
    stage_mute(session_id=on_air.session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")

    assert minute(on_air) == [QUESTION[on_air.vendor]]
    assert on_air.sending(on_air.session.channel_id, on_air.uids["ben"]) == {"video"}


@pytest.mark.parametrize("on_air", ["livekit", "daily"], indirect=True)
def test_who_is_heard_though_muted_is_muted_again_and_nobody_else_is_asked_about(on_air, ada, ben):
    stage_mute(session_id=on_air.session.pk, actor=actor_of(ada), user_id=ben.pk, kind="audio")
    on_air.enter(on_air.session.channel_id, on_air.uids["ben"], ("audio", "video"))  # rejoined, without a report

    told = minute(on_air)

    assert told[0] == QUESTION[on_air.vendor]
    assert on_air.sending(on_air.session.channel_id, on_air.uids["ben"]) == {"video"}
    assert on_air.uids["cleo"] not in str(on_air.requests)
    assert minute(on_air) == [QUESTION[on_air.vendor]]


def test_a_guest_whose_arrival_was_never_told_is_told_of_once(on_air, cleo):
    Participant.objects.filter(user=cleo).update(media_seen_at=None)

    told = [minute(on_air, number) for number in (1, 2)]

    assert told[0][0] == QUESTION[on_air.vendor]
    assert told[1] == [QUESTION[on_air.vendor]]
    assert Participant.objects.get(user=cleo).media_seen_at is not None


@pytest.mark.parametrize("on_air", ["agora", "daily"], indirect=True)
def test_who_sends_without_a_seat_is_stopped_by_one_call(on_air, cleo):
    seat_leave(person=Participant.objects.get(user=cleo), now=timezone.now())
    OutboxTask.objects.all().delete()  # the provider did not comply

    told = minute(on_air)

    assert on_air.senders(on_air.session.channel_id) == {on_air.uids["ada"], on_air.uids["ben"]}
    assert told[0] == QUESTION[on_air.vendor]
    assert len(told) == 2


def test_a_show_that_somebody_was_removed_of_is_compared_closely_while_they_may_come_back(ada, ben, livekit):
    session = make_show(ada, provider="livekit")
    let_in(session, ben)
    now = timezone.now()
    participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)

    compared = [providers_reconcile(now=now + timedelta(seconds=seconds)) for seconds in (0, 2, 6, 11)]
    compared += [providers_reconcile(now=now + timedelta(minutes=13, seconds=seconds)) for seconds in (0, 6, 59, 60)]

    assert compared == [1, 0, 1, 1, 1, 0, 0, 1]


def test_somebody_who_was_removed_before_the_show_began_is_looked_for(
    ada, ben, livekit, django_capture_on_commit_callbacks
):
    session = make_show(ada, provider="livekit", state="initializing")
    let_in(session, ben)
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=WATCH).uid
    now = timezone.now()
    assert providers_reconcile(now=now) == 0
    participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=ben.pk)
    livekit.enter(session.channel_id, uid)

    with django_capture_on_commit_callbacks(execute=True):
        assert providers_reconcile(now=now + timedelta(seconds=10)) == 1

    assert livekit.present(session.channel_id) == set()


@pytest.mark.parametrize("on_air", ["livekit"], indirect=True)
def test_nobody_is_away_who_is_in_neither_room_while_a_show_moves(on_air, ada, cleo):
    session, now = on_air.session, timezone.now()
    assert providers_reconcile(now=now) == 1
    channel_renew(session=session, now=now)
    moved = session_get(session.pk)

    assert providers_reconcile(now=now + timedelta(seconds=61)) == 1  # nobody is there yet
    assert host_present(session_get(session.pk))
    for user in (ada, cleo):
        on_air.enter(moved.channel_id, on_air.uids[user.username], ("video",))
        if user == ada:
            continue
        media_token_issue(session_id=session.pk, actor=actor_of(user), role=MediaRole.PUBLISHER)
    compared = [providers_reconcile(now=now + timedelta(seconds=seconds)) for seconds in (62, 66, 71)]

    assert compared == [0, 1, 0]
    assert host_present(session_get(session.pk))
    away = Participant.objects.filter(session=session, media_lost_at__isnull=False)
    assert [person.user.username for person in away] == ["ben"]


@pytest.mark.parametrize("on_air", ["livekit"], indirect=True)
def test_a_room_that_the_show_left_while_it_was_asked_about_says_nothing(on_air):
    answered, stale = on_air.answer, on_air.session

    def moves_meanwhile(method, path, headers, body):
        answer = answered(method, path, headers, body)
        if path.endswith("ListParticipants"):
            on_air.answer = answered
            channel_renew(session=session_get(stale.pk), now=timezone.now())
            on_air.rooms.clear()
            return 200, {"participants": []}
        return answer

    for seconds in (61, 66):
        on_air.answer = moves_meanwhile
        session_reconcile(session=session_get(stale.pk), now=timezone.now() + timedelta(seconds=seconds))

    assert host_present(session_get(stale.pk))
    assert not Participant.objects.filter(media_lost_at__isnull=False).exists()


def test_who_was_removed_costs_no_queries_where_only_senders_are_told(ada, settings, django_assert_max_num_queries):
    with stand_in_of("agora", settings) as server:
        session = make_show(ada, provider="agora")
        for _ in range(20):
            user = make_user()
            let_in(session, user)
            media_token_issue(session_id=session.pk, actor=actor_of(user), role=WATCH)
            participant_kick(session_id=session.pk, actor=actor_of(ada), user_id=user.pk)
        assert len(server.rules) == 20

        with django_assert_max_num_queries(8):
            session_reconcile(session=session_get(session.pk), now=timezone.now() + timedelta(seconds=60))


@pytest.mark.parametrize("there", [True, False])
def test_a_guest_whose_leaving_was_never_told_is_away(ada, ben, livekit, there):
    session = make_show(ada, provider="livekit")
    on_stage(session, ben)
    uid = media_token_issue(session_id=session.pk, actor=actor_of(ben), role=MediaRole.PUBLISHER).uid
    livekit.enter(session.channel_id, uid, ("video",))
    now = timezone.now()
    providers_reconcile(now=now)
    assert Participant.objects.get(session=session, user=ben).media_seen_at is not None
    if not there:
        livekit.rooms.clear()

    for seconds in (61, 66):
        providers_reconcile(now=now + timedelta(seconds=seconds))

    assert (Participant.objects.get(session=session, user=ben).media_lost_at is None) == there
