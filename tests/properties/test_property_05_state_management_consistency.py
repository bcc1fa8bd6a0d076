"""Property 5 of the design."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestream.actors import actor_of
from livestream.errors import Conflict, Denied
from streams.models import SessionTransition
from streams.room import room_load
from streams.selectors import session_get, sessions_visible_to
from streams.services.show.sessions import session_end, session_pause, session_resume, session_start
from tests.cast import let_in, make_show, make_user
from tests.properties.rooms import HAPPENINGS, PARTS, ClientRoom, History, LifeModel

STEPS = {"start": session_start, "pause": session_pause, "resume": session_resume, "end": session_end}
ACTS = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(["host", "host", "viewer", "staff"])), max_size=8
)

pytestmark = pytest.mark.django_db


@given(ACTS)
def test_property_05_every_view_of_a_session_has_the_state_of_the_model(acts):
    """Feature: streaming-realtime-fixes, Property 05: state management consistency."""
    host, viewer, staff = make_user(), make_user(), make_user(is_staff=True)
    people = {"host": host, "viewer": viewer, "staff": staff}
    session = make_show(host, state="initializing")
    let_in(session, viewer)
    model = LifeModel()
    for step, who in acts:
        allowed = who == "host" or (who == "staff" and step == "end")
        outcome = model.take(step) if allowed else "denied"
        try:
            result = STEPS[step](session_id=session.pk, actor=actor_of(people[who]))
        except Conflict as error:
            assert (outcome, error.code) == ("refused", "session.illegal_transition")
        except Denied as error:
            assert (outcome, error.code) == ("denied", "session.not_host")
        else:
            assert outcome in ("moved", "held")
            assert result.state == model.state

        stored = session_get(session.pk)
        listed = sessions_visible_to(actor_of(viewer)).get(pk=session.pk)
        snapshot = room_load(session.pk, PARTS).common
        assert {stored.state, listed.state, snapshot["session"]["state"]} == {model.state}
        assert stored.version == len(model.moves) == snapshot["seq"] == snapshot["session"]["version"]
    rows = SessionTransition.objects.filter(session=session, version__gt=0).order_by("version")
    assert [(row.from_state, row.to_state) for row in rows] == model.moves


@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 50)), max_size=12))
def test_property_05_the_state_before_and_the_events_make_the_state_after(happenings):
    """Feature: streaming-realtime-fixes, Property 05: state management consistency."""
    history = History()
    for what, which in happenings:
        before = ClientRoom.of(history.snapshots[-1])
        history.happen(what, which)
        for event in history.events(after=before.seq):
            before.apply(event)
        assert before.shown() == ClientRoom.of(history.snapshots[-1]).shown()
