"""The base of room sockets: reads commands, hands each to its handler, answers. Nothing a client sends ends a socket
but a binary frame, a frame too big, or a flood."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from livestream.api import serializer_errors
from livestream.errors import DomainError, Invalid, TooMany, Unavailable
from livestream.metrics import COMMAND_SECONDS, COMMANDS
from livestream.ratelimit import TokenBucket
from livestream.realtime.hub import Member
from livestream.realtime.protocol import (
    MAX_COMMANDS_PER_FRAME,
    CloseCode,
    FrameError,
    parse_command,
    reply_error,
    reply_ok,
)
from livestream.realtime.protocol import Command as ParsedCommand
from livestream.realtime.runtime import in_database

BURST = 10
PER_SECOND = 10.0
FLOOD_SECONDS = 5.0
CALM_SECONDS = 1.0

logger = logging.getLogger(__name__)
Context = TypeVar("Context")


@dataclass(frozen=True)
class Operation(Generic[Context]):
    """One operation of the socket: what it takes, and the function that does it: `run` in a database thread, or
    `run_async` on the event loop."""

    run: Callable[..., dict[str, Any]] | None = None
    takes: type[Serializer[Any]] | None = None
    run_async: Callable[..., Awaitable[dict[str, Any]]] | None = None

    def validated(self, data: dict[str, Any]) -> dict[str, Any]:
        """What the operation is given. Raises Invalid."""
        try:
            result: dict[str, Any] = self._serializer.run_validation(data)
        except ValidationError as error:
            raise serializer_errors(error.detail) from None
        return result

    @cached_property
    def _serializer(self) -> Serializer[Any]:
        """One for all commands: making the fields anew costs more than the rest of a command."""
        assert self.takes is not None, "only operations that take something are asked"
        return self.takes()


class CommandConsumer(AsyncWebsocketConsumer):
    """A socket that carries out commands, one after the other.

    It is driven by a plain receive loop instead of Channels' dispatch, which would hop to a thread for every frame
    and give every socket a layer channel of its own; the hub does that once for the process.
    """

    operations: ClassVar[dict[str, Operation[Any]]] = {}
    member: Member
    context: Any

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        self.scope, self.base_send = scope, send
        self._bucket = TokenBucket(burst=BURST, per_second=PER_SECOND)
        self._refusals = TokenBucket(burst=BURST, per_second=PER_SECOND)
        self._refused_at = self._flood_began_at = float("-inf")
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        try:
            if await self.opened():
                await self._serve(receive)
        finally:
            await self.closed()

    async def opened(self) -> bool:
        """Authorise, accept and greet. False when the socket was closed instead."""
        raise NotImplementedError

    async def closed(self) -> None:
        """The connection is over; also called when it never opened."""

    async def _serve(self, receive: Any) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if self.member.closing:
                continue
            text = event.get("text")
            if text is None:
                self.member.close(CloseCode.UNSUPPORTED, "text frames only")
            elif len(text) > settings.REALTIME_MAX_FRAME_BYTES or (
                len(text.encode("utf-8", "surrogatepass")) > settings.REALTIME_MAX_FRAME_BYTES
            ):
                self.member.close(CloseCode.TOO_BIG, "at most 16 KiB")
            else:
                await self._frame(text)

    async def _frame(self, text: str) -> None:
        lines = [line for line in text.split("\n") if line.strip()] or [text]
        for line in lines[:MAX_COMMANDS_PER_FRAME]:
            if self._over_limit(line):
                continue
            await self._line(line)
        if len(lines) > MAX_COMMANDS_PER_FRAME:
            error = FrameError("frame.bad_shape", f"At most {MAX_COMMANDS_PER_FRAME} commands in one frame.")
            self.member.write(reply_error(None, error))

    def _over_limit(self, line: str) -> bool:
        """Whether this command is one too many. It is told so while such answers are few; a flood of them closes.

        The odd command that is let through meanwhile ends no flood: only a second without a refusal does.
        """
        if self._bucket.take():
            return False
        now = time.monotonic()
        if now - self._refused_at > CALM_SECONDS:
            self._flood_began_at = now
        self._refused_at = now
        if now - self._flood_began_at > FLOOD_SECONDS:
            self.member.close(CloseCode.FLOODING, "flooding")
        elif self._refusals.take():
            self.member.write(reply_error(_ref_of(line), TooMany(retry_after=1)))
        return True

    async def _line(self, line: str) -> None:
        try:
            command = parse_command(line)
        except FrameError as error:
            COMMANDS.labels("none", error.code).inc()
            self.member.write(reply_error(error.ref, error))
            return
        started = time.perf_counter()
        try:
            data = await self._run(command)
        except DomainError as error:
            outcome = error.code
            self.member.write(reply_error(command.ref, error))
        except Exception:
            outcome = "internal"
            logger.exception("socket command failed op=%s", command.op)
            broken = Unavailable("internal", "Something broke here. It has been noted; try again.")
            self.member.write(reply_error(command.ref, broken))
        else:
            outcome = "ok"
            self.member.write(reply_ok(command.ref, data))
        known = command.op if command.op in self.operations else "unknown"
        COMMANDS.labels(known, outcome).inc()
        COMMAND_SECONDS.labels(known).observe(time.perf_counter() - started)

    async def _run(self, command: ParsedCommand) -> dict[str, Any]:
        operation = self.operations.get(command.op)
        if operation is None:
            raise Invalid("op.unknown", "There is no such operation.")
        data: dict[str, Any] = {}
        if operation.takes is not None:
            data = operation.validated(command.data)
        if operation.run_async is not None:
            return await operation.run_async(self.context, **data)
        assert operation.run is not None, "an operation has a function"
        return await in_database(operation.run, self.context, **data)

    def close_later(self, *, code: CloseCode, reason: str, seconds: float) -> None:
        """Close this socket after a while, if it is still there."""
        asyncio.get_running_loop().call_later(seconds, self.member.close, code, reason)


def _ref_of(line: str) -> str | None:
    try:
        return parse_command(line).ref
    except FrameError as error:
        return error.ref
