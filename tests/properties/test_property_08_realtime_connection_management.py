"""Property 8 of the design, on the server's side: sockets, their room and a layer that loses, duplicates and
reorders."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.bearer import bearer_pair
from accounts.socket_auth import _authenticate
from livestream.actors import ANONYMOUS, actor_of
from livestream.errors import Conflict, Denied, DomainError, Missing, NotAuthenticated, TooMany, Unavailable
from livestream.realtime.groups import room_group
from livestream.realtime.hub import TICK_SECONDS_AT_LEAST, TICK_SECONDS_PER_SOCKET, Hub
from livestream.realtime.protocol import encode
from livestream.realtime.socket_writer import Member
from streams.consumers import RoomConsumer
from tests.cast import make_user, session_key_of
from tests.properties.reach import Reach
from tests.still_clock import STEP_SECONDS, StillLoop, pass_time, still_loop, turns

TICKS_SECONDS = 0.05
# Every history begins with people connected to a room with a message.
LISTENED_TO = [("open", 0), ("say", 2), ("open", 0), ("say", 3), ("open", 0), ("say", 4)]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, 9)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("stall"), st.integers(0, 9)),
        st.tuples(st.just("say"), st.integers(1, 4)),
        st.tuples(st.just("carry"), st.integers(0, 9)),
        st.tuples(st.just("double"), st.integers(0, 9)),
        st.tuples(st.just("lose"), st.integers(0, 9)),
        st.tuples(st.just("beat"), st.just(0)),
    ),
    min_size=4,
    max_size=34,
)


class Socket:
    """A socket from the server's side: it accepts frames, or makes the sender wait."""

    def __init__(self, name: str) -> None:
        self.frames: list[str] = []
        self.closed_with: int | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.after = 0
        self.member = Member(name=name, send=self.send)
        self.member.held = []

    async def send(self, event: dict[str, Any]) -> None:
        await self.open.wait()
        if event["type"] == "websocket.close":
            self.closed_with = event["code"]
        else:
            self.frames.append(event["text"])

    def seqs(self) -> list[int]:
        return [json.loads(line)["seq"] for frame in self.frames for line in frame.split("\n")]


class World:
    """A room: the stored events, the events still in the layer, and the sockets of one process."""

    def __init__(self) -> None:
        self.group = room_group(uuid4())
        self.stored: list[tuple[int, str]] = []
        self.wire: list[tuple[int, str]] = []
        self.sockets: list[Socket] = []
        self.gone: list[tuple[Socket, int]] = []
        self.hub = Hub(self.read)
        self._running = asyncio.create_task(self.hub.run())

    async def read(self, group: str, first: int, last: int) -> list[tuple[int, str]]:
        await asyncio.sleep(0)
        return self.stored[first - 1 : last]

    async def step(self, kind: str, number: int) -> None:
        match kind:
            case "open":
                await self.enter()
            case "say":
                for _ in range(number):
                    seq = len(self.stored) + 1
                    self.stored.append((seq, encode({"type": "chat.message", "seq": seq})))
                    self.wire.append(self.stored[-1])
            case "carry" | "double" | "lose" if self.wire:
                place = number % len(self.wire)
                if kind != "lose":
                    self.bring(self.wire[place])
                if kind != "double":
                    del self.wire[place]
            case "leave" | "stall" if self.sockets:
                socket = self.sockets[number % len(self.sockets)]
                if kind == "stall":
                    socket.open.clear()
                    return
                self.sockets.remove(socket)
                self.hub.leave(member=socket.member, group=self.group)
                self.gone.append((socket, len(socket.frames)))
            case "beat":
                self.hub.heal(group=self.group, up_to=len(self.stored))

    def bring(self, document: tuple[int, str]) -> None:
        self.hub.deliver({"type": "hub.frames", "group": self.group, "frames": [list(document)]})

    async def enter(self) -> None:
        """Subscribe, read a snapshot, drop events that are not newer: as a room socket does."""
        socket = Socket(f"socket-{len(self.sockets) + len(self.gone)}")
        await self.hub.join(member=socket.member, group=self.group)
        socket.after = len(self.stored)
        log = self.hub.log_of(self.group)
        log.start(socket.after)
        await self.hub.catch_up(group=self.group, up_to=socket.after)
        self.hub.settle(self.group)
        socket.member.release(log.since(socket.after) or [])
        self.sockets.append(socket)

    async def quiet(self) -> None:
        """Let everybody read on; then a beat announces the latest number, until nothing is missing."""
        for socket in self.sockets:
            socket.open.set()
        await self.hub.catch_up(group=self.group, up_to=len(self.stored))
        await asyncio.sleep(TICKS_SECONDS)

    def stop(self) -> None:
        self._running.cancel()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def test_property_08_sockets_get_every_event_once_in_order_whatever_the_layer_does(runner):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    reach = Reach()

    async def run(steps: list[tuple[str, int]]) -> World:
        world = World()
        for kind, number in LISTENED_TO + steps:
            if world.wire or kind not in ("carry", "double", "lose"):
                reach.note(f"{kind}_while_heard" if world.sockets else kind)
            await world.step(kind, number)
        await world.quiet()
        world.stop()
        return world

    @given(STEPS)
    def holds(steps: list[tuple[str, int]]) -> None:
        with reach.example():
            world = runner.run(run(steps))

            for socket in world.sockets:
                assert socket.closed_with is None
                assert socket.seqs() == list(range(socket.after + 1, len(world.stored) + 1))
            for socket, frames in world.gone:
                assert len(socket.frames) == frames or not socket.open.is_set()

    holds()

    reach.require(say_while_heard=90, lose_while_heard=20, double_while_heard=20)
    reach.require(stall_while_heard=20, beat_while_heard=20)


@given(st.integers(1, 5), st.integers(1, 30))
def test_property_08_what_comes_in_order_is_there_within_a_tenth_of_a_second_beside_stalled_sockets(
    runner, sockets, count
):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""

    async def run() -> list[list[int]]:
        world = World()
        for _ in range(sockets + 1):
            await world.enter()
        world.sockets[0].open.clear()
        await world.step("say", count)
        for document in world.wire:
            world.bring(document)
        await asyncio.sleep(TICKS_SECONDS)
        world.stop()
        return [socket.seqs() for socket in world.sockets[1:]]

    assert runner.run(run()) == [list(range(1, count + 1))] * sockets


WRITTEN_SECONDS = 0.1  # the contract
BETWEEN_MS = st.sampled_from([0, 0, 0.4, 1, 4, 12, 40])
ARRIVALS = st.lists(st.tuples(BETWEEN_MS, st.integers(1, 3)), min_size=3, max_size=10)


def test_property_08_an_event_is_written_at_once_or_collected_for_a_tick(settings):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    reach = Reach()

    async def run(others: int, arrivals: list[tuple[float, int]]) -> None:
        loop, world = still_loop(), World()
        await world.enter()
        (socket,) = world.sockets
        for number in range(others):
            await world.hub.join(member=Member(name=f"other-{number}", send=nothing), group=world.group)
        tick = max(TICK_SECONDS_AT_LEAST, (others + 1) * TICK_SECONDS_PER_SOCKET)
        tick = min(tick, settings.REALTIME_TICK_SECONDS)
        assert tick <= WRITTEN_SECONDS
        written_at, waiting_since = float("-inf"), None
        for milliseconds, count in arrivals:
            await pass_time(milliseconds / 1000)
            for _ in range(count):
                if len(socket.seqs()) == len(world.stored):
                    waiting_since = None
                before = len(world.stored)
                await world.step("say", 1)
                world.bring(world.wire.pop())
                if waiting_since is None and loop.now >= written_at + tick + 2 * STEP_SECONDS:
                    reach.note("at_once")
                    assert socket.seqs() == list(range(1, before + 2)), "written before anything else happens"
                    written_at = loop.now
                elif waiting_since is None:
                    reach.note("collected")
                    waiting_since = loop.now
                if waiting_since is not None:
                    written_at = waiting_since + tick  # at the latest
        await pass_time(tick + 2 * STEP_SECONDS)
        await turns()
        assert socket.seqs() == list(range(1, len(world.stored) + 1)), "nothing waits for longer than a tick"
        world.stop()

    async def nothing(event: dict[str, Any]) -> None:
        pass

    @given(st.sampled_from([0, 60, 300, 1000]), ARRIVALS)
    def holds(others: int, arrivals: list[tuple[float, int]]) -> None:
        with reach.example():
            still.run(run(others, arrivals))

    with asyncio.Runner(loop_factory=StillLoop) as still:
        holds()

    reach.require(at_once=90, collected=50)


@given(
    st.sampled_from([NotAuthenticated, Denied, Missing, Conflict, TooMany, Unavailable]),
    st.sampled_from(["session.missing", "session.ended", "session.full", "session.busy"]),
    st.none() | st.floats(1, 60),
)
def test_property_08_whoever_is_turned_away_is_told_whether_and_when_to_come_back(runner, kind, code, seconds):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    error: DomainError = kind(code, retry_after=seconds)
    closed: list[dict[str, Any]] = []

    async def turn_away() -> None:
        async def send(event: dict[str, Any]) -> None:
            closed.append(event)

        consumer = RoomConsumer()
        consumer.member = Member(name="somebody", send=send)
        consumer._turn_away(error)

    runner.run(turn_away())

    (event,) = closed
    if error.status in (401, 403, 404) or (error.status == 409 and code == "session.ended"):
        assert 4400 <= event["code"] <= 4499
    else:
        assert 4100 <= event["code"] <= 4199
        assert float(event["reason"]) > 0
        assert seconds is None or abs(float(event["reason"]) - seconds) <= 0.5


@given(st.text(max_size=60), st.sampled_from(["bearer", "ticket", "cookie"]))
def test_property_08_made_up_credentials_sign_nobody_in(runner, text, kind):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    latin = text.encode("utf-8").decode("latin-1")
    scope: dict[str, Any] = {"headers": [], "path": f"/ws/live/{uuid4()}/", "query_string": b""}
    if kind == "bearer":
        scope["headers"] = [(b"authorization", b"Bearer x" + latin.encode("latin-1"))]
    elif kind == "ticket":
        scope["query_string"] = b"ticket=" + text.encode("utf-8")
    cookies = {"sessionid": text[:5]} if kind == "cookie" else {}

    actor, error = runner.run(_authenticate(scope, cookies))

    assert actor == ANONYMOUS
    assert (error is None) == (kind == "cookie")


@pytest.mark.django_db(transaction=True)
def test_property_08_whoever_shows_a_good_credential_is_who_they_are(runner):
    """Feature: streaming-realtime-fixes, Property 08: realtime connection management."""
    people = [make_user(), make_user(is_staff=True), make_user()]
    cookies = [session_key_of(person) for person in people]
    bearers = [bearer_pair(user=person)["access"] for person in people]

    @given(st.integers(0, 2), st.sampled_from(["bearer", "cookie"]), st.booleans())
    def holds(who: int, kind: str, spoiled: bool) -> None:
        scope: dict[str, Any] = {"headers": [], "path": f"/ws/live/{uuid4()}/", "query_string": b""}
        key = {"bearer": bearers, "cookie": cookies}[kind][who]
        key = key[:-4] + "0000" if spoiled else key
        if kind == "bearer":
            scope["headers"] = [(b"authorization", f"Bearer {key}".encode())]

        actor, error = runner.run(_authenticate(scope, {"sessionid": key} if kind == "cookie" else {}))

        assert actor == (ANONYMOUS if spoiled else actor_of(people[who]))
        assert (error is not None) == (spoiled and kind == "bearer")

    holds()
