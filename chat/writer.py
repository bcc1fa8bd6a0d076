"""The chat writer of a process: messages that arrive within a few milliseconds become one transaction, acknowledged
after COMMIT.

A slow database makes senders wait here; readers are not affected, because none of their work queues here. A room that
another transaction has locked leaves the common lane and waits in its own, so that only its own senders wait.
"""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import Error as DatabaseError

from chat.models import ChatMessage
from chat.posting import Outcome, Post, message_post, messages_post, messages_post_promptly
from livestream.database import CHAT, release_connections
from livestream.errors import DomainError, Unavailable
from livestream.metrics import CHAT_BATCH, CHAT_HELD, CHAT_WAITING

LINGER_SECONDS = 0.003
BATCH_LIMIT = 500
QUEUE_LIMIT = 5_000
# The number of rooms that wait at a time, each with a thread and a connection. Further ones wait for a thread first.
HELD_LANES = CHAT.size - 1
FINISH_SECONDS = 5.0
THREAD_WAIT_SECONDS = 10.0

logger = logging.getLogger(__name__)
Waiting = tuple[Post, "asyncio.Future[Outcome]"]


class ChatWriter:
    """Collects posts and writes them in batches, each room's in order of arrival.

    A room is in one lane at a time: the common one, or its own while it is in `_held`.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._waiting: list[Waiting] = []
        self._held: dict[UUID, list[Waiting]] = {}
        self._came = asyncio.Event()
        self._unanswered: set[asyncio.Future[Outcome]] = set()
        self._closed = False
        self._lanes = asyncio.Semaphore(HELD_LANES)
        self._tasks: set[asyncio.Task[None]] = set()

    async def post(self, post: Post) -> ChatMessage:
        """Write one message and return once it is committed. Raises DomainError if it is refused."""
        if self._closed or self._is_full(post.session_id):
            raise _unavailable()
        future: asyncio.Future[Outcome] = self.loop.create_future()
        self._unanswered.add(future)
        future.add_done_callback(self._unanswered.discard)
        self._line_up([(post, future)])
        outcome = await future
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    def _is_full(self, room: UUID) -> bool:
        """Return whether the queue for the room is full. Held rooms have queues of their own and do not fill the
        common one."""
        held = self._held.get(room)
        if held is None:
            return len(self._waiting) >= QUEUE_LIMIT
        return len(held) >= BATCH_LIMIT or sum(map(len, self._held.values())) >= QUEUE_LIMIT

    def _line_up(self, posts: Sequence[Waiting]) -> None:
        for waiting in posts:
            self._held.get(waiting[0].session_id, self._waiting).append(waiting)
        if self._waiting:
            self._came.set()

    async def run(self) -> None:
        """Write until cancelled, then write the remaining posts. Those that cannot be written soon are refused."""
        common = self.loop.create_task(self._write_common())
        try:
            await asyncio.shield(common)
        finally:
            self._closed = True
            if self._unanswered and not common.done():
                await asyncio.wait(self._unanswered, timeout=FINISH_SECONDS)
            for task in (common, *self._tasks):
                task.cancel()
            for future in list(self._unanswered):
                if not future.done():
                    future.set_result(_unavailable())

    async def _write_common(self) -> None:
        crowded = False
        while True:
            await self._came.wait()
            if crowded:
                await asyncio.sleep(LINGER_SECONDS)  # only in a crowd, where a moment buys a full batch
            batch, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
            if not self._waiting:
                self._came.clear()
            if not batch:  # all waiting posts were set aside
                continue
            crowded = len(batch) > 1
            CHAT_BATCH.observe(len(batch))
            CHAT_WAITING.set(len(self._waiting))
            await self._write(batch, messages_post_promptly)

    async def _write_held(self, room: UUID) -> None:
        """Write the posts of one held room, waiting for its lock. Then it returns to the common lane."""
        async with self._lanes:
            done = False
            while not done and self._held[room]:  # while the room is held, it delays no other
                batch, self._held[room] = self._held[room][:BATCH_LIMIT], self._held[room][BATCH_LIMIT:]
                done = await self._write(batch, messages_post)
        self._line_up(self._held.pop(room))
        CHAT_HELD.set(len(self._held))

    async def _write(self, batch: list[Waiting], write: Callable[..., Sequence[Outcome | None]]) -> bool:
        """Write a batch and resolve each post, or set it aside. Return whether the database responded."""
        outcomes: Sequence[Outcome | None] | None = None
        try:
            outcomes = await CHAT.run(write, posts=[post for post, _ in batch])
        except DatabaseError as error:
            logger.warning("chat not written messages=%d error=%s", len(batch), type(error).__name__)
        except Exception:
            logger.exception("chat not written messages=%d", len(batch))
        aside = []
        for waiting, outcome in zip(batch, outcomes or [_unavailable() for _ in batch], strict=True):
            if outcome is None:
                aside.append(waiting)
            elif not waiting[1].done():
                waiting[1].set_result(outcome)
        if aside:
            self._set_aside(aside)
        return outcomes is not None

    def _set_aside(self, posts: list[Waiting]) -> None:
        """Move the rooms of these posts to lanes of their own. Posts that arrived meanwhile queue behind."""
        rooms = dict.fromkeys(post.session_id for post, _ in posts)
        self._held |= {room: [] for room in rooms}
        posts, self._waiting = posts + self._waiting, []
        self._line_up(posts)
        CHAT_HELD.set(len(self._held))
        logger.info("chat rooms held rooms=%d", len(rooms))
        for room in rooms:
            task = self.loop.create_task(self._write_held(room))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _unavailable() -> Unavailable:
    """Return the error for a lost or failed COMMIT. The message may be stored, and a repetition is not stored twice."""
    text = "The chat is busy and couldn't confirm your message. Send it again. It won't appear twice."
    return Unavailable("chat.unavailable", text, retry_after=1)


_writer: ChatWriter | None = None


async def chat_writer() -> None:
    """Run the process's writer, as a background job."""
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
    """Write a message from a request's thread. A process without a writer writes it directly."""
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
    release_connections()  # the writer needs one
    waiting = asyncio.run_coroutine_threadsafe(writer.post(post), writer.loop)
    try:
        return waiting.result(THREAD_WAIT_SECONDS)
    except concurrent.futures.TimeoutError:
        waiting.cancel()
        raise _unavailable() from None
