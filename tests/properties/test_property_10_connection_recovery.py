"""Property 10 of the design, on the server's side: a resuming client first gets all missed events, or a snapshot."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from chat.models import ChatMessage
from chat.posting import Post, messages_post
from livestream.actors import ANONYMOUS, Actor, actor_of
from livestream.database import in_database
from livestream.realtime import runtime
from livestream.realtime.groups import room_group
from livestream.realtime.room_log import KEPT
from livestream.realtime.socket_writer import Member
from livestream.routing import route
from streams.consumers import do_sync
from streams.models import StreamSession
from streams.room_snapshot import RoomContext
from streams.selectors import RESUME_LIMIT
from streams.snapshot_cache import SharedRooms
from tests.cast import make_show, make_user
from tests.properties.reach import Reach
from tests.properties.rooms import PARTS

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("said"), st.integers(1, 30)),
        st.tuples(st.just("lost"), st.sampled_from([1, 2, 20, 120, 300])),
        st.tuples(st.just("comes back"), st.integers(0, RESUME_LIMIT)),
        st.tuples(st.just("comes back"), st.integers(RESUME_LIMIT + 1, 2 * RESUME_LIMIT)),
        st.tuples(st.just("is ahead"), st.integers(1, 50)),
        st.tuples(st.just("another epoch"), st.integers(0, 50)),
        st.tuples(st.just("forget"), st.just(0)),
    ),
    min_size=2,
    max_size=8,
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop with the realtime half of a process on it, without the unrelated jobs."""
    before = runtime._hooks
    runtime.configure(runtime.Hooks(events=PARTS.events))
    with asyncio.Runner() as running:
        yield running
        running.run(runtime.stop())
    runtime.configure(before)


class World:
    """A room with a client that keeps its log alive, and clients that resume."""

    def __init__(self, session: StreamSession, author: Any, reach: Reach) -> None:
        self.session, self.author, self.reach = session, author, reach
        self.lost_until = 0
        self.group = room_group(session.pk)
        self.rooms = SharedRooms(PARTS)
        self.count = 0
        self.member = self.somebody()

    @staticmethod
    def somebody() -> Member:
        async def send(event: dict[str, Any]) -> None:
            pass

        return Member(name="somebody", send=send)

    async def enter(self) -> None:
        await runtime.current().hub.join(member=self.member, group=self.group)
        await self.rooms.get(self.session.pk)

    def head(self) -> int:
        return StreamSession.objects.values_list("head_seq", flat=True).get(pk=self.session.pk)

    def say(self, number: int) -> None:
        """Store messages in the usual way; the layer delivers them."""
        names = range(self.count, self.count + number)
        self.count += number
        messages_post(posts=[Post(self.session.pk, actor_of(self.author), f"said {n}", f"c{n}") for n in names])

    def lose(self, number: int) -> None:
        """Store messages as another process would, without a delivery by the layer."""
        first, now = self.head() + 1, timezone.now()
        names = range(self.count, self.count + number)
        self.count += number
        common = {"session": self.session, "user": self.author, "created_at": now, "content": "lost"}
        rows = [ChatMessage(seq=first + index, client_id=f"c{n}", **common) for index, n in enumerate(names)]
        ChatMessage.objects.bulk_create(rows)
        StreamSession.objects.filter(pk=self.session.pk).update(head_seq=F("head_seq") + number)
        self.lost_until = first + number - 1

    async def step(self, kind: str, number: int) -> None:
        if kind == "said":
            await in_database(self.say, number)
        elif kind == "lost":
            await in_database(self.lose, number)
        elif kind == "forget":  # everybody leaves, and a new client finds an empty log
            runtime.current().hub.leave(member=self.member, group=self.group)
            self.member = self.somebody()
            await self.enter()
        else:
            await self.come_back(kind, number)

    async def come_back(self, kind: str, number: int) -> None:
        head = await in_database(self.head)
        after = head + number if kind == "is ahead" else max(0, head - number)
        room = await self.rooms.get(self.session.pk)
        epoch = "elsewhere" if kind == "another epoch" else room.epoch

        missed = await self.rooms.missed(room, epoch=epoch, after=after)

        self.note(kind, missed, head=head, after=after)
        if missed is None:
            assert kind in ("is ahead", "another epoch") or head - after > RESUME_LIMIT
            context = RoomContext(session_id=self.session.pk, actor=ANONYMOUS)
            fresh = await do_sync(self.rooms, context, epoch=epoch, after=after)
            assert not fresh["recovered"]
            assert fresh["seq"] == fresh["snapshot"]["seq"]
            assert fresh["seq"] >= min(after, head) or kind == "another epoch"
            return
        assert kind == "comes back"
        assert len(missed) <= RESUME_LIMIT
        # Events that the layer lost just now are restored by the next beat.
        known = after + len(missed)
        await runtime.current().hub.catch_up(group=self.group, up_to=head)
        rest = runtime.current().hub.log_of(self.group).since(known)
        if rest is None:  # a filled gap may undo earlier events, so the log drops them, and they are read again
            rest = await self.rooms.missed(await self.rooms.get(self.session.pk), epoch=room.epoch, after=known)
        assert rest is not None or head - known > KEPT
        stored = await in_database(PARTS.events, self.session.pk, after, head if rest is not None else known)
        assert [json.loads(text) for text in missed + (rest or [])] == stored
        assert known >= room.seq

    def note(self, kind: str, missed: list[str] | None, *, head: int, after: int) -> None:
        """Record the way back of a client."""
        if missed is None:
            past = kind == "comes back" and head - after > RESUME_LIMIT
            self.reach.note("snapshot", *(["past_the_limit"] if past else []))
        elif head > after:
            self.reach.note("resumed", *(["lost_by_the_layer"] if self.lost_until > after else []))


@pytest.mark.django_db(transaction=True)
def test_property_10_whoever_comes_back_misses_nothing_or_starts_anew(runner):
    """Feature: streaming-realtime-fixes, Property 10: connection recovery."""
    reach = Reach()

    # The log holds more than a client may resume.
    @example([("lost", RESUME_LIMIT), ("comes back", RESUME_LIMIT), ("said", 20), ("comes back", RESUME_LIMIT + 10)], 0)
    @given(STEPS, st.sampled_from([0, 0, 0, RESUME_LIMIT + 10]))
    def holds(steps: list[tuple[str, int]], said_before: int) -> None:
        author = make_user()
        world = World(make_show(author), author, reach)
        world.lose(said_before)
        world.lost_until = 0

        async def run() -> None:
            await world.enter()
            for kind, number in steps:
                await world.step(kind, number)
            runtime.current().hub.leave(member=world.member, group=world.group)

        with reach.example():
            runner.run(run())

    holds()

    reach.require(resumed=40, snapshot=40, past_the_limit=2, lost_by_the_layer=8)


async def greeting_of(path: str, query: str, actor: Actor) -> list[str]:
    """Open a socket of the room in this process. Return the documents of its first frame."""
    scope = {"type": "websocket", "path": path, "headers": [], "query_string": query.encode(), "actor": actor}
    scope["client"] = ("127.0.0.1", 1)
    coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    coming.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(route(scope, coming.get, frames.put))
    async with asyncio.timeout(20):
        assert (await frames.get())["type"] == "websocket.accept"
        first = await frames.get()
        coming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving
    return str(first["text"]).split("\n")


@pytest.mark.django_db(transaction=True)
def test_a_person_who_is_back_gets_rights_and_missed_messages_before_anything_else(runner):
    """Feature: streaming-realtime-fixes, Property 10: connection recovery."""
    reach = Reach()
    host, viewer = make_user(), make_user()
    session = make_show(host)
    posts = [Post(session.pk, actor_of(host), f"said {number}", f"c{number}") for number in range(40)]
    messages_post(posts=posts)
    head, epoch = StreamSession.objects.values_list("head_seq", "epoch").get(pk=session.pk)
    stored = PARTS.events(session.pk, 0, head)

    @given(st.integers(0, 40), st.sampled_from([host, viewer, None]), st.booleans())
    def holds(missed: int, user: Any, known: bool) -> None:
        after = max(0, head - missed)
        actor = actor_of(user) if user else ANONYMOUS
        query = f"epoch={epoch if known else 'elsewhere'}&after={after}"
        with reach.example():
            documents = [json.loads(text) for text in runner.run(greeting_of(f"/ws/live/{session.pk}/", query, actor))]

            first, second = documents[:2]
            assert first["type"] == "resumed"
            assert first["data"]["recovered"] == known
            if known:
                reach.note("resumed")
                assert first["data"]["events"] == stored[after:]
                assert second["type"] == "viewers"
                me = first["data"]["me"]
            else:
                reach.note("snapshot")
                assert second["type"] == "snapshot"
                assert [one["id"] for one in second["data"]["messages"]] == [
                    event["data"]["id"] for event in stored if event["type"] == "chat.message"
                ]
                me = second["data"]["me"]
            assert me["id"] == (str(user.pk) if user else None)
            assert me["can"]["publish"] == (user is host)

    holds()

    reach.require(resumed=30, snapshot=30)
