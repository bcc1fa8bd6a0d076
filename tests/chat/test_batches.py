"""Batches that cannot be stored at once: a conflict in one room or message does not affect the others."""

import pytest
from django.db import transaction

from chat.models import ChatMessage
from chat.posting import Post, _post, message_post
from livestream.actors import actor_of
from livestream.errors import Conflict, TooMany
from streams.models import StreamSession
from streams.services.show.sequence import seqs_take_while_open
from tests.cast import make_show

pytestmark = pytest.mark.django_db


@pytest.fixture
def rooms(ada):
    return [make_show(ada).pk for _ in range(2)]


def codes(outcomes):
    """Return the numbers of stored messages, the codes of refusals, and None for messages that must be posted again."""
    return [getattr(one, "seq", None) or getattr(one, "code", one) for one in outcomes]


def test_a_room_that_ends_between_check_and_insert_refuses_its_own_messages_alone(rooms, ben):
    ending, open_ = rooms

    def take(counts):
        if ending in counts:
            raise Conflict("session.ended", "This show has ended and its chat is closed.")
        return seqs_take_while_open(counts)

    posts = [Post(room, actor_of(ben), "hello", name) for room, name in ((ending, "1"), (open_, "2"), (open_, "3"))]
    outcomes = _post(posts, take)

    assert codes(outcomes) == ["session.ended", 2, 3]
    assert list(ChatMessage.objects.values_list("session_id", "client_id")) == [(open_, "2"), (open_, "3")]
    assert StreamSession.objects.get(pk=ending).head_seq == 1


def test_one_by_one_a_held_room_keeps_its_order_and_the_other_room_goes_on(rooms, ben):
    held, free = rooms
    asked = []

    def take(counts):
        asked.append(dict(counts))
        if len(counts) > 1:
            raise Conflict("session.ended", "One of these rooms has just ended, and is open again.")
        return {} if held in counts else seqs_take_while_open(counts)

    posts = [Post(room, actor_of(ben), "hello", name) for room, name in ((held, "1"), (free, "2"), (held, "3"))]
    outcomes = _post(posts, take)

    assert codes(outcomes) == [None, 2, None]
    assert asked == [{held: 2, free: 1}] * 2 + [{held: 1}, {free: 1}], "what came after a held message is not tried"


def test_a_message_in_one_slow_room_does_not_slow_its_sender_down_in_another(ada, ben):
    slow = {"slow_mode_seconds": 30}
    one, other = make_show(ada, settings_changes=slow), make_show(ada, settings_changes=slow)

    # A name of its own for each: a repeated message is not a second one.
    for room, name in ((one, "1"), (other, "2")):
        assert message_post(session_id=room.pk, actor=actor_of(ben), text="hello", client_id=name).seq == 2
    for room, name in ((one, "3"), (other, "4")):
        with pytest.raises(TooMany, match=r"chat\.slow_mode"):
            message_post(session_id=room.pk, actor=actor_of(ben), text="hello", client_id=name)


def test_a_message_that_was_rolled_back_is_no_second_one_in_slow_mode(ada, ben):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 30})
    with transaction.atomic():
        message_post(session_id=session.pk, actor=actor_of(ben), text="hello", client_id="1")
        transaction.set_rollback(True)

    assert message_post(session_id=session.pk, actor=actor_of(ben), text="hello", client_id="1").seq == 2


def test_while_the_cache_is_away_people_write_without_slow_mode_and_it_is_logged(ada, ben, settings, caplog):
    session = make_show(ada, settings_changes={"slow_mode_seconds": 30})
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9"}
    }

    seqs = [message_post(session_id=session.pk, actor=actor_of(ben), text="hello", client_id=name).seq for name in "12"]

    assert seqs == [2, 3]
    assert "slow mode off" in caplog.text
