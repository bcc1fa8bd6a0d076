"""Property 7 of the design."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.selectors import chat_page
from livestream.realtime.protocol import encode
from livestream.realtime.room_log import RoomLog
from streams.room_snapshot import recent_events
from tests.properties.reach import Reach
from tests.properties.rooms import HAPPENINGS, PARTS, ClientRoom, History

pytestmark = pytest.mark.django_db

STORY = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 50)), min_size=4, max_size=14)


def test_property_07_pages_in_either_direction_rebuild_exactly_the_chat():
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    show, reach = History(snapshots=False), Reach()

    @given(story=STORY, limits=st.lists(st.integers(1, 7), min_size=1))
    def holds(story, limits):
        with show.example() as history, reach.example():
            for what, which in story:
                history.happen(what, which)
            whole = history.look()["messages"]
            pk = history.session.pk

            backwards, before, turn = [], None, 0
            while page := chat_page(session_id=pk, before=before, limit=limits[turn % len(limits)]):
                assert len(page) <= limits[turn % len(limits)]
                backwards, before, turn = page + backwards, page[0]["seq"], turn + 1
            forwards, after, turn = [], 0, 0
            while page := chat_page(session_id=pk, after=after, limit=limits[turn % len(limits)]):
                forwards, after, turn = forwards + page, page[-1]["seq"], turn + 1

            assert backwards == forwards == whole
            removed = sum(message["removed"] for message in whole)
            reach.note("turned" if turn > 1 else "one_page", f"pages_of_{limits[0]}")
            if removed > 1:
                reach.note("removed_more")

    holds()

    reach.require(turned=60, removed_more=5)


def test_property_07_a_client_that_comes_back_shows_what_a_new_one_shows():
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    show, reach = History(), Reach()
    known = len(show.snapshots)

    @given(story=STORY, left_at=st.integers(0, 14))
    def holds(story, left_at):
        with show.example() as history, reach.example():
            for what, which in story:
                history.happen(what, which)
            returning = ClientRoom.of(history.snapshots[known - 1 + min(left_at, len(story))])
            missed = history.events(after=returning.seq)

            for event in missed:
                returning.apply(event)

            assert returning.shown() == ClientRoom.of(history.look()).shown()
            reach.note(*(event["type"].replace(".", "_") for event in missed))

    holds()

    reach.require(chat_message=20, chat_removed=8, session_changed=6, settings_changed=8, stage_changed=5)


def test_property_07_the_rooms_log_fills_a_gap_wholly_or_not_at_all():
    """Feature: streaming-realtime-fixes, Property 07: chat history and synchronisation."""
    show, reach = History(snapshots=False), Reach()

    @given(story=STORY, known=st.integers(0, 24), after=st.integers(-2, 28))
    def holds(story, known, after):
        with show.example() as history, reach.example():
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
            reach.note("filled" if unprimed is None and wanted else "known", "ahead" if after > head else "behind")

    holds()

    reach.require(filled=5, known=10, ahead=2, behind=20)
