"""The fast parser of `chat.send` and the serializer agree."""

from hypothesis import example, given
from hypothesis import strategies as st

from chat.serializers import MAX_CLIENT_ID, MAX_TEXT, MessagePost, usual_post

TEXTS = st.text() | st.text("aü \n\x00\u200b\ud800", max_size=8) | st.just("x" * (MAX_TEXT + 1))
NAMES = st.text(max_size=MAX_CLIENT_ID + 2) | st.text("ab ", max_size=4) | st.just("n" * MAX_CLIENT_ID)
OTHERS = st.none() | st.integers() | st.booleans() | st.lists(st.integers())
DATA = st.fixed_dictionaries(
    {"text": TEXTS | OTHERS, "client_id": NAMES | OTHERS},
    optional={"reply_to": st.none(), "message_type": st.just("user_message"), "more": OTHERS},
)


@given(DATA)
@example({"text": "", "client_id": "a"})
@example({"text": "hello", "client_id": " a"})
@example({"text": "hello", "client_id": "\ud800"})
def test_what_is_read_the_short_way_is_what_the_serializer_reads(data):
    read = usual_post(data)

    assert read is None or read == MessagePost().run_validation(data)


def test_a_plain_message_is_read_the_short_way():
    assert usual_post({"text": "Grüezi, 100 €!", "client_id": "c1"}) == {"text": "Grüezi, 100 €!", "client_id": "c1"}


def test_what_is_missing_or_more_is_left_to_the_serializer():
    assert usual_post({"text": "hello"}) is None
    assert usual_post({"text": "hello", "client_id": "c1", "reply_to": None}) is None
    assert usual_post({}) is None
