"""Property 14 of the design."""

from datetime import timedelta

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import SYSTEM, actor_of
from livestream.errors import DomainError
from streams.models import Participant, SessionEvent, SessionTransition, StreamSession
from streams.selectors import session_get
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.show.sessions import session_end, session_fail, session_pause, session_resume, session_start
from streams.services.show.sweeps import sessions_expire
from tests.cast import let_in, make_show, make_user

pytestmark = pytest.mark.django_db

STEPS = {"start": session_start, "pause": session_pause, "resume": session_resume, "end": session_end}
ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*sorted(STEPS), "seen", "lost", "join", "fail"]), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 59, 61, 700, 5 * 3600, 25 * 3600])),
    ),
    max_size=10,
)


def shift(session, seconds):
    """Time passes: everything that happened so far happened longer ago."""
    ago = timedelta(seconds=seconds)
    row = StreamSession.objects.get(pk=session.pk)
    names = ("created_at", "started_at", "paused_at", "ended_at", "host_lease_at", "host_lost_at")
    moments = {name: getattr(row, name) - ago for name in names if getattr(row, name) is not None}
    StreamSession.objects.filter(pk=session.pk).update(**moments)
    for transition in SessionTransition.objects.filter(session=session):
        SessionTransition.objects.filter(pk=transition.pk).update(created_at=transition.created_at - ago)


def due(row, now):
    """Why the rules end this session now; None while they do not."""

    def past(moment, seconds):
        return moment is not None and moment + timedelta(seconds=seconds) < now

    if row.state == "initializing":
        return "never_started" if past(row.created_at, settings.SESSION_START_TIMEOUT_SECONDS) else None
    if row.state == "paused":
        return "paused_too_long" if past(row.paused_at, settings.PAUSE_TIMEOUT_SECONDS) else None
    if row.state == "active":
        on_since = row.transitions.filter(to_state="active").order_by("-version").first().created_at
        if row.host_lease_at is None and past(on_since, settings.HOST_ARRIVAL_SECONDS):
            return "host_never_came"
        if past(row.host_lost_at, row.settings.grace_seconds):
            return "host_lost"
    return None


@given(acts=ACTS)
def test_property_14_a_session_lives_by_the_table_and_leaves_nothing_behind(acts):
    """Feature: streaming-realtime-fixes, Property 14: session lifecycle."""
    host, viewer = make_user(), make_user()
    session = make_show(host, state="initializing")
    let_in(session, viewer)
    ended_with = None
    for act, seconds in acts:
        before = session_get(session.pk)
        now = before.created_at.now(before.created_at.tzinfo)
        try:
            match act:
                case "wait":
                    shift(session, seconds)
                    expected = due(session_get(session.pk), now)
                    sessions_expire(now=now)
                    after = session_get(session.pk)
                    assert (after.state, after.end_reason) == (
                        ("ended", expected) if expected else (before.state, before.end_reason)
                    )
                case "seen":
                    host_seen(session_id=session.pk, at=now)
                case "lost":
                    host_lost(session_id=session.pk, at=now)
                case "join":
                    let_in(session, viewer) if before.state not in ("ended", "error") else None
                case "fail":
                    session_fail(session_id=session.pk, actor=SYSTEM)
                case step:
                    STEPS[step](session_id=session.pk, actor=actor_of(host))
        except DomainError as error:
            assert error.code == "session.illegal_transition"
        after = session_get(session.pk)
        if before.state == "ended":
            assert (after.state, after.version, after.head_seq) == ("ended", before.version, before.head_seq)
        if after.state in ("ended", "error") and before.state not in ("ended", "error"):
            ended_with = after.end_reason
        holds(after, ended_with)


def holds(row, ended_with):
    """What is true of a session at any time."""
    over = row.state in ("ended", "error")
    assert (row.ended_at is not None) == over
    assert row.end_reason == (ended_with if over else "")
    assert (row.paused_at is not None) or row.state != "paused"
    assert (row.started_at is not None) or row.state in ("initializing", "ended", "error")
    here = Participant.objects.filter(session=row, status="active").count()
    assert here == 0 if over else here >= 1
    if over:
        assert (row.viewer_count, row.guest_count) == (0, 0)
    moves = list(SessionTransition.objects.filter(session=row, version__gt=0).order_by("version"))
    told = list(SessionEvent.objects.filter(session=row, type="session.changed").order_by("seq"))
    assert [move.version for move in moves] == list(range(1, row.version + 1))
    assert [move.to_state for move in moves] == [event.data["session"]["state"] for event in told]
    assert row.state == (moves[-1].to_state if moves else "initializing")
