"""Automatic ends of shows, and the janitor's lease."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from livestream.actors import actor_of
from streams.janitor import janitor_tick
from streams.models import JanitorLease, ProviderDelivery, SessionTransition, StreamSession
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.show.sessions import session_resume
from streams.services.show.sweeps import LEASE_SECONDS, lease_release, lease_take, sessions_expire
from tests.cast import make_show
from tests.threads import at_once

SECOND = timedelta(seconds=1)


def fate(session):
    session.refresh_from_db()
    return session.state, session.end_reason


def test_a_session_that_nobody_starts_ends(ada):
    session = make_show(ada, state="initializing")
    limit = session.created_at + timedelta(seconds=settings.SESSION_START_TIMEOUT_SECONDS)

    assert sessions_expire(now=limit - SECOND) == 0
    assert sessions_expire(now=limit + SECOND) == 1

    assert fate(session) == ("ended", "never_started")


def test_an_announced_session_waits_from_its_announced_time(ada):
    announced = timezone.now() + timedelta(days=3)
    session = make_show(ada, state="initializing", scheduled_for=announced)
    limit = announced + timedelta(seconds=settings.SESSION_START_TIMEOUT_SECONDS)

    assert sessions_expire(now=limit - SECOND) == 0
    assert sessions_expire(now=limit + SECOND) == 1

    assert fate(session) == ("ended", "never_started")


def test_a_live_session_whose_host_never_sends_a_picture_ends(ada):
    session = make_show(ada)
    limit = session.started_at + timedelta(seconds=settings.HOST_ARRIVAL_SECONDS)

    assert sessions_expire(now=limit - SECOND) == 0
    assert sessions_expire(now=limit + SECOND) == 1

    assert fate(session) == ("ended", "host_never_came")


@pytest.mark.parametrize("grace", [0, 60, 1800])
def test_a_lost_host_has_exactly_the_grace_to_come_back(ada, grace):
    session = make_show(ada, settings_changes={"grace_seconds": grace})
    at = session.started_at + SECOND
    host_seen(session_id=session.pk, at=at)
    host_lost(session_id=session.pk, at=at + SECOND)
    limit = at + SECOND + timedelta(seconds=grace)

    assert sessions_expire(now=limit) == 0
    assert sessions_expire(now=limit + SECOND) == 1

    assert fate(session) == ("ended", "host_lost")


def test_a_host_who_comes_back_within_the_grace_keeps_the_session(ada):
    session = make_show(ada)
    at = session.started_at + SECOND
    host_seen(session_id=session.pk, at=at)
    host_lost(session_id=session.pk, at=at + SECOND)
    host_seen(session_id=session.pk, at=at + 2 * SECOND)

    assert sessions_expire(now=at + timedelta(hours=1)) == 0
    assert fate(session) == ("active", "")


def test_a_paused_session_outlives_the_grace_of_its_host(ada):
    session = make_show(ada, state="paused")
    at = session.paused_at + SECOND
    host_seen(session_id=session.pk, at=at)
    host_lost(session_id=session.pk, at=at + SECOND)

    assert sessions_expire(now=at + timedelta(minutes=30)) == 0
    assert fate(session) == ("paused", "")


def test_a_session_paused_for_too_long_ends(ada):
    session = make_show(ada, state="paused")
    limit = session.paused_at + timedelta(seconds=settings.PAUSE_TIMEOUT_SECONDS)

    assert sessions_expire(now=limit - SECOND) == 0
    assert sessions_expire(now=limit + SECOND) == 1

    assert fate(session) == ("ended", "paused_too_long")


def test_a_resumed_session_gives_its_host_time_to_arrive(ada):
    session = make_show(ada, state="paused")
    early = session.started_at - timedelta(days=1)
    StreamSession.objects.filter(pk=session.pk).update(started_at=early)

    session_resume(session_id=session.pk, actor=actor_of(ada))

    assert sessions_expire(now=timezone.now() + SECOND) == 0
    assert fate(session) == ("active", "")


def test_what_is_over_is_left_alone(ada):
    for state in ("ended", "error"):
        make_show(ada, state=state)

    assert sessions_expire(now=timezone.now() + timedelta(days=400)) == 0


def test_an_automatic_end_is_told_to_the_room_and_written_down_without_a_person(ada, published):
    session = make_show(ada)
    later = session.started_at + timedelta(seconds=settings.HOST_ARRIVAL_SECONDS + 1)

    with published(session) as documents:
        sessions_expire(now=later)

    assert [document["type"] for document in documents] == ["session.changed", "close"]
    assert documents[0]["data"]["reason"] == "host_never_came"
    assert SessionTransition.objects.get(session=session, to_state="ended").actor_id is None


# ---- The lease ---------------------------------------------------------------------------------------------------


def test_a_lease_has_one_holder_until_it_runs_out(db):
    now = timezone.now()

    assert lease_take(name="sweep", holder="one", now=now)
    assert not lease_take(name="sweep", holder="two", now=now + SECOND)
    assert lease_take(name="sweep", holder="one", now=now + 2 * SECOND)
    assert not lease_take(name="sweep", holder="two", now=now + timedelta(seconds=LEASE_SECONDS))
    assert lease_take(name="sweep", holder="two", now=now + timedelta(seconds=LEASE_SECONDS + 3))


def test_a_lease_that_is_given_up_is_free_at_once(db):
    now = timezone.now()
    lease_take(name="sweep", holder="one", now=now)

    lease_release(name="sweep", holder="two")
    assert not lease_take(name="sweep", holder="two", now=now)
    lease_release(name="sweep", holder="one")

    assert lease_take(name="sweep", holder="two", now=now)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("found", ["nothing", "a lease that ran out"])
def test_of_many_who_want_the_lease_at_the_same_moment_one_gets_it(found):
    now = timezone.now()
    if found != "nothing":
        JanitorLease.objects.create(name="sweep", holder="gone", until=now - SECOND)

    results = at_once(12, lambda index: lease_take(name="sweep", holder=f"process-{index}", now=now))

    assert sorted(results) == [False] * 11 + [True]
    assert JanitorLease.objects.get(name="sweep").holder == f"process-{results.index(True)}"


def test_only_the_holder_sweeps(ada):
    session = make_show(ada)
    yesterday = session.started_at - timedelta(days=1)
    StreamSession.objects.filter(pk=session.pk).update(started_at=yesterday)
    SessionTransition.objects.filter(session=session).update(created_at=yesterday)
    JanitorLease.objects.create(name="sessions", holder="another", until=timezone.now() + timedelta(minutes=1))

    assert janitor_tick("me") is False
    assert fate(session) == ("active", "")

    JanitorLease.objects.all().delete()
    assert janitor_tick("me") is True
    assert fate(session) == ("ended", "host_never_came")


def test_a_sweep_that_raises_keeps_no_other_from_its_work_and_is_named(ada, caplog):
    session = make_show(ada, state="initializing")
    long_ago = session.created_at - timedelta(seconds=settings.SESSION_START_TIMEOUT_SECONDS + 1)
    StreamSession.objects.filter(pk=session.pk).update(created_at=long_ago)
    done = []

    def breaking(*, now):
        raise ZeroDivisionError("by this sweep")

    def last(*, now):
        done.append(now)

    assert janitor_tick("me", (breaking, last)) is True
    assert janitor_tick("me", (breaking, last)) is True, "the next round tries again"

    assert len(done) == 2
    assert fate(session) == ("ended", "never_started")
    assert caplog.text.count("sweep=breaking") == 2


def test_the_janitor_forgets_old_deliveries(db):
    now = timezone.now()
    for days in (1, 13, 15):
        at = now - timedelta(days=days)
        ProviderDelivery.objects.create(
            provider="builtin", delivery_id=f"{days}", type="x", payload={}, received_at=at, applied_at=at
        )

    janitor_tick("me")

    assert sorted(ProviderDelivery.objects.values_list("delivery_id", flat=True)) == ["1", "13"]
