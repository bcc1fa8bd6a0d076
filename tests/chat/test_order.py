"""Many who write at the same moment: one order, no holes, nothing twice."""

import pytest

from chat.models import ChatMessage
from chat.posting import message_post
from chat.services import message_remove
from livestream.actors import actor_of
from streams.models import SessionEvent, StreamSession
from streams.services.sessions import session_pause, session_resume
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
