"""The base of room sockets: reads commands, calls their handlers, and replies. Client input closes a socket only by
a binary frame, an oversized frame, or a flood."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.serializers import Serializer

from livestream.database import in_database
from livestream.errors import DomainError, Invalid, TooMany, Unavailable
from livestream.metrics import COMMAND_SECONDS, COMMANDS
from livestream.ratelimit import TokenBucket
from livestream.realtime.protocol import (
    MAX_COMMANDS_PER_FRAME,
    CloseCode,
    FrameError,
    parse_command,
    reply_error,
    reply_ok,
)
from livestream.realtime.protocol import Command as ParsedCommand
from livestream.realtime.socket_writer import Member
from livestream.realtime.uvicorn_fastpath import forget_handshake
from livestream.rest import serializer_errors

BURST = 10
PER_SECOND = 10.0
RARE_BURST = 10
RARE_PER_SECOND = 2.0
FLOOD_SECONDS = 5.0
CALM_SECONDS = 1.0

logger = logging.getLogger(__name__)
Context = TypeVar("Context")


@dataclass(frozen=True)
class CommandHandler(Generic[Context]):
    """A socket command: its input and the function that runs it, `run` in a database thread or `run_async` on the event
    loop.

    `usual` may return the validated data for common input, and None for input that needs `takes`. With `is_rare` the
    command has its own limit, because its answers are large and no client needs one often.
    """

    run: Callable[..., dict[str, Any]] | None = None
    takes: type[Serializer[Any]] | None = None
    run_async: Callable[..., Awaitable[dict[str, Any]]] | None = None
    usual: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None
    is_rare: bool = False

    def validated(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the validated data of a command. Raises Invalid."""
        if self.usual is not None and (plain := self.usual(data)) is not None:
            return plain
        try:
            result: dict[str, Any] = self._serializer.run_validation(data)
        except ValidationError as error:
            raise serializer_errors(error.detail) from None
        return result

    @cached_property
    def _serializer(self) -> Serializer[Any]:
        """One instance for all commands: creating the fields again costs more than the rest of a command."""
        assert self.takes is not None, "only commands that take something are asked"
        return self.takes()


class CommandConsumer:
    """A socket that runs commands one after another; an ASGI application for one connection.

    It does not use Channels' consumers: their dispatch switches to a thread for each frame and gives each socket a
    layer channel, where the hub needs one per process. The memory of an open, silent socket is kept small, because
    there are thousands.
    """

    commands: ClassVar[dict[str, CommandHandler[Any]]] = {}
    member: Member
    context: Any
    scope: Any
    base_send: Any
    # Created on first use. Most sockets only watch.
    _bucket: TokenBucket | None = None
    _refusals: TokenBucket | None = None
    _rare: TokenBucket | None = None
    _refused_at = _flood_began_at = float("-inf")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        self.scope, self.base_send = scope, send
        event = await receive()
        if event["type"] != "websocket.connect":
            return
        try:
            going = await self.opened()
            if going:
                self.scope = None
                forget_handshake(scope, send)
            while going:
                event = await receive()
                if event["type"] == "websocket.disconnect":
                    return
                if not self.member.closing:
                    await self._received(event.get("text"))
        finally:
            await self.closed()

    async def opened(self) -> bool:
        """Authorise, accept and greet. Return False if the socket was closed instead. The scope is cleared
        afterwards."""
        raise NotImplementedError

    async def closed(self) -> None:
        """Clean up after the connection. Also called if it never opened."""

    async def _received(self, text: str | None) -> None:
        if text is None:
            self.member.close(CloseCode.UNSUPPORTED, "text frames only")
            return
        if _bytes_at_most(text) > settings.REALTIME_MAX_FRAME_BYTES:
            self.member.close(CloseCode.TOO_BIG, "at most 16 KiB")
            return
        lines = [line for line in text.split("\n") if line.strip()] or [text] if "\n" in text else [text]
        for line in lines[:MAX_COMMANDS_PER_FRAME]:
            if self._over_limit(line):
                continue
            await self._line(line)
        if len(lines) > MAX_COMMANDS_PER_FRAME:
            error = FrameError("frame.bad_shape", f"At most {MAX_COMMANDS_PER_FRAME} commands in one frame.")
            self.member.write(reply_error(None, error))

    def _over_limit(self, line: str) -> bool:
        """Return whether this command exceeds the limit.

        The client gets an error while such errors are few. A flood closes the socket. Commands that pass in between do
        not end a flood; only a second without a refusal does.
        """
        if self._bucket is None:
            self._bucket = TokenBucket(burst=BURST, per_second=PER_SECOND)
        if self._bucket.take():
            return False
        if self._refusals is None:
            self._refusals = TokenBucket(burst=BURST, per_second=PER_SECOND)
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
            _counter("none", error.code).inc()
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
            broken = Unavailable("internal", "Something went wrong on our side. Please try again.")
            self.member.write(reply_error(command.ref, broken))
        else:
            outcome = "ok"
            self.member.write(reply_ok(command.ref, data))
        known = command.op if command.op in self.commands else "unknown"
        _counter(known, outcome).inc()
        _clock(known).observe(time.perf_counter() - started)

    async def _run(self, command: ParsedCommand) -> dict[str, Any]:
        handler = self.commands.get(command.op)
        if handler is None:
            raise Invalid("op.unknown", "Unknown command.")
        if handler.is_rare:
            self._rare = self._rare or TokenBucket(burst=RARE_BURST, per_second=RARE_PER_SECOND)
            if not self._rare.take():
                raise TooMany(retry_after=1 / RARE_PER_SECOND)
        data: dict[str, Any] = {}
        if handler.takes is not None:
            data = handler.validated(command.data)
        if handler.run_async is not None:
            return await handler.run_async(self.context, **data)
        assert handler.run is not None, "a handler has a function"
        return await in_database(handler.run, self.context, **data)

    def close_later(self, *, code: CloseCode, reason: str, seconds: float) -> None:
        """Close this socket after some seconds if it is still open."""
        asyncio.get_running_loop().call_later(seconds, self.member.close, code, reason)


def _bytes_at_most(text: str) -> int:
    """Return the length in UTF-8. It is computed only if four bytes per character could exceed the limit."""
    most = 4 * len(text)
    if most > settings.REALTIME_MAX_FRAME_BYTES:
        return len(text.encode("utf-8", "surrogatepass"))
    return most


# The metrics library's label lookup costs more than the counting.
_counter = lru_cache(maxsize=1024)(COMMANDS.labels)
_clock = lru_cache(maxsize=256)(COMMAND_SECONDS.labels)


def _ref_of(line: str) -> str | None:
    try:
        return parse_command(line).ref
    except FrameError as error:
        return error.ref
