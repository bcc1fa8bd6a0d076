"""Questions that many sockets or requests ask the database at the same time, answered together.

A crowd that comes in at once asks the same thing a thousand times; one visit for a hundred of them costs little more
than one visit for one. Whoever asks while nobody else does is answered at once: nothing is delayed to be collected. A
visit answers who asked before it began, so no answer is older than its question.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from livestream.database import CROWDS, release_connections

TOGETHER = 200

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
Answering = Callable[[Sequence[Ask]], Sequence[Answer | Exception]]


@dataclass
class _Round(Generic[Ask, Answer]):
    """Who waits, and the task that makes the visits."""

    waiting: "list[tuple[Ask, asyncio.Future[Answer]]]" = field(default_factory=list)
    visits: "asyncio.Task[None] | None" = None


class Batcher(Generic[Ask, Answer]):
    """Asks `answer` in a database thread, for all who wait: it gives an answer, or the error to raise, for each in
    order. While one visit runs the next askers wait for the one after it.
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


class _Turn(Generic[Ask, Answer]):
    """One who asks from a thread, and waits to be answered or to make the next visit."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.answer: Answer | Exception | None = None
        self.is_answered = False
        self.woken = threading.Event()

    def be_answered(self, answer: Answer | Exception) -> None:
        self.answer, self.is_answered = answer, True
        self.woken.set()


class GatheredInThreads(Generic[Ask, Answer]):
    """The same for who asks from a thread of its own, as requests do; the visit is made by one of those who ask.

    Not to be asked from inside a transaction: whoever makes the visit would not see what was written there.
    """

    def __init__(self, answer: Answering[Ask, Answer]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._waiting: list[_Turn[Ask, Answer]] = []
        self._is_visiting = False

    def __call__(self, ask: Ask) -> Answer:
        """The answer to one question. Raises the error that it was answered with, or that the visit ended with."""
        release_connections()  # before anything else: whoever fails to must not be waited for
        turn: _Turn[Ask, Answer] = _Turn(ask)
        with self._lock:
            self._waiting.append(turn)
            visits, self._is_visiting = not self._is_visiting, True
        if not visits:
            turn.woken.wait()
        if not turn.is_answered:
            self._visit()
        if isinstance(turn.answer, Exception):
            raise turn.answer
        return cast(Answer, turn.answer)

    def _visit(self) -> None:
        """Answer those who wait, and wake the first of those who came meanwhile for the next visit."""
        with self._lock:
            batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
        answers: Sequence[Answer | Exception]
        try:
            answers = self._answer([turn.ask for turn in batch])
        except Exception as error:  # each asker decides what it means
            answers = [error] * len(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._is_visiting = following is not None
            if following is not None:
                following.woken.set()
        for turn, answer in zip(batch, answers, strict=True):
            turn.be_answered(answer)
