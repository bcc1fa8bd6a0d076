"""Batch database queries that many sockets or requests make at the same time.

A crowd that arrives at once makes the same query a thousand times, and one visit to the database for a hundred requests
costs little more than one for a single request. A single request is answered at once: nothing is delayed to fill a
batch. A visit answers only requests made before it began, so no answer is older than its request.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from livestream.database import CROWDS

TOGETHER = 200

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
Answering = Callable[[Sequence[Ask]], Sequence[Answer | Exception]]


@dataclass
class _Round(Generic[Ask, Answer]):
    """The waiting requests of an event loop, and the task that answers them."""

    waiting: "list[tuple[Ask, asyncio.Future[Answer]]]" = field(default_factory=list)
    visits: "asyncio.Task[None] | None" = None


class Batcher(Generic[Ask, Answer]):
    """Calls `answer` in a database thread with all waiting requests. It returns a result, or an exception to raise,
    for each in order. Requests made during a visit wait for the next one."""

    def __init__(self, answer: Answering[Ask, Answer]) -> None:
        self._answer = answer
        # By event loop, while it has a visit: a process has one loop, but the test client creates one per request.
        self._rounds: dict[asyncio.AbstractEventLoop, _Round[Ask, Answer]] = {}

    async def __call__(self, ask: Ask) -> Answer:
        """Return the answer to one request. Raises the exception returned for it, or raised by the visit."""
        loop = asyncio.get_running_loop()
        current = self._rounds.get(loop)
        if current is None:
            current = self._rounds[loop] = _Round()
            # A separate context: values set during the visit must not stay with the socket that happened to start it.
            current.visits = loop.create_task(self._visit(loop, current.waiting), context=Context())
        future: asyncio.Future[Answer] = loop.create_future()
        current.waiting.append((ask, future))
        return await future

    async def _visit(
        self, loop: asyncio.AbstractEventLoop, waiting: "list[tuple[Ask, asyncio.Future[Answer]]]"
    ) -> None:
        try:
            while waiting:
                batch = waiting[:TOGETHER]
                del waiting[:TOGETHER]
                await self._ask(batch)
        finally:
            del self._rounds[loop]

    async def _ask(self, batch: list[tuple[Ask, "asyncio.Future[Answer]"]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await CROWDS.run(self._answer, [ask for ask, _ in batch])
        except Exception as error:  # each requester decides how to handle it
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # the requester is gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
