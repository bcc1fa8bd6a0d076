"""Property 13 of the design."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from chat.models import ChatMessage
from chat.payloads import message_payload
from chat.posting import Post, message_post, messages_post
from chat.selectors import chat_page, message_documents
from chat.text import text_clean
from livestream.actors import actor_of
from livestream.errors import Invalid
from streams.selectors import session_get
from tests.cast import make_show, make_user

pytestmark = pytest.mark.django_db

TEXTS = st.lists(
    st.one_of(st.text(max_size=60), st.sampled_from(["", "  ", "x" * 501, "<b>", "é\u0301" * 3])),
    min_size=2,
    max_size=10,
)

QUERIES_A_BATCH = 12


def is_good(text):
    try:
        text_clean(text)
    except Invalid:
        return False
    return True


@given(texts=TEXTS)
def test_property_13_what_was_acknowledged_is_there_at_once_in_order_and_word_for_word(texts):
    """Feature: streaming-realtime-fixes, Property 13: chat persistence and consistency."""
    user = make_user()
    session = make_show(make_user())
    kept = []
    for number, text in enumerate(texts):
        try:
            message = message_post(session_id=session.pk, actor=actor_of(user), text=text, client_id=f"{number}")
        except Invalid:
            assert not is_good(text)
            continue
        kept.append(text_clean(text))
        assert ChatMessage.objects.get(pk=message.pk).content == kept[-1]
        last = chat_page(session_id=session.pk, limit=1)
        assert last == [message_payload(message)]
        assert message_documents(session.pk, message.seq - 1, message.seq)[0]["data"] == last[0]

    assert [message["content"] for message in chat_page(session_id=session.pk, limit=100)] == kept
    assert session_get(session.pk).head_seq == 1 + len(kept)


@given(texts=TEXTS)
def test_property_13_a_batch_stores_what_the_same_messages_one_by_one_store(texts):
    """Feature: streaming-realtime-fixes, Property 13: chat persistence and consistency."""
    users = [make_user(), make_user()]
    together, apart = make_show(users[0]), make_show(users[0])

    def posts(session):
        return [
            Post(session.pk, actor_of(users[number % 2]), text, f"{number // 2}") for number, text in enumerate(texts)
        ]

    def told(outcome):
        return (outcome.seq, outcome.content, outcome.role) if isinstance(outcome, ChatMessage) else outcome.code

    with CaptureQueriesContext(connection) as queries:
        batch = [told(outcome) for outcome in messages_post(posts=posts(together))]
    singles = [told(messages_post(posts=[post])[0]) for post in posts(apart)]

    assert batch == singles
    assert len(queries) <= QUERIES_A_BATCH, "a batch of any size takes the same few visits to the database"
    assert session_get(together.pk).head_seq == session_get(apart.pk).head_seq
