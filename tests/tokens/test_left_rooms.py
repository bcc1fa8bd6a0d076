"""Rooms that shows have left are closed, however often their provider has to be asked, and stay closed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from livestream.actors import actor_of
from livestream.circuit_breaker import circuits_forget
from livestream.errors import Invalid
from streams.janitor import janitor_tick
from streams.models import LeftRoom, StreamSession
from streams.selectors import session_get
from streams.services.provider.room_cleanup import left_rooms_close
from streams.services.show.provider_failover import _swap, channel_renew, session_provider_switch
from streams.services.show.sessions import session_end, session_fail, session_update
from tests.cast import make_show, make_user
from tests.tokens.rooms import PUBLISH, channel, issue

pytestmark = pytest.mark.django_db


def later(seconds):
    """So long from now the janitor's sweep comes; how many rooms it closed."""
    return left_rooms_close(now=timezone.now() + timedelta(seconds=seconds))


def deleted(livekit):
    """The rooms that LiveKit was asked to delete, in order; forgotten with that."""
    rooms = [body["room"] for _, path, body in livekit.requests if path.endswith("/DeleteRoom")]
    livekit.requests.clear()
    return rooms


def answers(server, *, again=True):
    """The vendor is there again, or has gone."""
    server.broken = [] if again else [503] * 1000
    circuits_forget()


def left_open(livekit, host):
    """A show whose end LiveKit never heard of, with its host still in the room."""
    session = make_show(host, provider="livekit")
    held = issue(session, host, PUBLISH)
    livekit.enter(held.channel_id, held.uid, ("video",))
    answers(livekit, again=False)
    session_end(session_id=session.pk, actor=actor_of(host))
    answers(livekit)
    livekit.requests.clear()
    return held.channel_id


# ---- Shows that are over ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["livekit", "agora", "daily"])
@pytest.mark.parametrize("end", [session_end, session_fail])
def test_a_show_that_ends_while_its_provider_is_away_is_closed_there_later(request, ada, ben, vendor, end):
    server = request.getfixturevalue(vendor)
    session = make_show(ada, provider=vendor)
    for held in (issue(session, ada, PUBLISH), issue(session, ben)):
        server.enter(held.channel_id, held.uid)
    answers(server, again=False)
    end(session_id=session.pk, actor=actor_of(ada))
    assert later(seconds=3) == 0
    assert server.present(session.channel_id)
    answers(server)

    assert later(seconds=10) == 1
    assert not server.present(session.channel_id)
    assert not LeftRoom.objects.exists()
    assert server.mistakes == []


def test_a_stream_that_could_not_be_ended_is_ended_by_its_own_name(mux, ada):
    session = make_show(ada, provider="mux", session_type="encoder")
    issue(session, ada, PUBLISH)
    (stream,) = mux.streams
    answers(mux, again=False)
    session_end(session_id=session.pk, actor=actor_of(ada))
    answers(mux)
    mux.requests.clear()

    later(seconds=3)

    assert [path.rsplit("/", 2)[1:] for _, path, _ in mux.requests] == [[stream, "complete"], [stream, "disable"]]


def test_a_show_that_is_closed_at_its_end_is_not_closed_again(livekit, ada):
    session = make_show(ada, provider="livekit")
    session_end(session_id=session.pk, actor=actor_of(ada))

    assert deleted(livekit) == [session.channel_id]
    assert later(seconds=60) == 0
    assert not LeftRoom.objects.exists()


@pytest.mark.parametrize("vendor", ["builtin", "whip"])
def test_what_has_a_sweep_of_its_own_is_not_written_down(whip, ada, vendor):
    session_end(session_id=make_show(ada, provider=vendor).pk, actor=actor_of(ada))

    assert not LeftRoom.objects.exists()


def test_a_show_ends_though_it_names_a_provider_that_is_gone(livekit, settings, ada):
    session = make_show(ada, provider="livekit")
    settings.PROVIDERS = {name: path for name, path in settings.PROVIDERS.items() if name != "livekit"}

    with pytest.raises(Invalid):  # said once it is over: nobody knows its room
        session_end(session_id=session.pk, actor=actor_of(ada))

    assert session_get(session.pk).state == "ended"
    assert later(seconds=60) == 0


def test_the_janitor_closes_them(livekit, ada):
    room = left_open(livekit, ada)
    LeftRoom.objects.update(next_at=timezone.now())

    assert janitor_tick("one of many")

    assert not livekit.present(room)


# ---- Shows that go on elsewhere --------------------------------------------------------------------------------------


def test_a_show_that_went_to_another_provider_leaves_a_room_that_stays_closed(livekit, agora, ada):
    session = make_show(ada, provider="livekit")
    answers(livekit, again=False)
    session_provider_switch(session_id=session.pk, actor=actor_of(ada), provider="agora")
    answers(livekit)
    livekit.requests.clear()

    assert [later(seconds) for seconds in (3, 4, 9)] == [1, 0, 0]
    assert deleted(livekit) == [session.channel_id]


def test_a_show_that_turned_private_is_closed_where_everybody_could_enter(livekit, ada):
    session = make_show(ada, provider="livekit")
    answers(livekit, again=False)
    session_update(session_id=session.pk, actor=actor_of(ada), changes={"visibility": "private"})
    answers(livekit)
    livekit.requests.clear()

    assert later(seconds=3) == 1
    assert deleted(livekit) == [session.channel_id]


@pytest.mark.parametrize("vendor", ["agora", "daily", "livekit"])
def test_a_room_that_was_left_is_closed_once(request, ada, vendor):
    request.getfixturevalue(vendor)
    session = make_show(ada, provider=vendor)

    session_update(session_id=session.pk, actor=actor_of(ada), changes={"visibility": "private"})

    assert not LeftRoom.objects.exists()


def test_the_room_that_is_left_is_the_one_of_this_moment(livekit, ada):
    """Whoever leaves may have read the show before somebody else moved it."""
    stale = make_show(ada, provider="livekit")
    StreamSession.objects.filter(pk=stale.pk).update(channel_id="moved-meanwhile")

    assert not _swap(stale, provider="builtin", now=timezone.now())
    channel_renew(session=stale, now=timezone.now())

    assert LeftRoom.objects.get().channel_id == "moved-meanwhile"
    assert channel(stale) != "moved-meanwhile"


# ---- Trouble ---------------------------------------------------------------------------------------------------------


def test_a_provider_that_does_not_answer_is_asked_about_one_room_in_a_round(livekit, agora, ada):
    rooms = {left_open(livekit, make_user()) for _ in range(3)}
    session = make_show(ada, provider="agora")
    answers(agora, again=False)
    session_end(session_id=session.pk, actor=actor_of(ada))
    answers(agora)
    answers(livekit, again=False)

    assert later(seconds=3) == 1  # Agora's
    first = set(deleted(livekit))
    circuits_forget()
    assert later(seconds=3) == 0  # not yet again
    assert later(seconds=6) == 0
    second = set(deleted(livekit))
    answers(livekit)

    assert len(first) == len(second) == 1
    assert first != second
    assert first | second < rooms
    assert later(seconds=20) == 3


def test_a_refusal_keeps_no_other_room_open_and_is_asked_about_again_after_a_minute(livekit, ada, ben):
    rooms = [left_open(livekit, user) for user in (ada, ben)]
    livekit.broken = [401]

    assert later(seconds=3) == 1
    assert [room for room in rooms if livekit.present(room)] == rooms[:1]
    assert [later(seconds) for seconds in (10, 60, 64)] == [0, 0, 1]


def test_what_is_refused_at_the_end_is_asked_about_again_after_a_minute(livekit, ada):
    session = make_show(ada, provider="livekit")
    livekit.broken = [401]
    session_end(session_id=session.pk, actor=actor_of(ada))

    assert [later(seconds) for seconds in (10, 55, 62)] == [0, 0, 1]


def test_after_a_day_a_refusal_is_the_last_word_and_silence_is_not(livekit, ada):
    left_open(livekit, ada)
    livekit.broken = [503] * 3
    later(seconds=25 * 3600)
    assert LeftRoom.objects.exists()
    circuits_forget()
    livekit.broken = [401]

    later(seconds=25 * 3600 + 10)

    assert not LeftRoom.objects.exists()


def test_many_rooms_need_no_more_queries_than_one(livekit):
    counts = []
    for rooms in (1, 3):
        for _ in range(rooms):
            session = make_show(make_user(), provider="livekit")
            answers(livekit, again=False)
            session_end(session_id=session.pk, actor=actor_of(session.host))
            answers(livekit)
        with CaptureQueriesContext(connection) as queries:
            assert later(seconds=3) == rooms
        counts.append(len(queries))
        LeftRoom.objects.all().delete()

    assert counts[0] == counts[1] <= 6
