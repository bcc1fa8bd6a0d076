"""Fan-out alone: the product's sockets, login, hub and channel layer, with an operation that stores nothing.

The same work as the other contestants, and no more: a message comes in and goes out to everybody in the room. There is
no snapshot, no presence, no rate limit and no database behind it; `product_app` measures those too.

BENCH_ALONE=1 disables the hub's coalescing: every message is a frame of its own, as the other contestants send it.
"""

import gc
import os
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestream.settings")
django.setup()

# The sockets need the apps, which the line above loads.
from accounts.socket_auth import SocketAuthentication  # noqa: E402
from bench.realtime import tickets  # noqa: E402
from livestream.actors import Actor  # noqa: E402
from livestream.identifiers import connection_name  # noqa: E402
from livestream.realtime import consumer, layer_sender, runtime  # noqa: E402
from livestream.realtime.consumer import CommandConsumer, CommandHandler  # noqa: E402
from livestream.realtime.groups import room_group  # noqa: E402
from livestream.realtime.hub import Group, Hub  # noqa: E402
from livestream.realtime.protocol import encode  # noqa: E402
from livestream.realtime.socket_path import room_of  # noqa: E402
from livestream.realtime.socket_writer import Member  # noqa: E402

PEOPLE = UUID(int=1)
_seqs: Counter[UUID] = Counter()


async def publish(session_id: UUID, *, text: str) -> dict[str, Any]:
    """Send to everybody in the room as services do: through the layer, even to this process."""
    _seqs[session_id] += 1
    seq, now = _seqs[session_id], datetime.now(UTC).isoformat().replace("+00:00", "Z")
    layer_sender.send_event(session_id, {"type": "bench.message", "seq": seq, "ts": now, "data": {"text": text}})
    return {"seq": seq}


def _deliver_alone(self: Hub, name: str, entry: Group, documents: list[tuple[int | None, str]]) -> None:
    for document in documents:
        entry.pending = [document]
        self._flush(entry)


if os.environ.get("BENCH_ALONE") == "1":
    assert Hub._deliver and Hub._flush
    Hub._deliver = _deliver_alone  # type: ignore[method-assign]


class Unchecked:
    """Replaces a serializer: accepts any text unchecked, since none of the contestants checks it."""

    def run_validation(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the text."""
        return {"text": data["text"]}


class FanOutConsumer(CommandConsumer):
    """A room socket whose only operation is `publish {text}`."""

    commands = {"publish": CommandHandler(run_async=publish, takes=Unchecked)}  # type: ignore[arg-type]

    async def opened(self) -> bool:
        self.context = room_of(self.scope)
        self.member = Member(name=connection_name(), send=self.base_send)
        await self.base_send({"type": "websocket.accept"})
        await runtime.current().hub.join(member=self.member, group=room_group(self.context))
        self.member.write(encode({"type": "snapshot", "data": {}}))
        return not self.scope.get("actor_error")

    async def closed(self) -> None:
        runtime.current().hub.leave(member=self.member, group=room_group(self.context))


assert consumer.BURST and consumer.PER_SECOND
consumer.BURST, consumer.PER_SECOND = 1_000_000, 1e6
sockets = SocketAuthentication(lambda scope, receive, send: FanOutConsumer()(scope, receive, send))


def _person(number: int) -> Actor:
    name = f"person-{number}"
    return Actor(user_id=uuid5(PEOPLE, name), username=name, display_name=name)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve the application with sockets, tickets and the lifespan."""
    if scope["type"] == "websocket":
        await sockets(scope, receive, send)
    elif scope["type"] == "http":
        await tickets.hand_out(scope, receive, send, person=_person)
    else:
        await _lifespan(receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            runtime.current()
            gc.freeze()
            await send({"type": "lifespan.startup.complete"})
        else:
            await runtime.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
