"""Batch questions that many sockets or requests ask the database at the same time.

A crowd that comes in at once asks the same thing a thousand times; one visit for a hundred of them costs little more
than one visit for one. A question that comes alone is answered at once: nothing is delayed to fill a batch. A visit
answers the questions that came before it began, so no answer is older than its question.
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
    """The questions of a loop that wait, and the task that makes the visits."""

    waiting: "list[tuple[Ask, asyncio.Future[Answer]]]" = field(default_factory=list)
    visits: "asyncio.Task[None] | None" = None


class Batcher(Generic[Ask, Answer]):
    """Calls `answer` in a database thread with all questions that wait: it returns an answer, or the error to raise,
    for each in order. Questions that come while a visit runs wait for the next one.
    """

    def __init__(self, answer: Answering[Ask, Answer]) -> None:
        self._answer = answer
        # Of each loop, while a visit of its runs: a process has one, but the tests' client makes one for each request.
        self._rounds: dict[asyncio.AbstractEventLoop, _Round[Ask, Answer]] = {}

    async def __call__(self, ask: Ask) -> Answer:
        """The answer to one question. Raises the error that it was answered with, or that the visit ended with."""
        loop = asyncio.get_running_loop()
        current = self._rounds.get(loop)
        if current is None:
            current = self._rounds[loop] = _Round()
            # A context of its own: what the visit leaves there must not stay with the socket that happened to be first.
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
        except Exception as error:  # each asker decides what it means
            answers = [error] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if future.done():  # whoever asked is gone
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
