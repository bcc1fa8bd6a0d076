"""Limits of a resume: all missed events, or none and a snapshot."""

import json

import pytest

from chat.posting import Post, messages_post
from livestream.actors import actor_of
from livestream.realtime import runtime
from livestream.realtime.groups import room_group
from livestream.realtime.socket_writer import Member
from streams.selectors import RESUME_LIMIT
from streams.snapshot_cache import SharedRooms
from tests.cast import make_show, make_user
from tests.properties.rooms import PARTS
from tests.realtime.test_hub import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def realtime():
    """Run the realtime half of a process, without unrelated jobs."""
    before = runtime._hooks
    runtime.configure(runtime.Hooks(events=PARTS.events))
    yield runtime.current()
    await runtime.stop()
    runtime.configure(before)


async def ignore(event):
    """Accept everything, like a socket."""


async def test_the_limit_of_a_resume_holds_for_what_the_log_has_at_hand(ada, realtime):
    show = await runtime.in_database(make_show, ada)
    author = actor_of(await runtime.in_database(make_user))
    await realtime.hub.join(member=Member(name="ben", send=ignore), group=room_group(show.pk))
    rooms = SharedRooms(PARTS)
    await rooms.get(show.pk)
    posts = [Post(show.pk, author, "hello", f"{number}") for number in range(RESUME_LIMIT + 1)]
    (*_, last) = [message.seq for message in await runtime.in_database(lambda: messages_post(posts=posts))]
    log = rooms.log(show.pk)
    await until(lambda: log.last == last)
    room = await rooms.get(show.pk)

    assert len(log.since(last - RESUME_LIMIT - 1)) == RESUME_LIMIT + 1, "the log could tell it all"
    assert await rooms.missed(room, epoch=room.epoch, after=last - RESUME_LIMIT - 1) is None
    told = await rooms.missed(room, epoch=room.epoch, after=last - RESUME_LIMIT)
    assert [json.loads(text)["seq"] for text in told] == list(range(last - RESUME_LIMIT + 1, last + 1))


async def test_events_that_the_log_dropped_meanwhile_are_read_again(ada, realtime):
    show = await runtime.in_database(make_show, ada)
    author = actor_of(await runtime.in_database(make_user))
    await realtime.hub.join(member=Member(name="ben", send=ignore), group=room_group(show.pk))
    rooms = SharedRooms(PARTS)
    room = await rooms.get(show.pk)
    posts = [Post(show.pk, author, "hello", f"{number}") for number in range(3)]
    told = [message.seq for message in await runtime.in_database(lambda: messages_post(posts=posts))]
    log = rooms.log(show.pk)
    await until(lambda: log.last == told[-1])
    log.forget()  # as a filled gap does

    missed = await rooms.missed(room, epoch=room.epoch, after=room.seq)

    assert [json.loads(text)["seq"] for text in missed] == told
