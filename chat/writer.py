"""One writer per process: what arrives within a few milliseconds becomes one transaction, acknowledged after COMMIT.

A slow database makes senders wait here; readers never notice, since nothing of theirs stands behind it.
"""

import asyncio
import concurrent.futures
import logging

from django.db import Error as DatabaseError

from chat.models import ChatMessage
from chat.posting import Outcome, Post, message_post, messages_post
from livestream.errors import DomainError, Unavailable
from livestream.metrics import CHAT_BATCH, CHAT_WAITING
from livestream.realtime.runtime import in_database

LINGER_SECONDS = 0.003
BATCH_LIMIT = 500
QUEUE_LIMIT = 5_000
THREAD_WAIT_SECONDS = 10.0

logger = logging.getLogger(__name__)
Waiting = tuple[Post, "asyncio.Future[Outcome]"]


class ChatWriter:
    """Collects posts and writes them, batch after batch, in the order in which they came."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._waiting: list[Waiting] = []
        self._came = asyncio.Event()

    async def post(self, post: Post) -> ChatMessage:
        """Write one message; returns when it is stored for good. Raises why it was refused."""
        if len(self._waiting) >= QUEUE_LIMIT:
            raise _unavailable()
        future: asyncio.Future[Outcome] = self.loop.create_future()
        self._waiting.append((post, future))
        self._came.set()
        outcome = await future
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    async def run(self) -> None:
        """Write until cancelled."""
        crowded = False
        while True:
            await self._came.wait()
            if crowded:
                await asyncio.sleep(LINGER_SECONDS)  # alone, nobody waits; in a crowd, a moment buys a full batch
            batch, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
            if not self._waiting:
                self._came.clear()
            crowded = len(batch) > 1
            CHAT_BATCH.observe(len(batch))
            CHAT_WAITING.set(len(self._waiting))
            await self._write(batch)

    async def _write(self, batch: list[Waiting]) -> None:
        outcomes: list[Outcome]
        try:
            outcomes = await in_database(messages_post, posts=[post for post, _ in batch])
        except DatabaseError as error:
            logger.warning("chat not written messages=%d error=%s", len(batch), type(error).__name__)
            outcomes = [_unavailable() for _ in batch]
        except Exception:
            logger.exception("chat not written messages=%d", len(batch))
            outcomes = [_unavailable() for _ in batch]
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)


def _unavailable() -> Unavailable:
    """True also when the answer to COMMIT was lost: the message may be stored, and is not stored twice."""
    text = "The chat is busy and could not confirm your message. Send it again; it will not appear twice."
    return Unavailable("chat.unavailable", text, retry_after=1)


_writer: ChatWriter | None = None


async def chat_writer() -> None:
    """The process's writer, as a background job."""
    global _writer
    _writer = ChatWriter()
    try:
        await _writer.run()
    finally:
        _writer = None


async def post_soon(post: Post) -> ChatMessage:
    """Write a message through the writer of this process."""
    writer = _writer
    if writer is None or writer.loop is not asyncio.get_running_loop():
        raise _unavailable()
    return await writer.post(post)


def post_from_thread(post: Post) -> ChatMessage:
    """The same from a request's thread; a process without a writer writes by itself."""
    writer = _writer
    if writer is None or writer.loop.is_closed():
        return message_post(
            session_id=post.session_id,
            actor=post.actor,
            text=post.text,
            client_id=post.client_id,
            reply_to=post.reply_to,
            message_type=post.message_type,
        )
    waiting = asyncio.run_coroutine_threadsafe(writer.post(post), writer.loop)
    try:
        return waiting.result(THREAD_WAIT_SECONDS)
    except concurrent.futures.TimeoutError:
        waiting.cancel()
        raise _unavailable() from None
