"""Questions that many sockets ask the database at the same time, answered together.

A crowd that comes in at once asks the same thing a thousand times; one visit for a hundred of them costs little more
than one visit for one. Whoever asks while nobody else does is answered at once: nothing is delayed to be collected.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from livestream.realtime.runtime import in_database

TOGETHER = 200

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Gathered(Generic[Ask, Answer]):
    """Asks `answer` in a database thread, for all who wait: it gives an answer, or the error to raise, for each in
    order. While one visit runs the next askers wait for the one after it.
    """

    def __init__(self, answer: Callable[[Sequence[Ask]], Sequence[Answer | Exception]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._visits: asyncio.Task[None] | None = None

    async def __call__(self, ask: Ask) -> Answer:
        """The answer to one question. Raises the error that it was answered with, or that the visit ended with."""
        loop = asyncio.get_running_loop()
        if self._visits is None or self._visits.get_loop() is not loop:
            self._waiting = []
            # A context of its own: what the visit leaves there must not stay with the socket that happened to be first.
            self._visits = loop.create_task(self._visit(), context=Context())
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((ask, future))
        return await future

    async def _visit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                await self._ask(batch)
        finally:
            self._visits = None

    async def _ask(self, batch: list[tuple[Ask, "asyncio.Future[Answer]"]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await in_database(self._answer, [ask for ask, _ in batch])
        except Exception as error:  # each asker decides what it means
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
