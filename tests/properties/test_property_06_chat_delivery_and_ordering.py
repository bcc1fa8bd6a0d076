"""Property 6 of the design."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.models import ChatMessage
from chat.posting import Post, messages_post
from livestream.actors import actor_of
from livestream.database import in_database
from livestream.realtime import runtime
from livestream.realtime.groups import room_group
from livestream.realtime.room_log import RoomLog
from livestream.realtime.socket_writer import Member
from streams.selectors import session_get
from tests.cast import make_show, make_user
from tests.properties.rooms import PARTS
from tests.still_clock import StillLoop, pass_time, still_loop, turns

pytestmark = pytest.mark.django_db

# (person, their client_id): the same pair again is a retry
SENDS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6)), min_size=1, max_size=24)


@given(sends=SENDS, sizes=st.lists(st.integers(1, 6), min_size=1))
def test_property_06_messages_have_one_order_and_retries_are_the_same_message(sends, sizes):
    """Feature: streaming-realtime-fixes, Property 06: chat delivery and ordering."""
    people = [make_user() for _ in range(3)]
    session = make_show(make_user())
    head = session_get(session.pk).head_seq
    acknowledged: dict[tuple[int, int], tuple[str, int]] = {}
    rest = list(sends)
    turn = 0
    while rest:
        size = sizes[turn % len(sizes)]
        turn += 1
        batch, rest = rest[:size], rest[size:]
        posts = [Post(session.pk, actor_of(people[who]), f"{who} {name}", f"c{name}") for who, name in batch]
        before = max((seq for _, seq in acknowledged.values()), default=head)
        for key, message in zip(batch, messages_post(posts=posts), strict=True):
            answer = str(message.pk), message.seq
            assert acknowledged.setdefault(key, answer) == answer
            assert key in acknowledged and (answer[1] > before or sends.index(key) < len(sends) - len(rest))

    stored = list(ChatMessage.objects.filter(session=session).order_by("seq").values_list("pk", "seq"))
    assert [seq for _, seq in stored] == list(range(head + 1, head + 1 + len(set(sends))))
    assert {(str(pk), seq) for pk, seq in stored} == set(acknowledged.values())
    first_sent = sorted(set(sends), key=sends.index)
    assert [acknowledged[key][1] for key in first_sent] == sorted(acknowledged[key][1] for key in first_sent)
    documents = PARTS.events(session.pk, head, session_get(session.pk).head_seq)
    assert [(document["data"]["id"], document["seq"]) for document in documents] == [
        (str(pk), seq) for pk, seq in stored
    ]


@given(
    number=st.integers(0, 40),
    start=st.integers(0, 3),
    seed=st.randoms(use_true_random=False),
    loss=st.floats(0, 0.6),
    doubling=st.floats(0, 0.6),
    window=st.integers(0, 12),
)
def test_property_06_whatever_the_layer_does_readers_see_each_event_once_and_in_order(
    number, start, seed: random.Random, loss, doubling, window
):
    """Feature: streaming-realtime-fixes, Property 06: chat delivery and ordering."""
    stored = [(seq, json.dumps({"seq": seq})) for seq in range(start + 1, start + 1 + number)]
    arriving = [event for event in stored if seed.random() >= loss]
    arriving += [event for event in arriving if seed.random() < doubling]
    arriving.sort(key=lambda event: event[0] + seed.uniform(0, window))
    log = RoomLog()
    log.start(start)
    seen = []
    for event in arriving:
        seen += log.admit([event])
        if log.early and seed.random() < 0.3:
            first, last = log.gap()
            seen += log.admit(stored[first - start - 1 : last - start])
    if log.last is not None and log.last < start + number:  # the beat reveals that the last ones were lost
        seen += log.admit(stored[log.last - start :])

    assert seen == stored
    assert log.early == {}
    for after in range(start, start + number + 1):
        assert log.since(after) == [text for seq, text in stored if seq > after]


@given(documents=st.lists(st.tuples(st.one_of(st.none(), st.integers(1, 30)), st.text(max_size=3)), max_size=40))
def test_property_06_what_carries_no_number_is_never_held_back_and_numbers_never_go_back(documents):
    """Feature: streaming-realtime-fixes, Property 06: chat delivery and ordering."""
    log = RoomLog()
    seen = []
    for document in documents:
        seen += log.admit([document])
    seen += log.give_up()

    assert [document for document in seen if document[0] is None] == [d for d in documents if d[0] is None]
    numbers = [seq for seq, _ in seen if seq is not None]
    assert numbers == sorted(set(numbers))


QUIET_SECONDS = 1.0
TICK_SECONDS = 0.0015  # of a room with one socket


@pytest.mark.django_db(transaction=True)
def test_property_06_a_message_reaches_the_room_while_no_time_passes():
    """Feature: streaming-realtime-fixes, Property 06: chat delivery and ordering."""

    async def run(sizes: list[int]) -> None:
        frames: list[dict[str, Any]] = []

        async def send(event: dict[str, Any]) -> None:
            frames.append(event)

        def shown() -> list[str]:
            events = [json.loads(line) for frame in frames for line in frame["text"].split("\n")]
            return [event["data"]["content"] for event in events if event["type"] == "chat.message"]

        session, author = await in_database(lambda: (make_show(make_user()), make_user()))
        hub, member = runtime.current().hub, Member(name="somebody", send=send)
        await hub.join(member=member, group=room_group(session.pk))
        said: list[str] = []
        for size in sizes:
            still_loop().now += QUIET_SECONDS  # no timer of the last messages is left
            await turns()
            texts = [f"text {len(said) + number}" for number in range(size)]
            said += texts
            posts = [Post(session.pk, actor_of(author), text, f"c{text}") for text in texts]
            await in_database(messages_post, posts=posts)
            await turns()
            assert said[: len(said) - size + 1] == shown()[: len(said) - size + 1], "written although no timer can run"
            await pass_time(TICK_SECONDS)
            assert shown() == said, "the thread may still have been handing over the rest: collected for a tick"
        hub.leave_all(member=member)

    @given(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    def holds(sizes: list[int]) -> None:
        still.run(run(sizes))

    before = runtime._hooks
    runtime.configure(runtime.Hooks(events=PARTS.events))
    with asyncio.Runner(loop_factory=StillLoop) as still:
        holds()
    runtime.configure(before)
