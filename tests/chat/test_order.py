"""Many simultaneous senders: one order, no holes, no duplicates."""

import pytest

from chat.models import ChatMessage
from chat.posting import Post, message_post, messages_post
from chat.services import message_remove
from livestream.actors import actor_of
from streams.models import SessionEvent, SessionSettings, StreamSession
from streams.services.show.sessions import session_end, session_pause, session_resume
from tests.cast import make_show, make_user
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_messages_at_the_same_moment_have_fifty_numbers_without_a_hole(ada):
    session = make_show(ada)
    people = [make_user() for _ in range(10)]

    results = at_once(
        50,
        lambda index: (
            message_post(
                session_id=session.pk, actor=actor_of(people[index % 10]), text=f"{index}", client_id=f"{index}"
            ).seq
        ),
    )

    assert sorted(results) == list(range(2, 52))
    assert StreamSession.objects.get(pk=session.pk).head_seq == 51


def test_one_message_sent_fifty_times_at_the_same_moment_is_stored_once(ada, ben):
    session = make_show(ada)

    results = at_once(
        50,
        lambda _: message_post(session_id=session.pk, actor=actor_of(ben), text="once", client_id="the same"),
    )

    assert len({(message.pk, message.seq) for message in results}) == 1
    assert ChatMessage.objects.count() == 1
    assert StreamSession.objects.get(pk=session.pk).head_seq == 2


def test_what_was_stored_is_acknowledged_again_after_the_show_has_ended(ada, ben):
    session = make_show(ada)
    first = message_post(session_id=session.pk, actor=actor_of(ben), text="bye", client_id="c1")
    session_end(session_id=session.pk, actor=actor_of(ada))

    again, other = messages_post(
        posts=[Post(session.pk, actor_of(ben), "bye", "c1"), Post(session.pk, actor_of(ben), "late", "c2")]
    )

    assert (again.pk, again.seq) == (first.pk, first.seq)
    assert other.code == "session.ended"
    assert ChatMessage.objects.count() == 1


def test_one_message_that_is_known_does_not_hold_up_the_others_of_its_batch(ada, ben):
    session = make_show(ada)
    first = message_post(session_id=session.pk, actor=actor_of(ben), text="one", client_id="c1")

    outcomes = messages_post(
        posts=[Post(session.pk, actor_of(ben), f"{name}", name) for name in ("c2", "c1", "c3", "c2")]
    )

    assert [message.seq for message in outcomes] == [3, first.seq, 4, 3]
    assert ChatMessage.objects.count() == 3
    assert StreamSession.objects.get(pk=session.pk).head_seq == 4


def test_a_known_message_that_comes_again_does_not_start_the_wait_of_slow_mode(ada, ben):
    session = make_show(ada)
    message_post(session_id=session.pk, actor=actor_of(ben), text="one", client_id="c1")
    SessionSettings.objects.filter(pk=session.pk).update(slow_mode_seconds=60)

    message_post(session_id=session.pk, actor=actor_of(ben), text="one", client_id="c1")
    second = message_post(session_id=session.pk, actor=actor_of(ben), text="two", client_id="c2")

    assert second.content == "two"


def test_one_message_sent_fifty_times_in_slow_mode_is_acknowledged_every_time(ada, ben):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 60})

    results = at_once(
        50,
        lambda _: message_post(session_id=session.pk, actor=actor_of(ben), text="once", client_id="the same"),
    )

    assert {getattr(result, "seq", result) for result in results} == {2}
    assert ChatMessage.objects.count() == 1


def test_a_message_removed_by_many_at_the_same_moment_is_removed_once(ada, ben):
    session = make_show(ada)
    message = message_post(session_id=session.pk, actor=actor_of(ben), text="x", client_id="1")

    results = at_once(12, lambda _: message_remove(message_id=message.pk, actor=actor_of(ada)).removed_at)

    assert len(set(results)) == 1
    assert SessionEvent.objects.filter(session=session, type="chat.removed").count() == 1


def test_messages_removals_and_state_changes_share_one_sequence_without_holes(ada, ben):
    session = make_show(ada)
    known = [
        message_post(session_id=session.pk, actor=actor_of(ben), text="x", client_id=f"k{number}")
        for number in range(5)
    ]

    def act(index):
        if index % 5 == 0:
            return message_remove(message_id=known[index // 5].pk, actor=actor_of(ben))
        if index % 5 == 1:
            step = session_pause if index % 2 else session_resume
            return step(session_id=session.pk, actor=actor_of(ada))
        return message_post(session_id=session.pk, actor=actor_of(ben), text="x", client_id=f"{index}")

    results = at_once(25, act)

    assert not [result for result in results if isinstance(result, Exception)]
    used = [*ChatMessage.objects.values_list("seq", flat=True), *SessionEvent.objects.values_list("seq", flat=True)]
    assert sorted(used) == list(range(1, StreamSession.objects.get(pk=session.pk).head_seq + 1))
