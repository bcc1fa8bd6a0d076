"""The process's chat writer: one outcome for each message, one order in each room, and no wait for another room."""

import asyncio
import threading
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from chat import writer as writer_module
from chat.models import ChatMessage
from chat.posting import Post
from chat.writer import BATCH_LIMIT, HELD_LANES, ChatWriter
from livestream.actors import actor_of
from livestream.database import CHAT, in_database
from streams.models import StreamSession
from tests.cast import make_show, make_user

pytestmark = pytest.mark.django_db(transaction=True)

locks_rows = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one lock for everything")
SOON = 1.0  # below the database's lock_timeout of 2 s


@pytest.fixture
def rooms(ada):
    """More rooms than can be held at a time without waiting for a lane."""
    return [make_show(ada).pk for _ in range(HELD_LANES + 2)]


@asynccontextmanager
async def writing():
    """Run a writer."""
    writer = ChatWriter()
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def held(model, *keys):
    """Lock these rows in another transaction, until the block ends or the given event is set."""
    taken, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert len(model.objects.select_for_update().filter(pk__in=keys)) == len(keys)
            taken.set()
            leave.wait(20)

    holding = asyncio.create_task(in_database(hold))
    await asyncio.to_thread(taken.wait, 5)
    try:
        yield leave
    finally:
        leave.set()
        await holding


def say(writer, room, person, name, text="x"):
    """Send a message without waiting."""
    return asyncio.create_task(writer.post(Post(room, actor_of(person), text, name)))


async def answers(posts, seconds=SOON):
    """Return the numbers of the messages, or the codes of refusals."""
    async with asyncio.timeout(seconds):
        results = await asyncio.gather(*posts, return_exceptions=True)
    return [getattr(result, "seq", None) or getattr(result, "code", result) for result in results]


def stored(room):
    """Return a room's stored messages, in order."""
    return list(ChatMessage.objects.filter(session_id=room).order_by("seq").values_list("seq", "client_id"))


# ---- Rooms that are held -----------------------------------------------------------------------------------------


@locks_rows
async def test_a_room_that_is_held_delays_only_its_own_senders(rooms, ben):
    async with writing() as writer:
        async with held(StreamSession, rooms[0]):
            slow = [say(writer, rooms[0], ben, "s1"), say(writer, rooms[0], ben, "s2")]
            others = [say(writer, room, ben, "o1") for room in rooms[1:]]

            assert await answers(others) == [2] * len(others)
            assert not any(post.done() for post in slow)
        assert await answers(slow) == [2, 3]
        assert await answers([say(writer, rooms[0], ben, "s3")]) == [4]


@locks_rows
async def test_more_rooms_than_lanes_may_be_held(rooms, ben, cleo):
    async with writing() as writer:
        async with held(StreamSession, *rooms[1:]):
            slow = [say(writer, room, ben, "s1") for room in rooms[1:]]

            assert await answers([say(writer, rooms[0], cleo, "o1")]) == [2]
            assert not any(post.done() for post in slow)
        assert await answers(slow) == [2] * len(slow)


@locks_rows
async def test_a_person_who_is_held_delays_only_the_rooms_where_he_writes(rooms, ben, cleo):
    async with writing() as writer:
        async with held(User, ben.pk):
            slow = say(writer, rooms[0], ben, "s1")
            others = [say(writer, room, cleo, "o1") for room in rooms[1:]]

            assert await answers(others) == [2] * len(others)
            assert not slow.done()
        assert await answers([slow]) == [2]


@locks_rows
async def test_what_comes_while_a_room_is_held_stands_behind_what_came_before(rooms, ben):
    room = rooms[0]
    async with writing() as writer:
        async with held(StreamSession, room):
            posts = []
            for number in range(20):
                posts.append(say(writer, room, ben, f"m{number}"))
                await asyncio.sleep(0.01)
        posts += [say(writer, room, ben, f"m{number}") for number in range(20, 40)]

        assert await answers(posts) == list(range(2, 42))
    assert await in_database(stored, room) == [(number + 2, f"m{number}") for number in range(40)]


@locks_rows
async def test_one_message_sent_again_while_its_room_is_held_is_stored_once(rooms, ben):
    async with writing() as writer:
        async with held(StreamSession, rooms[0]):
            posts = [say(writer, rooms[0], ben, "once")]
            await asyncio.sleep(0.2)
            posts += [say(writer, rooms[0], ben, "once"), say(writer, rooms[0], ben, "other")]

        assert await answers(posts) == [2, 2, 3]


@locks_rows
async def test_who_waits_too_long_is_refused_and_may_send_it_again(rooms, ben):
    async with writing() as writer:
        async with held(StreamSession, rooms[0]):
            assert await answers([say(writer, rooms[0], ben, "m1")], seconds=4) == ["chat.unavailable"]

        assert await answers([say(writer, rooms[0], ben, "m1"), say(writer, rooms[0], ben, "m2")]) == [2, 3]


@locks_rows
async def test_a_held_room_whose_queue_is_full_refuses_and_the_others_go_on(rooms, ben, cleo):
    async with writing() as writer:
        async with held(StreamSession, rooms[0]):
            first = say(writer, rooms[0], ben, "m0")
            await asyncio.sleep(0.3)
            queued = [say(writer, rooms[0], ben, f"m{number}") for number in range(1, BATCH_LIMIT + 1)]
            await asyncio.sleep(0)

            assert await answers([say(writer, rooms[0], ben, "one too many")]) == ["chat.unavailable"]
            assert await answers([say(writer, rooms[1], cleo, "o1")]) == [2]
        assert await answers([first, *queued], seconds=5) == list(range(2, BATCH_LIMIT + 3))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 1), st.integers(0, 29)),
        st.tuples(st.just("say"), st.integers(0, 1), st.integers(0, 29)),
        st.tuples(st.just("hold"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("let go"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.sampled_from([5, 20, 60])),
    ),
    min_size=10,
    max_size=40,
)


async def live_through(steps, rooms, person):
    """Write while rooms are locked and released; return each room's stored texts by name, in order, and the answers."""
    said = {room: [] for room in rooms}
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(writing())
        holds = {}
        for step, which, number in steps:
            room = rooms[which]
            match step:
                case "say":
                    said[room].append((f"m{number}", say(writer, room, person, f"m{number}")))
                    await asyncio.sleep(0)
                case "hold" if room not in holds:
                    holds[room] = await stack.enter_async_context(held(StreamSession, room))
                case "let go" if room in holds:
                    holds.pop(room).set()
                case "wait":
                    await asyncio.sleep(number / 1000)
        for leave in holds.values():
            leave.set()
        return {room: [(name, (await answers([post]))[0]) for name, post in posts] for room, posts in said.items()}


@locks_rows
@given(steps=STEPS)
def test_whatever_is_held_meanwhile_each_room_keeps_its_order_and_each_message_has_one_number(steps):
    person = make_user()
    rooms = [make_show(person).pk for _ in range(2)]

    said = asyncio.run(live_through(steps, rooms, person))

    for room, answered in said.items():
        numbers = dict(reversed(answered))
        assert answered == [(name, numbers[name]) for name, _ in answered], "a message that came again has its number"
        assert stored(room) == [(seq + 2, name) for seq, name in enumerate(dict(answered))]


# ---- One outcome each --------------------------------------------------------------------------------------------


@asynccontextmanager
async def broken():
    """A database that refuses every message."""

    def rename(one: str, other: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {one} RENAME TO {other}")

    await in_database(rename, "chat_chatmessage", "chat_elsewhere")
    try:
        yield
    finally:
        await in_database(rename, "chat_elsewhere", "chat_chatmessage")


async def test_while_the_database_fails_everybody_is_refused_and_afterwards_heard(rooms, ben):
    async with writing() as writer:
        async with broken():
            posts = [say(writer, room, ben, f"m{number}") for room in rooms for number in range(2)]
            assert await answers(posts) == ["chat.unavailable"] * len(posts)

        assert await answers([say(writer, rooms[0], ben, "m0"), say(writer, rooms[0], ben, "m1")]) == [2, 3]


async def test_a_writer_that_ends_writes_what_waits_and_takes_nothing_more(rooms, ben):
    async with writing() as writer:
        posts = [say(writer, rooms[0], ben, f"m{number}") for number in range(700)]
        await asyncio.sleep(0)

    assert await answers(posts) == list(range(2, 702))
    assert await answers([say(writer, rooms[0], ben, "late")]) == ["chat.unavailable"]


@locks_rows
async def test_a_writer_that_ends_writes_what_waits_for_a_held_room_too(rooms, ben):
    async with held(StreamSession, rooms[0]) as leave:
        async with writing() as writer:
            posts = [say(writer, rooms[0], ben, "m0")]
            await asyncio.sleep(0.2)
            posts.append(say(writer, rooms[0], ben, "m1"))
            asyncio.get_running_loop().call_later(0.5, leave.set)
            await asyncio.sleep(0)

        assert [post.done() for post in posts] == [True, True]
    assert await answers(posts) == [2, 3]


@locks_rows
async def test_a_writer_that_ends_refuses_what_it_cannot_write_soon(rooms, ben, monkeypatch):
    monkeypatch.setattr(writer_module, "FINISH_SECONDS", 0.3)
    async with held(StreamSession, rooms[0]):
        async with writing() as writer:
            post = say(writer, rooms[0], ben, "m0")
            await asyncio.sleep(0.2)

        assert await answers([post]) == ["chat.unavailable"]
    # The abandoned write still runs; the tables are emptied after it.
    every_thread = threading.Barrier(CHAT.size)
    await asyncio.gather(*(CHAT.run(every_thread.wait, 20) for _ in range(CHAT.size)))
