"""The only module that sends to the channel layer.

Services call it from their database threads, through `livestream.events`. It passes the message to the event loop and
returns: a slow or dead layer does not delay the caller. Sockets of this process are served at once, without the layer;
the hub recognises the returning copy by its own name. Other processes recover lost messages from the database.
"""

import asyncio
import logging
import threading
from collections import deque
from typing import Any, Protocol
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer

from livestream.cancellation import heed_cancellation
from livestream.metrics import LAYER_FAILURES
from livestream.realtime.groups import PEOPLE, carrier_of, person_group, room_group, studio_group, user_group
from livestream.realtime.protocol import encode

LAYER_TIMEOUT_SECONDS = 2.0
QUEUE_LIMIT = 20_000
BATCH_LIMIT = 500

logger = logging.getLogger(__name__)


class LocalDelivery(Protocol):
    """The room hub of this process. Messages with its name were delivered before they went to the layer."""

    name: str

    def deliver(self, message: dict[str, Any]) -> None:
        """Deliver one layer message to the local sockets."""


class Sender:
    """Sends messages from any thread to the layer, in order, on the event loop on which it was created."""

    def __init__(self, local: LocalDelivery) -> None:
        self.loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._local = local
        self._came: deque[dict[str, Any]] = deque()
        self._woken = False
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(QUEUE_LIMIT)
        self._alone = isinstance(get_channel_layer(), InMemoryChannelLayer)

    def submit(self, message: dict[str, Any]) -> None:
        """Queue one message from any thread. Waking the loop is a system call, made once for all messages that
        arrive meanwhile."""
        self._came.append(message)
        if not self._woken:
            self._woken = True
            here = threading.get_ident() == self._thread
            (self.loop.call_soon if here else self.loop.call_soon_threadsafe)(self._collect)

    def _collect(self) -> None:
        self._woken = False  # before reading the queue: later messages wake the loop again
        messages = []
        while self._came:
            messages.append(self._came.popleft())
        for message in messages if len(messages) < 2 else joined(messages):
            self._enqueue(message)

    def _enqueue(self, message: dict[str, Any]) -> None:
        self._local.deliver(message)
        if self._alone:
            return  # an in-memory layer reaches only this process and would return the message
        try:
            self._queue.put_nowait({**message, "origin": self._local.name})
        except asyncio.QueueFull:
            LAYER_FAILURES.labels("queue_full").inc()

    async def run(self) -> None:
        """Send until cancelled: one layer message for all waiting messages to a group."""
        while True:
            waiting = [await self._queue.get()]
            while len(waiting) < BATCH_LIMIT and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            for message in joined(waiting):
                await self._send(message)
            heed_cancellation()

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_SECONDS):
                await _group_send(message)
        except Exception as error:
            LAYER_FAILURES.labels("send").inc()
            logger.warning("layer refused a message group=%s error=%r", message["group"], error)


def joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge consecutive messages to one group. The order within each group is kept."""
    result: list[dict[str, Any]] = []
    open_frames: dict[str, dict[str, Any]] = {}
    latest: dict[str, str] = {}
    for message in messages:
        group = message["group"]
        if message["type"] == "hub.latest":
            if not latest:
                result.append({**message, "texts": latest})
            latest.update(message["texts"])
        elif message["type"] != "hub.frames":
            open_frames.pop(group, None)
            result.append(message)
        elif group in open_frames:
            open_frames[group]["frames"].extend(message["frames"])
            open_frames[group]["revokes"] |= message["revokes"]
        else:
            open_frames[group] = {**message, "frames": list(message["frames"])}
            result.append(open_frames[group])
    return result


_sender: Sender | None = None


def bind(sender: Sender | None) -> None:
    """Set the process's sender, or None at shutdown."""
    global _sender
    _sender = sender


async def _group_send(message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        await layer.group_send(carrier_of(message["group"]), message)


def _send(message: dict[str, Any]) -> None:
    sender = _sender
    if sender is not None and not sender.loop.is_closed():
        sender.submit(message)
        return
    # A command or the admin in a process without sockets: other processes may still be listening.
    try:
        async_to_sync(_group_send)(message)
    except Exception as error:
        LAYER_FAILURES.labels("send").inc()
        logger.warning("layer refused a message group=%s error=%r", message["group"], error)


def send_event(session_id: UUID, document: dict[str, Any], group: str | None = None, revokes: bool = False) -> None:
    """Send one document to a room, or to the given narrower group. It is encoded here, once."""
    _send(
        {
            "type": "hub.frames",
            "group": group or room_group(session_id),
            "frames": [[document.get("seq"), encode(document)]],
            "revokes": revokes,
        }
    )


def send_latest(documents: dict[str, dict[str, Any]]) -> None:
    """Send each of many narrow groups a document of its own, as one message. Of several only the last counts."""
    texts = {group: encode(document) for group, document in documents.items()}
    _send({"type": "hub.latest", "group": PEOPLE, "texts": texts})


def send_room_close(session_id: UUID, code: int, reason: str, after_seconds: float) -> None:
    """Close all sockets of a room after `after_seconds`."""
    _send(
        {
            "type": "hub.close",
            "group": room_group(session_id),
            "code": int(code),
            "reason": reason,
            "after": after_seconds,
        }
    )


def send_user_close(user_id: UUID, code: int, reason: str) -> None:
    """Close all sockets of one person."""
    _send({"type": "hub.close", "group": user_group(user_id), "code": int(code), "reason": reason, "after": 0})


def send_person_close(session_id: UUID, user_id: UUID, code: int, reason: str) -> None:
    """Close all sockets of one person in one room."""
    group = person_group(session_id, user_id)
    _send({"type": "hub.close", "group": group, "code": int(code), "reason": reason, "after": 0})


def send_studio_subscription(session_id: UUID, user_id: UUID, is_member: bool) -> None:
    """Subscribe one person's sockets in one room to the host's studio, or unsubscribe them."""
    group, studio = person_group(session_id, user_id), studio_group(session_id)
    _send({"type": "hub.audience", "group": group, "other": studio, "joins": is_member})
