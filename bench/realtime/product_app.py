"""The whole product, as `uvicorn livestream.asgi:application` serves it, and tickets for a crowd.

BENCH_CHAT=unlimited lifts the limit of commands for each socket, so that few senders can request many writes.
BENCH_CHAT=orm does so too, and answers `chat.send` as the tutorial would: it takes the message's number and creates the
message through the ORM, in a transaction of its own, by Channels' database_sync_to_async.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

from livestream.asgi import application as product

# The product's module loads the apps.
from bench.realtime import tickets  # isort: skip
from channels.db import database_sync_to_async
from django.db import transaction
from django.utils import timezone

from chat.models import ChatMessage
from chat.serializers import MessagePost
from livestream.actors import Actor
from livestream.realtime import consumer
from livestream.realtime.consumer import CommandHandler
from livestream.routing import LiveConsumer
from streams.models import StreamSession
from streams.room_snapshot import RoomContext

CHAT = os.environ.get("BENCH_CHAT", "")
PEOPLE: list[dict[str, str]] = json.loads(Path(os.environ["BENCH_PEOPLE"]).read_text())


@database_sync_to_async
def _create(context: RoomContext, *, text: str, client_id: str, **rest: Any) -> dict[str, Any]:
    """Write one message in one transaction, without authorization, text cleaning or broadcast."""
    with transaction.atomic():
        session = StreamSession.objects.select_for_update().get(pk=context.session_id)
        session.head_seq += 1
        session.save(update_fields=["head_seq"])
        message = ChatMessage.objects.create(
            session_id=context.session_id,
            seq=session.head_seq,
            client_id=client_id,
            user_id=context.actor.user_id,
            username=context.actor.username,
            display_name=context.actor.display_name,
            role="viewer",
            content=text,
            created_at=timezone.now(),
        )
    return {"id": str(message.pk), "seq": message.seq}


if CHAT:
    assert consumer.BURST and consumer.PER_SECOND
    consumer.BURST, consumer.PER_SECOND = 1_000_000, 1e6
if CHAT == "orm":
    LiveConsumer.commands = {**LiveConsumer.commands, "chat.send": CommandHandler(run_async=_create, takes=MessagePost)}


def _person(number: int) -> Actor:
    person = PEOPLE[number]
    return Actor(user_id=UUID(person["id"]), username=person["username"], display_name=person["username"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve the product's own application with one additional address."""
    if scope["type"] == "http" and scope["path"] == tickets.PATH:
        await tickets.hand_out(scope, receive, send, person=_person)
    else:
        await product(scope, receive, send)
