"""Property 7 of the design."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.selectors import chat_page
from livestream.realtime.protocol import encode
from livestream.realtime.room_log import RoomLog
from streams.room import recent_events
from tests.properties.rooms import HAPPENINGS, PARTS, ClientRoom, History

pytestmark = pytest.mark.django_db

STORY = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 50)), max_size=16)


@given(story=STORY, limits=st.lists(st.integers(1, 7), min_size=1))
def test_property_07_pages_in_either_direction_rebuild_exactly_the_chat(story, limits):
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    history = History(snapshots=False)
    for what, which in story:
        history.happen(what, which)
    whole = history.look()["messages"]

    backwards, before, turn = [], None, 0
    while page := chat_page(session_id=history.session.pk, before=before, limit=limits[turn % len(limits)]):
        assert len(page) <= limits[turn % len(limits)]
        backwards, before, turn = page + backwards, page[0]["seq"], turn + 1
    forwards, after, turn = [], 0, 0
    while page := chat_page(session_id=history.session.pk, after=after, limit=limits[turn % len(limits)]):
        forwards, after, turn = forwards + page, page[-1]["seq"], turn + 1

    assert backwards == forwards == whole


@given(story=STORY, left_at=st.integers(0, 16))
def test_property_07_a_client_that_comes_back_shows_what_a_new_one_shows(story, left_at):
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    history = History()
    for what, which in story:
        history.happen(what, which)
    returning = ClientRoom.of(history.snapshots[min(left_at, len(story))])

    for event in history.events(after=returning.seq):
        returning.apply(event)

    assert returning.shown() == ClientRoom.of(history.look()).shown()


@given(story=STORY, known=st.integers(0, 16), after=st.integers(-2, 20))
def test_property_07_the_rooms_log_fills_a_gap_wholly_or_not_at_all(story, known, after):
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    history = History(snapshots=False)
    for what, which in story:
        history.happen(what, which)
    events = [(event["seq"], encode(event)) for event in history.events()]
    head, documents = recent_events(history.session.pk, PARTS)
    log = RoomLog()
    log.start(min(known, head))
    log.admit(events[min(known, head) :])
    unprimed = log.since(after)
    log.prime([(document["seq"], encode(document)) for document in documents], head)

    wanted = [text for seq, text in events if seq > after] if 0 <= after <= head else None
    if after >= 0:
        assert unprimed in (None, wanted)
        assert log.since(after) == wanted
